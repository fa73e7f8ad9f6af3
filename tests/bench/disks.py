# SPDX-License-Identifier: ISC
"""Our block frontend (configs/blktest) against Linux's xen-blkback in dom0, over files (loop)
and over a block device that keeps its sectors in memory (null_blk), for integration.py.

CYCLES=N in the environment: how often a disk comes and goes; SEED=N: the moments at which
guests are destroyed.
"""
import hashlib
import os
import random
import re
import struct
import time

from bench import wait_for

FOLDER = "/tmp/disks"  # dom0's memory
MIB = 1 << 20
SIZE = 4 * MIB  # of most disks
PLUG_CYCLES = int(os.environ.get("CYCLES", "4"))
POWER_CYCLES = 3
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
STEP, WORDS = 0x9e3779b97f4a7c15, (1 << 64) - 1
# Xen's script for disks reads /dev/stdin, which udev would have made.
READY = "[ -e /dev/stdin ] || ln -s /proc/self/fd/0 /dev/stdin; modprobe loop; " \
    "modprobe xen-blkback; modprobe null_blk nr_devices=0; mkdir -p /sys/kernel/config; " \
    "mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config; " \
    f"mkdir -p {FOLDER}; cp /share/block-quick /etc/xen/scripts; " \
    "chmod +x /etc/xen/scripts/block-quick"
XVDA = 51712  # docs/misc/vbd-interface.txt
UNBIND = "/sys/bus/xen-backend/drivers/vbd/unbind"
BIND = "/sys/bus/xen-backend/drivers/vbd/bind"
# Xen's own script takes three seconds here. This does what it does for a block device.
QUICK_SCRIPT = """#!/bin/sh
[ "$1" = add ] || exit 0
xenstore-write $XENBUS_PATH/physical-device $(stat -L -c %t:%T $(xenstore-read \
    $XENBUS_PATH/params)) $XENBUS_PATH/hotplug-status connected
"""
# What blkfront does without, or has more of, than it would.
VARIANTS = ("persistent=no", "persistent=no direct=yes", "indirect=no order=0", "queues=2 order=2")


def stamped(size, sector_bytes, generation):
    """A disk as `fill` leaves it: configs/blktest/stamp.h tells what is in a sector."""
    steps = [i * STEP & WORDS for i in range(2, sector_bytes // 8)]
    form = struct.Struct(f"<{sector_bytes // 8}Q")
    sectors = []
    for sector in range(size // sector_bytes):
        start = sector * STEP + generation & WORDS
        sectors.append(form.pack(sector, generation, *[start + step & WORDS for step in steps]))
    return b"".join(sectors)


class DisksTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    # ---- dom0's side ----

    def disks_begin(self):
        self.bench.put_text("block-quick", QUICK_SCRIPT)
        self.bench.run(READY)

    def file_make(self, name, size):
        """A file of zeroes; its path."""
        path = f"{FOLDER}/{name}"
        self.bench.run(f"rm -f {path}; truncate -s {size} {path}")
        return path

    def loop_make(self, name, size, options=""):
        """A loop device over a new file; its path and the file's."""
        path = self.file_make(name, size)
        return self.bench.run(f"losetup -f --show {options} {path}").out.strip(), path

    def memory_make(self, mebibytes):
        """A block device that discards, and has a cache to flush; its path."""
        return self.bench.run(
            "d=/sys/kernel/config/nullb/nullb_test; [ -d $d ] && rmdir $d; mkdir $d && cd $d\n"
            f"echo {mebibytes} >size; echo 512 >blocksize; echo 1 >memory_backed\n"
            "echo 1 >discard; echo 4 >cache_size; echo 1 >power; ls /dev/nullb_test 2>/dev/null "
            "|| echo /dev/nullb$(cat index)").out.strip()

    def disks_end(self):
        self.bench.destroy_these(["blktest"])
        self.bench.run("losetup -D; rmdir /sys/kernel/config/nullb/nullb_test 2>/dev/null; "
                       f"rm -rf {FOLDER}; true")

    def digest(self, path):
        direct = "iflag=direct" if path.startswith("/dev/") else ""
        return self.bench.run(f"dd if={path} {direct} bs=1M 2>/dev/null | sha256sum").out[:64]

    # ---- the guest's side ----

    def disk_spec(self, name, target, access="rw"):
        """A file goes through Xen's script, which makes a loop device for it."""
        script = "script=block-quick," if target.startswith("/dev/") else ""
        return f"format=raw,vdev={name},access={access},{script}target={target}"

    def blktest_config(self, targets, words="", memory=64, access="rw"):
        disks = [self.disk_spec(f"xvd{'abcdefgh'[i]}", target, access)
                 for i, target in enumerate(targets)]
        return {"name": "blktest", "type": self.mode, "memory": memory, "vcpus": 1, "cpus": "1",
                "kernel": self.bench.put(self.blktest, "blktest.kernel"), "watched": False,
                "cmdline": f"log=info {words}", "on_crash": "preserve", "disk": disks}

    def blktest_start(self, targets, words="", **options):
        self.bench.create(self.blktest_config(targets, words, **options))
        self.bench.wait_console("blktest", "^blktest: ready", 30)

    def command(self, line, pattern, limit=60):
        """Types a command at the guest's console; the match of its answer."""
        start = len(self.bench.console("blktest"))
        self.bench.type("blktest", line)
        return self.bench.wait_console("blktest", pattern, limit, start)

    def geometry(self, name):
        """Sectors, bytes of a sector, and the words that follow."""
        found = self.command("disks", rf"^disk: {name} sectors (\d+) sector (\d+) physical \d+ "
                             r"(.*)$")
        return int(found.group(1)), int(found.group(2)), found.group(3).split()

    def selfcheck(self, name):
        found = self.command(f"selfcheck {name}", r"^selfcheck: (\d+) passed, (\d+) failed", 90)
        self.expect(found.group(2) == "0" and int(found.group(1)) > 10, f"all to pass on {name}",
                    "\n".join(re.findall(r".*selfcheck: .*", self.bench.console("blktest"))))
        return found.group(1)

    def fill(self, name, seed, words=""):
        found = self.command(f"fill {name} seed={seed} {words}",
                             rf"^fill: {name} ios \d+ bytes (\d+) ns (\d+) errors (\d+)")
        self.expect(found.group(3) == "0", f"no error in filling {name}",
                    self.bench.console("blktest")[-1500:])
        return int(found.group(1))

    def verify(self, name, seed, words="", size=None):
        found = self.command(f"verify {name} seed={seed} {words}",
                             rf"^verify: {name} good (\d+) zeroes (\d+) old (\d+) wrong (\d+)"
                             rf"[\s\S]*^verified: {name} .* errors (\d+)")
        self.expect([int(n) for n in found.groups()[1:]] == [0] * 4 and int(found.group(1)) > 0,
                    f"each sector of {name} as it was written", found.group(0))
        if size is not None:
            self.expect(int(found.group(1)) == size, f"{size} sectors", found.group(0))

    def load(self, name, words):
        """Runs a load to its end; how many requests a second."""
        found = self.command(f"run {name} {words}",
                             rf"^job: {name} ios (\d+) bytes \d+ ns (\d+) errors (\d+)")
        self.expect(found.group(3) == "0" and int(found.group(1)) > 0, f"no error: {words}",
                    found.group(0))
        return int(found.group(1)) * 1e9 / int(found.group(2))

    # ---- tests ----

    def test_blktest(self):
        """Our disks over a file and a block device: what they promise, and the same bytes in
        dom0."""
        b = self.bench
        try:
            self.disks_begin()
            targets = [self.file_make("a.img", SIZE), self.memory_make(2 * SIZE // MIB)]
            self.blktest_start(targets)
            self.check_geometry(targets[1])
            for name in ("xvda", "xvdb"):
                print(f"    {name}: {self.selfcheck(name)} checks", flush=True)
            for number, (name, target, size, buffers) in enumerate((
                    ("xvda", targets[0], SIZE, "device"),
                    ("xvdb", targets[1], 2 * SIZE, "unaligned")), 7):
                self.fill(name, number, f"buffers={buffers} bs=128K")
                self.verify(name, number, "buffers=aligned bs=12K")
                wanted = hashlib.sha256(stamped(size, 512, number)).hexdigest()
                self.expect(self.digest(target) == wanted, f"{wanted} of {target} in dom0",
                            self.digest(target))
            source = b.put_text("blktest.in", "")
            with open(os.path.join(b.share, "blktest.in"), "wb") as f:
                f.write(stamped(SIZE, 512, 99))
            b.run(f"dd if={source} of={targets[0]} bs=1M conv=notrunc 2>/dev/null")
            self.verify("xvda", 99, size=SIZE // 512)
            for words in ("rw=randread bs=512 depth=32 ios=400", "rw=read bs=64K depth=8 ios=200",
                          "rw=randwrite bs=4K depth=32 ios=400"):
                print(f"    {words}: {self.load('xvdb', words):.0f}/s", flush=True)
            b.run("xl shutdown -w blktest", 40)
        finally:
            self.disks_end()

    def check_geometry(self, device):
        wanted = self.bench.run(f"blockdev --getsz --getss {device}").out.split()
        sectors, sector, words = self.geometry("xvdb")
        self.expect([str(sectors), str(sector)] == wanted, f"{wanted} as dom0 says", words)
        self.expect({"rw", "flush", "discard", "up"} <= set(words), "its features", words)
        sectors, sector, words = self.geometry("xvda")
        self.expect((sectors, sector) == (SIZE // 512, 512), "the file's size", sectors)

    def test_blk_sizes(self):
        """Sectors of 4096 bytes, a disk of one sector, one that may only be read."""
        try:
            self.disks_begin()
            large, _ = self.loop_make("large.img", 8 * MIB, "-b 4096")
            tiny, _ = self.loop_make("tiny.img", 512)
            self.blktest_start([large, tiny])
            sectors, sector, _ = self.geometry("xvda")
            self.expect((sectors, sector) == (2048, 4096), "2048 sectors of 4096 bytes",
                        (sectors, sector))
            self.expect(self.geometry("xvdb")[:2] == (1, 512), "one sector", self.geometry("xvdb"))
            for name in ("xvda", "xvdb"):
                self.selfcheck(name)
            self.fill("xvda", 5)
            self.verify("xvda", 5, size=2048)
            self.fill("xvdb", 6)
            self.bench.destroy("blktest")
            self.blktest_start([large, tiny], access="r")
            for name, seed in (("xvda", 5), ("xvdb", 6)):
                self.expect("ro" in self.geometry(name)[2], f"{name} read-only",
                            self.geometry(name))
                self.selfcheck(name)
                self.verify(name, seed)
        finally:
            self.disks_end()

    def test_blk_variants(self):
        """Without what blkback offers, and with more rings than one."""
        try:
            self.disks_begin()
            self.bench.run("echo 2 >/sys/module/xen_blkback/parameters/max_queues")
            target = self.memory_make(16)
            for seed, words in enumerate(VARIANTS, 20):
                self.blktest_start([target], words)
                self.check_agreed(words)
                checks = self.selfcheck("xvda")
                self.fill("xvda", seed, "bs=256K buffers=aligned")
                self.load("xvda", "rw=randread bs=8K depth=64 ios=300 buffers=unaligned")
                self.verify("xvda", seed)
                print(f"    {words}: {checks} checks", flush=True)
                self.bench.destroy("blktest")
        finally:
            self.bench.run("echo 1 >/sys/module/xen_blkback/parameters/max_queues")
            self.disks_end()

    def check_agreed(self, words):
        """The frontend tells the backend what the words are for."""
        said = self.bench.run("xenstore-ls /local/domain/"
                              f"{self.domid('blktest')}/device/vbd/{XVDA}").out
        persistent = 0 if "persistent=no" in words else 1
        self.expect(f'feature-persistent = "{persistent}"' in said, "grants kept or not", said)
        for word, key in (("queues", "multi-queue-num-queues"), ("order", "ring-page-order")):
            wanted = re.search(rf"{word}=([1-9])", words)
            self.expect(not wanted or f'{key} = "{wanted.group(1)}"' in said, f"{key}: {words}",
                        said)

    def test_blk_resize(self):
        """A disk that grows while it is used."""
        b = self.bench
        try:
            self.disks_begin()
            loop, path = self.loop_make("grows.img", SIZE)
            self.blktest_start([loop])
            self.fill("xvda", 1)
            b.run(f"truncate -s {2 * SIZE} {path}; losetup -c {loop}")
            # blkback looks at the size with each request.
            self.load("xvda", "rw=read bs=4K ios=1")
            b.wait_console("blktest", rf"^disk: xvda sectors {2 * SIZE // 512} ", 20)
            self.verify("xvda", 1, f"size={SIZE}")
            self.fill("xvda", 2, f"offset={SIZE}")
            self.verify("xvda", 1, f"size={SIZE}", SIZE // 512)
            self.verify("xvda", 2, f"offset={SIZE}", SIZE // 512)
        finally:
            self.disks_end()

    def blk_held(self):
        """What must be the same before a disk came and after it went."""
        lines, text = self.stats("blktest")
        xen = re.search(r"granted (\d+) mapped (\d+) ports (\d+) watches (\d+) fibers (\d+)",
                        lines["xen"])
        pool = re.search(r"pages-free (\d+) of \d+, quarantined (\d+)", lines["pool"])
        heap = re.search(r"pages-free (\d+) heap-used (\d+)", lines["memory"])
        self.expect(xen and pool and heap, "stats lines xen, pool and memory", text)
        return [int(n) for n in xen.groups() + pool.groups() + heap.groups()]

    def plug_once(self, number, target):
        b = self.bench
        start = len(b.console("blktest"))
        b.run(f"xl block-attach blktest {self.disk_spec('xvdb', target)}")
        b.wait_console("blktest", "^attached: xvdb", 20, start)
        b.type("blktest", f"run xvdb rw=randwrite bs=16K depth=32 seconds=600 seed={number}")
        wait_for("the load to begin", lambda: int(self.counter("xvdb", "write")) > 0, 20, 0.1)
        b.run("xl block-detach blktest xvdb")
        b.wait_console("blktest", "^detached: xvdb", 20, start)
        text = b.console("blktest")[start:]
        self.expect("job: xvdb: the device is gone" in text, "requests that end by name",
                    text[-1500:])

    def counter(self, disk, name):
        lines, text = self.stats("blktest")
        found = re.search(rf"\b{name} (\d+)", lines.get(disk, ""))
        self.expect(found, f"{name} of {disk}", text)
        return found.group(1)

    def test_blk_plug(self):
        """A disk comes and goes under load, and nothing of it stays."""
        b = self.bench
        try:
            self.disks_begin()
            loop, _ = self.loop_make("stays.img", SIZE)
            target = self.memory_make(16)
            self.blktest_start([loop])
            self.fill("xvda", 3)
            self.plug_once(0, target)
            before = self.blk_held()
            for number in range(1, PLUG_CYCLES):
                self.plug_once(number, target)
            after = wait_for("what the guest holds to come back",
                             lambda: self.blk_held() == before and before, 10, 0.5)
            print(f"    {PLUG_CYCLES} times; held before and after: {after}", flush=True)
            out = b.run("xenstore-ls /local/domain/0/backend/vbd; true").out
            self.expect("xvdb" not in out, "no backend of xvdb in dom0", out)
            self.verify("xvda", 3)
        finally:
            self.disks_end()

    def test_blk_backend_dies(self):
        """The backend is torn away in mid-write and comes again: nothing is lost."""
        b = self.bench
        try:
            self.disks_begin()
            self.blktest_start([self.memory_make(32)], "log=debug")
            device = f"vbd-{self.domid('blktest')}-{XVDA}"
            for seed, pause in enumerate((0.3, 0, 0, 0.05), 30):
                start = len(b.console("blktest"))
                b.type("blktest", f"fill xvda seed={seed} bs=64K depth=16")
                b.run(f"echo {device} >{UNBIND}; sleep {pause}; echo {device} >{BIND}", 30)
                found = b.wait_console("blktest", r"^fill: xvda .* errors (\d+)", 60, start)
                self.expect(found.group(1) == "0", "no error", b.console("blktest")[-1500:])
                self.verify("xvda", seed, size=32 * MIB // 512)
            again = int(self.counter("xvda", "reissued"))
            self.expect(again > 0, "requests under way when a backend went",
                        b.console("blktest")[-1500:])
            print(f"    issued again: {again}", flush=True)
        finally:
            self.disks_end()

    def test_blk_power(self):
        """The guest is destroyed while it keeps a journal: what it had flushed is there."""
        b = self.bench
        moments = random.Random(SEED)
        print(f"    SEED={SEED}", flush=True)
        flushed = 0
        try:
            self.disks_begin()
            loop, _ = self.loop_make("journal.img", SIZE)
            for cycle in range(POWER_CYCLES + 1):
                self.blktest_start([loop], memory=32)
                found = self.command("check xvda",
                                     r"^check: xvda reaches (\d+) newest (\d+) wrong (\d+)")
                reaches, newest, wrong = map(int, found.groups())
                self.expect(reaches >= flushed and wrong == 0 and newest >= flushed,
                            f"a journal that reaches {flushed} after {cycle} deaths",
                            found.group(0))
                if cycle == POWER_CYCLES:
                    break
                self.command(f"journal xvda seed={SEED + cycle} flush="
                             f"{'fua' if cycle % 2 else 'flush'}", r"^journal: flushed \d+")
                time.sleep(moments.uniform(0, 1.5))
                b.destroy("blktest")
                said = re.findall(r"^journal: flushed (\d+)\n", b.console("blktest"), re.M)
                flushed = int(said[-1])
            print(f"    {flushed} records flushed, {newest} found", flush=True)
        finally:
            self.disks_end()
