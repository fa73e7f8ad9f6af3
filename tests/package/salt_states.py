# SPDX-License-Identifier: ISC
"""As much of Salt as the formula needs: renders it and carries it out against the fake tools.

Salt is not in Debian, but what reads a formula is: Jinja and YAML. Whatever is not known here
(a state, an argument, a requisite that names nothing, a key said twice) is an error, so that a
misspelt formula cannot pass.
"""
import hashlib
import os
import subprocess

import jinja2
import yaml

ARGUMENTS = {
    "archive.extracted": {"name", "source", "source_hash", "if_missing", "user", "group"},
    "cmd.run": {"name", "cwd", "unless"},
    "qvm.present": {"name", "class", "label"},
    "qvm.prefs": {"name", "kernel", "kernelopts", "virt-mode", "memory", "maxmem", "vcpus",
                  "provides-network", "netvm", "default-dispvm"},
    "qvm.features": {"name", "enable", "disable"},
}


class FormulaError(Exception):
    """The formula is wrong, or could not be carried out."""


class _Loader(yaml.SafeLoader):
    """YAML in which a key said twice is an error, as in Salt."""


def _mapping(loader, node):
    keys = [loader.construct_object(key) for key, _ in node.value]
    if len(keys) != len(set(map(str, keys))):
        raise FormulaError("a key is there twice: %s" % keys)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def render(folder, pillar, minion="dom0"):
    """FOLDER/ringwall/init.sls with that pillar: {id: (function, arguments, required ids)}."""
    def pillar_get(key, default, merge):
        assert merge
        return {**default, **pillar.get(key, {})}

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder),
                                     undefined=jinja2.StrictUndefined)
    text = environment.get_template("ringwall/init.sls").render(
        grains={"id": minion}, salt={"pillar.get": pillar_get})
    document = yaml.load(text, _Loader) or {}
    states = {}
    for name, body in document.items():
        (function, items), = body.items()
        if function not in ARGUMENTS:
            raise FormulaError("%s: no such state: %s" % (name, function))
        arguments, required = {}, []
        for item in items:
            (key, value), = item.items()
            if key == "require":
                required += [(function, target) for one in value for function, target in one.items()]
            elif key == "require_in":
                for one in value:
                    (_, target), = one.items()
                    if target not in document:
                        raise FormulaError("%s: nothing is called %s" % (name, target))
            elif key in ARGUMENTS[function] and key not in arguments:
                arguments[key] = value
            else:
                raise FormulaError("%s: wrong argument: %s" % (name, key))
        for module, target in required:
            if target not in states or not states[target][0].startswith(module + "."):
                raise FormulaError("%s: nothing before it is called %s: %s" % (name, module, target))
        states[name] = (function, arguments)
    return states


def _extract(folder, kernels, arguments):
    name = os.path.basename(arguments["source"])
    if os.path.exists(arguments["if_missing"].replace("/var/lib/qubes/vm-kernels", kernels)):
        return
    source = arguments["source"].replace("salt://", folder + "/")
    with open(arguments["source_hash"].replace("salt://", folder + "/"), encoding="ascii") as file:
        sums = dict(reversed(line.split()) for line in file)
    with open(source, "rb") as file:
        if sums.get(name) != hashlib.sha256(file.read()).hexdigest():
            raise FormulaError("%s: not the hash of source_hash" % name)
    subprocess.run(["tar", "-C", kernels, "-xzf", source], check=True)


def _text(value):
    if not isinstance(value, (str, int)):
        raise FormulaError("not a plain value: %r" % (value,))
    return str(value)


def apply(folder, pillar, environment):
    """Carries it out in order. Returns the ids of the cmd.run states that had to run."""
    kernels, ran = environment["RINGWALL_KERNELS"], []

    def tool(*words):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FormulaError("%s: %s" % (" ".join(words), done.stderr))
        return done.stdout.rstrip("\n")

    def shell(text, cwd):
        # The formula names the real folder; ours stands in for it.
        text = text.replace("/var/lib/qubes/vm-kernels", kernels)
        return subprocess.run(["sh", "-c", text], env=environment, capture_output=True,
                              cwd=cwd.replace("/var/lib/qubes/vm-kernels", kernels),
                              check=False).returncode

    for name, (function, arguments) in render(folder, pillar).items():
        qube = arguments["name"]
        if function == "archive.extracted":
            _extract(folder, kernels, arguments)
        elif function == "cmd.run":
            cwd = arguments.get("cwd", "/")
            if shell(arguments["unless"], cwd):
                ran.append(name)
                if shell(arguments["name"], cwd):
                    raise FormulaError("%s failed" % name)
        elif function == "qvm.present":
            if subprocess.run(["qvm-check", "--quiet", qube], env=environment, check=False).returncode:
                tool("qvm-create", "--class", arguments["class"], "--label", arguments["label"], qube)
        elif function == "qvm.prefs":
            for key, value in arguments.items():
                if key != "name" and tool("qvm-prefs", qube, key.replace("-", "_")) != _text(value):
                    tool("qvm-prefs", qube, key.replace("-", "_"), _text(value))
        else:
            for feature in arguments.get("enable", []):
                tool("qvm-features", qube, feature, "1")
            for feature in arguments.get("disable", []):
                tool("qvm-features", qube, feature, "")
    return ran
