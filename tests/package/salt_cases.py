# SPDX-License-Identifier: ISC
"""The Salt formula makes the qube that ringwall-qube makes."""
import os
import shutil
import subprocess

import salt_states
from installer import Dom0, FEATURES, PROPERTIES


def formula(dom0, tree, *files):
    """A folder as /srv/salt, with the formula out of a tree and some files beside it."""
    folder = os.path.join(dom0.folder, "srv")
    shutil.copytree(os.path.join(tree, "salt"), os.path.join(folder, "ringwall"))
    for file in files:
        shutil.copy(file, os.path.join(folder, "ringwall"))
    return folder


def applied(results, name, folder, pillar, dom0):
    """Carried out without an error; the commands that had to run."""
    try:
        ran = salt_states.apply(folder, pillar, dom0.environment)
    except (salt_states.FormulaError, OSError, subprocess.CalledProcessError) as error:
        results.check(name, False, repr(error))
        return None
    results.check(name, True)
    return ran


def fails(results, name, folder, pillar, dom0):
    """Carried out with an error."""
    try:
        salt_states.apply(folder, pillar, dom0.environment)
    except salt_states.FormulaError:
        results.check(name, True)
        return
    results.check(name, False, "no error")


def cases(results, work, archive, packages, version, sources):
    """From the tarball, with a pillar, over an existing qube, with damage, and as in the RPM."""
    kernel = "ringwall-" + version
    dom0 = Dom0(work, archive)
    folder = formula(dom0, dom0.trees[0], archive, os.path.join(packages, "SHA256SUMS"))
    applied(results, "salt: applies", folder, {}, dom0)
    results.equal("salt: properties", dom0.qube()["properties"], {**PROPERTIES, "kernel": kernel})
    results.equal("salt: features", dom0.qube()["features"], FEATURES)
    dom0.commands()
    results.equal("salt: nothing left for the script", (dom0.tool("create")[0], dom0.commands()), (0, []))
    before = dom0.qubes()
    results.equal("salt: again", applied(results, "salt: applies again", folder, {}, dom0), [])
    results.equal("salt: again changes nothing", dom0.qubes(), before)
    results.equal("salt: nothing in a qube", salt_states.render(folder, {}, "work"), {})

    pillar = {"ringwall": {"name": "sys-wall", "netvm": "", "memory": 16, "kernelopts": "log=debug",
                           "vm_config": {"log": "warn", "dns": "10.0.0.1,9.9.9.9"}}}
    ran = applied(results, "salt: pillar", folder, pillar, dom0)
    results.equal("salt: pillar: properties", dom0.qube("sys-wall")["properties"],
                  {**PROPERTIES, "kernel": kernel, "netvm": "", "memory": "16", "maxmem": "16",
                   "kernelopts": "log=debug"})
    results.equal("salt: pillar: features", dom0.qube("sys-wall")["features"],
                  {**FEATURES, "vm-config.ringwall-log": "warn",
                   "vm-config.ringwall-dns": "10.0.0.1,9.9.9.9"})
    results.equal("salt: settings that are there are left", (
        "vm-config.ringwall-log" in (ran or []),
        applied(results, "salt: pillar again", folder, pillar, dom0)), (True, []))

    damaged = Dom0(work, archive)
    other = formula(damaged, damaged.trees[0], archive, os.path.join(packages, "SHA256SUMS"))
    with open(os.path.join(other, "ringwall", os.path.basename(archive)), "ab") as file:
        file.write(b"x")
    fails(results, "salt: another tarball is refused", other, {}, damaged)
    results.equal("salt: and not unpacked", damaged.installed(), [])
    with open(os.path.join(dom0.kernels, kernel, "vmlinuz"), "ab") as file:
        file.write(b"x")
    fails(results, "salt: a damaged kernel is seen", folder, {}, dom0)

    with open(os.path.join(sources, "salt/init.sls"), encoding="utf-8") as file:
        text = file.read()
    for name, old, new in (("an argument", "- vcpus:", "- cpus:"), ("a state", "qvm.prefs", "qvm.pref"),
                           ("a requisite", "- qvm: ringwall-qube", "- qvm: ringwall-cube"),
                           ("a variable", "ringwall.memory", "ringwall.mem")):
        with open(os.path.join(folder, "ringwall/init.sls"), "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))
        try:
            salt_states.render(folder, {})
            results.check("salt: %s misspelt is seen" % name, False)
        except Exception as error:  # pylint: disable=broad-except
            results.check("salt: %s misspelt is seen" % name, True, error)
