# SPDX-License-Identifier: ISC
"""ringwall-qube, and the lines that README.md gives for doing it by hand, in a dom0 of fakes."""
import hashlib
import os
import re
import shutil
import subprocess

from world import World

PREVIOUS = "x-ringwall-previous-kernel"
PROPERTIES = {
    "klass": "StandaloneVM", "label": "green", "kernelopts": "", "virt_mode": "pvh",
    "memory": "32", "maxmem": "32", "vcpus": "1", "provides_network": "True",
    "netvm": "sys-net", "audiovm": "", "default_dispvm": "",
}
FEATURES = {"qubes-firewall": "1", "no-default-kernelopts": "1", "skip-update": "1", "gui": ""}


class Dom0(World):
    """With the tarball of one version unpacked, or of two."""

    def __init__(self, parent, *archives):
        super().__init__(parent)
        self.trees = []
        for archive in archives:
            subprocess.run(["tar", "-C", self.folder, "-xzmf", archive], check=True)
            name = os.path.basename(archive)[:-len(".tar.gz")]
            self.trees.append(os.path.join(self.folder, name))

    def tool(self, *words, tree=0, **environment):
        """ringwall-qube from one of the trees; status, stdout, stderr."""
        return self.run(os.path.join(self.trees[tree], "ringwall-qube"), *words, **environment)

    def make(self):
        """A qube of the first version, as after create."""
        status, out, error = self.tool("create")
        assert status == 0, out + error
        self.commands()


def readme_block(tree, heading):
    """The first fenced block below a heading of README.md that is no terminal session."""
    with open(os.path.join(tree, "README.md"), encoding="utf-8") as file:
        section = file.read().split(heading + "\n", 1)[1]
    for block in re.findall(r"^```\n(.*?)^```", section, re.M | re.S):
        if not block.startswith("$"):
            return block
    raise AssertionError("no block below " + heading)


def damage(path):
    """Changes one bit of a file."""
    with open(path, "r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 1]))


def refused(results, name, dom0, done, words):
    """Failed with these words on stderr, and nothing changed."""
    status, out, error = done
    results.check(name, status == 1 and words in error and dom0.commands() == [],
                  "status %d\n%s%s" % (status, out, error))


def creation(results, work, archive, version):
    """Dry, by the script, by hand, again, and with something of it undone."""
    kernel = "ringwall-" + version
    dom0 = Dom0(work, archive)
    before = dom0.qubes()
    status, dry, error = dom0.tool("create", "--dry-run")
    results.check("create --dry-run changes nothing", status == 0 and dom0.commands() == [] and
                  dom0.qubes() == before and dom0.installed() == [], error)
    status, out, error = dom0.tool("create")
    made = dom0.commands()
    results.check("create", status == 0 and not error, out + error)
    results.equal("create does what --dry-run prints", out, dry)
    results.equal("create: properties", dom0.qube()["properties"], {**PROPERTIES, "kernel": kernel})
    results.equal("create: features", dom0.qube()["features"], FEATURES)
    results.equal("create: kernel", dom0.installed(), [kernel])
    results.check("create: all that changed was printed",
                  all(line in [x.replace("\\", "") for x in out.splitlines()] for line in made),
                  "\n".join(made) + "\n" + out)

    hand = Dom0(work)
    block = readme_block(dom0.trees[0], "### By hand")
    status, out, error = hand.run(
        "sh", "-ec", block.replace("/var/lib/qubes/vm-kernels", hand.kernels),
        cwd=os.path.dirname(shutil.copy(archive, hand.folder)))
    results.check("README by hand", status == 0, out + error)
    results.equal("README by hand: the same commands", hand.commands(), made)
    results.equal("README by hand: the same qube", hand.qube(), dom0.qube())
    results.equal("README by hand: the same kernel",
                  subprocess.run(["diff", "-r", hand.kernels, dom0.kernels], check=False).returncode, 0)

    inode = os.stat(os.path.join(dom0.kernels, kernel)).st_ino
    status, out, error = dom0.tool("create")
    results.check("create again changes nothing", status == 0 and dom0.commands() == [] and
                  os.stat(os.path.join(dom0.kernels, kernel)).st_ino == inode, out + error)
    dom0.change("ringwall", memory="48", kernelopts="log=debug", netvm="", audiovm="dom0")
    status, out, error = dom0.tool("create")
    results.equal("create again keeps what is its owner's", dom0.commands(),
                  ["qvm-prefs ringwall audiovm ''"])
    status, out, error = dom0.run(os.path.join(dom0.kernels, kernel, "ringwall-qube"), "create")
    results.check("create from where it is installed", status == 0 and not dom0.commands(), error)

    other = Dom0(work, archive)
    status, out, error = other.tool("create", "--name", "sys-wall", "--netvm", "", "--label", "red",
                                    "--memory", "16")
    results.equal("create with options", other.qube("sys-wall")["properties"],
                  {**PROPERTIES, "kernel": kernel, "netvm": "", "label": "red", "memory": "16",
                   "maxmem": "16"})


def creation_goes_wrong(results, work, archive, version):
    """Damage, strangers, and commands that fail."""
    kernel = "ringwall-" + version
    dom0 = Dom0(work, archive)
    with open(dom0.trees[0] + "/vmlinuz", "rb") as file:
        good = hashlib.sha256(file.read()).hexdigest()
    refused(results, "create: another --sha256", dom0, dom0.tool("create", "--sha256", "0" * 64),
            "not the SHA-256")
    results.equal("create: the right --sha256", dom0.tool("create", "--sha256", good)[0], 0)

    dom0 = Dom0(work, archive)
    damage(dom0.trees[0] + "/vmlinuz")
    refused(results, "create: damaged kernel", dom0, dom0.tool("create"), "vmlinuz: FAILED")
    results.equal("create: damaged kernel is not installed", dom0.installed(), [])
    with open(dom0.trees[0] + "/SHA256SUMS", "w", encoding="ascii"):
        pass
    refused(results, "create: empty checksums", dom0, dom0.tool("create"), "checksums do not fit")

    dom0 = Dom0(work, archive)
    refused(results, "create: a qube of somebody else", dom0, dom0.tool("create", "--name", "work"),
            "is not of Ringwall")
    os.makedirs(os.path.join(dom0.kernels, kernel))
    refused(results, "create: another kernel under that name", dom0, dom0.tool("create"),
            "not the same")
    os.rmdir(os.path.join(dom0.kernels, kernel))
    os.makedirs(os.path.join(dom0.kernels, kernel + ".new", "rest"))
    status, out, error = dom0.tool("create")
    results.check("create: after one that was interrupted", status == 0 and
                  dom0.installed() == [kernel], out + error)

    dom0 = Dom0(work, archive)
    status, out, error = dom0.tool("create", FAKE_REFUSE="audiovm")
    results.check("create: a property is refused", status != 0 and "audiovm" in error, out + error)
    dom0.commands()
    status, out, error = dom0.tool("create")
    results.check("create: the rest the next time", status == 0 and
                  dom0.qube()["properties"] == {**PROPERTIES, "kernel": kernel} and
                  dom0.qube()["features"] == FEATURES, out + error)
    dom0 = Dom0(work, archive)
    status, out, error = dom0.tool("create", "--netvm", "sys-nowhere")
    results.check("create: no such net VM", status != 0 and "sys-nowhere" in error, out + error)
    for words in ((), ("creat",), ("create", "--fast"), ("create", "--dry-run", "more")):
        results.equal("usage: %s" % " ".join(words), dom0.tool(*words)[0], 2)
    for words in (("--name", "-x"), ("--memory", "lots"), ("--memory",), ("--name", "a b")):
        results.equal("usage: %s" % " ".join(words), dom0.tool("create", *words)[0], 1)


def upgrade(results, work, archive, newer, versions):
    """A new version beside the old one, and back."""
    old, new = ("ringwall-" + version for version in versions)
    dom0 = Dom0(work, archive, newer)
    refused(results, "upgrade: without a qube", dom0, dom0.tool("upgrade"), "there is no qube")
    dom0.make()
    refused(results, "rollback: nothing to go back to", dom0, dom0.tool("rollback"), "no kernel but")
    before = dom0.qubes()
    status, dry, error = dom0.tool("upgrade", "--dry-run", tree=1)
    results.check("upgrade --dry-run changes nothing", status == 0 and dom0.commands() == [] and
                  dom0.qubes() == before and dom0.installed() == [old], error)
    status, out, error = dom0.tool("upgrade", tree=1)
    results.check("upgrade does what --dry-run prints", status == 0 and out == dry, out + error)
    results.equal("upgrade: commands", dom0.commands(),
                  ["qvm-features ringwall %s %s" % (PREVIOUS, old), "qvm-prefs ringwall kernel " + new])
    results.equal("upgrade: both kernels are there", dom0.installed(), [old, new])
    status, out, error = dom0.tool("upgrade", tree=1)
    results.check("upgrade again changes nothing", status == 0 and dom0.commands() == [], out + error)
    status, out, error = dom0.tool("create")
    results.check("create of the old one keeps the new one", status == 0 and dom0.commands() == [] and
                  "keeps " + new in out, out + error)

    results.equal("rollback", (dom0.tool("rollback")[0], dom0.commands()),
                  (0, ["qvm-prefs ringwall kernel " + old,
                       "qvm-features ringwall %s %s" % (PREVIOUS, new)]))
    dom0.tool("rollback")
    results.equal("rollback twice", (dom0.qube()["properties"]["kernel"],
                                     dom0.qube()["features"][PREVIOUS]), (new, old))
    dom0.commands()
    status, out, error = dom0.tool("rollback", "--dry-run")
    results.check("rollback --dry-run changes nothing", status == 0 and dom0.commands() == [] and
                  "qvm-prefs ringwall kernel " + old in out, out + error)
    damage(os.path.join(dom0.kernels, old, "vmlinuz"))
    refused(results, "rollback: damaged kernel", dom0, dom0.tool("rollback"), "missing or damaged")
    status, out, error = dom0.tool("status")
    results.equal("status", set(out.splitlines()),
                  {"qube ringwall: halted, kernel %s, before it %s" % (new, old),
                   "kernel %s: damaged" % old, "kernel %s: good" % new})
    shutil.rmtree(os.path.join(dom0.kernels, old))
    refused(results, "rollback: kernel is gone", dom0, dom0.tool("rollback"), "missing or damaged")

    hand = Dom0(work, archive, newer)
    hand.make()
    hand.change("ringwall", running=True)
    block = readme_block(hand.trees[1], "## Upgrading")
    status, out, error = hand.run("sh", "-ec", block.replace("/var/lib/qubes/vm-kernels", hand.kernels),
                                  cwd=hand.folder)
    results.check("README upgrade by hand", status == 0 and hand.qube()["running"] and
                  hand.qube()["properties"]["kernel"] == new and hand.installed() == [old, new],
                  out + error)


def restarts(results, work, archive, newer, versions):
    """Of a qube that runs with another behind it."""
    old, new = ("ringwall-" + version for version in versions)
    dom0 = Dom0(work, archive, newer)
    dom0.make()
    dom0.change("ringwall", running=True)
    dom0.change("work", netvm="ringwall")
    status, out, error = dom0.tool("upgrade", tree=1)
    results.check("upgrade leaves a qube that runs", status == 0 and not any(
        "shutdown" in line for line in dom0.commands()) and "# qvm-shutdown" in out, out + error)
    status, out, error = dom0.tool("rollback", "--restart")
    results.equal("rollback --restart", (status, dom0.commands()[-2:], dom0.qube()["running"]),
                  (0, ["qvm-shutdown --force --wait ringwall", "qvm-start ringwall"], True))
    status, out, error = dom0.tool("upgrade", "--restart", tree=1)
    results.equal("upgrade --restart", (status, dom0.commands()[-2:], dom0.qube()["running"]),
                  (0, ["qvm-shutdown --force --wait ringwall", "qvm-start ringwall"], True))

    dom0.tool("rollback", "--restart")
    dom0.commands()
    status, out, error = dom0.tool("upgrade", "--restart", tree=1, FAKE_BROKEN=new)
    qube = dom0.qube()
    results.check("upgrade --restart: a kernel that does not start", status == 1 and qube["running"] and
                  qube["properties"]["kernel"] == old and PREVIOUS not in qube["features"] and
                  "as before" in error, out + error)


def leaving(results, work, archive, newer, versions):
    """prune and remove."""
    old, new = ("ringwall-" + version for version in versions)
    dom0 = Dom0(work, archive, newer)
    dom0.make()
    dom0.tool("upgrade", tree=1)
    for name in ("ringwall-0.1", "6.6.48-1", "ringwall", "ringwall-mine"):
        os.makedirs(os.path.join(dom0.kernels, name))
    everything = dom0.installed()
    status, out, error = dom0.tool("prune", FAKE_REFUSE="qvm-ls")
    results.check("prune: nothing when dom0 does not answer", status == 1 and
                  dom0.installed() == everything, out + error)
    status, out, error = dom0.tool("prune", "--dry-run")
    results.check("prune --dry-run", status == 0 and dom0.installed() == everything and
                  "ringwall-0.1" in out and old not in out, out + error)
    status, out, error = dom0.tool("prune")
    results.check("prune", status == 0 and not error, out + error)
    results.equal("prune: only what nobody uses or could go back to", dom0.installed(),
                  sorted(set(everything) - {"ringwall-0.1"}))

    dom0.commands()
    dom0.change("ringwall", running=True)
    refused(results, "remove: runs", dom0, dom0.tool("remove", "--yes"), "it runs")
    dom0.change("ringwall", running=False)
    dom0.change("work", netvm="ringwall")
    status, out, error = dom0.tool("remove", "--yes")
    results.check("remove: dom0 refuses while it is a net VM", status != 0 and
                  "ringwall" in dom0.qubes(), out + error)
    dom0.change("work", netvm="sys-firewall")
    results.check("remove asks", dom0.tool("remove")[0] != 0 and "ringwall" in dom0.qubes())
    status, out, error = dom0.tool("remove", "--yes", "--dry-run")
    results.check("remove --dry-run", status == 0 and "ringwall" in dom0.qubes(), out + error)
    status, out, error = dom0.tool("remove", "--yes")
    results.check("remove", status == 0 and "ringwall" not in dom0.qubes(), out + error)
    refused(results, "remove: a qube of somebody else", World(work) and dom0,
            (dom0.commands(), dom0.tool("remove", "--yes", "--name", "work"))[1], "is not of Ringwall")
    results.check("status without a qube", "there is none" in dom0.tool("status")[1])


def from_the_rpm(results, work, archive):
    """The program alone, the kernel where the package puts it."""
    dom0 = Dom0(work, archive)
    program = os.path.join(dom0.folder, "bin", "ringwall-qube")
    shutil.copy(dom0.trees[0] + "/ringwall-qube", program)
    status, out, error = dom0.run("ringwall-qube", "create")
    results.check("create without a kernel", status == 1 and "no kernel beside" in error, out + error)
    os.rename(dom0.trees[0], os.path.join(dom0.kernels, "ringwall"))
    status, out, error = dom0.run("ringwall-qube", "create")
    results.check("create with the package's kernel", status == 0 and
                  dom0.qube()["properties"] == {**PROPERTIES, "kernel": "ringwall"} and
                  dom0.installed() == ["ringwall"], out + error)


def documented(results, work, archive):
    """README.md has each command and option of the usage, and no other."""
    dom0 = Dom0(work, archive)
    usage = dom0.tool("--help")[1]
    with open(dom0.trees[0] + "/README.md", encoding="utf-8") as file:
        synopsis = file.read().split("## ringwall-qube\n", 1)[1]
    results.equal("README: options", sorted(set(re.findall(r"\[(--[a-z0-9-]+)", synopsis))),
                  sorted(set(re.findall(r"^  (--[a-z0-9-]+)", usage, re.M))))
    results.equal("README: commands", sorted(re.search(r"ringwall-qube (\S+)", synopsis).group(1).split("|")),
                  sorted(re.findall(r"^  ([a-z]+) ", usage, re.M)))


def cases(results, work, archive, newer, *versions):
    """All of them."""
    creation(results, work, archive, versions[0])
    creation_goes_wrong(results, work, archive, versions[0])
    upgrade(results, work, archive, newer, versions)
    restarts(results, work, archive, newer, versions)
    leaving(results, work, archive, newer, versions)
    from_the_rpm(results, work, archive)
    documented(results, work, archive)
