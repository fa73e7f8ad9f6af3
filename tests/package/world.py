# SPDX-License-Identifier: ISC
"""A dom0 for the tests: a folder with the fake tools, kernels, qubes and a log of commands."""
import json
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = ("qvm-create", "qvm-prefs", "qvm-features", "qvm-check", "qvm-ls", "qvm-start",
         "qvm-shutdown", "qvm-remove", "sudo")


class World:
    """dom0 with sys-net, sys-firewall and the qube work, and nothing of Ringwall."""

    def __init__(self, parent):
        self.folder = tempfile.mkdtemp(dir=parent)
        self.kernels = os.path.join(self.folder, "kernels")
        os.makedirs(self.kernels)
        tools = os.path.join(self.folder, "bin")
        os.makedirs(tools)
        for tool in TOOLS:
            os.symlink(os.path.join(HERE, "fake-qvm"), os.path.join(tools, tool))
        self.environment = {
            "PATH": tools + ":/usr/bin:/bin", "LC_ALL": "C", "RINGWALL_KERNELS": self.kernels,
            "FAKE_QUBES": os.path.join(self.folder, "qubes"),
            "FAKE_LOG": os.path.join(self.folder, "log"),
        }
        self.write({name: {"properties": {"klass": "AppVM", **properties}, "features": {},
                           "running": True}
                    for name, properties in (("sys-net", {"netvm": ""}),
                                             ("sys-firewall", {"netvm": "sys-net"}),
                                             ("default-dvm", {}), ("work", {}))})

    def write(self, qubes):
        """Sets all qubes."""
        with open(self.environment["FAKE_QUBES"], "w", encoding="utf-8") as file:
            json.dump(qubes, file)

    def qubes(self):
        """All qubes, by name."""
        with open(self.environment["FAKE_QUBES"], encoding="utf-8") as file:
            return json.load(file)

    def qube(self, name="ringwall"):
        """One qube: properties, features, running."""
        return self.qubes()[name]

    def change(self, name, **properties):
        """Sets properties past the tools; running is one of them."""
        qubes = self.qubes()
        qubes[name]["running"] = properties.pop("running", qubes[name]["running"])
        qubes[name]["properties"].update(properties)
        self.write(qubes)

    def commands(self):
        """What changed something since the last call, one command a line."""
        if not os.path.exists(self.environment["FAKE_LOG"]):
            return []
        with open(self.environment["FAKE_LOG"], encoding="utf-8") as file:
            lines = file.read().splitlines()
        os.unlink(self.environment["FAKE_LOG"])
        return lines

    def run(self, *words, cwd=None, **environment):
        """Runs a program in it; status, stdout, stderr."""
        done = subprocess.run(words, env={**self.environment, **environment}, cwd=cwd, check=False,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def installed(self):
        """Names of the kernels' folders."""
        return sorted(os.listdir(self.kernels))
