# SPDX-License-Identifier: ISC
"""The RAM disk (configs/ramdisk) and its clients: a Linux guest with ext4 and fio, and with
it seven of our own guests (configs/blktest), for integration.py.
"""
import re
import time

from bench import wait_for

DATA_MIB, SMALL_MIB = 64, 4
SMALL = [f"small{i}" for i in range(1, 8)]  # disks, and the names of their clients
LINUX = "linux"
FILE = "/m/v.0.0"  # as fio calls what its job v writes
# Sizes that are no powers of two, and many at once.
FIO = ["/usr/bin/fio --name=v --directory=/m --size=8M --rw=randwrite --bsrange=512-96k "
       "--direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 "
       "--randrepeat=0 --output-format=terse --terse-version=3 >/tmp/fio.log || "
       "{ cat /tmp/fio.log; exit 1; }",
       "[ $(sed -n '/^3;fio/p' /tmp/fio.log | cut -d';' -f5) = 0 ]"]
PARTITIONS = "n=0; until [ -b /dev/xvda2 ] || [ $n -gt 50 ]; do sleep 0.1; n=$((n + 1)); done"
# In /usr, not busybox's own of the same names.
MAKE = ["(echo label: gpt; echo ,48M; echo ,) | /usr/sbin/sfdisk -q /dev/xvda", PARTITIONS,
        "/usr/sbin/mke2fs -q -t ext4 /dev/xvda1", "mkdir -p /m", "mount -t ext4 /dev/xvda1 /m",
        *FIO, f"/usr/bin/sha256sum {FILE}", "/usr/sbin/fstrim -v /m", "umount /m",
        "/usr/sbin/e2fsck -fn /dev/xvda1"]
LOOK = ["echo read-only: $(/usr/sbin/blockdev --getro /dev/xvda)", f"/usr/bin/sha256sum {FILE}"]
WRITE_FAILS = ["if /usr/bin/dd if=/dev/zero of=/dev/xvda bs=4096 count=1; then exit 1; fi",
               "if touch /m/new; then exit 1; fi"]


class RamdiskTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def ramdisk_start(self):
        b = self.bench
        disks = " ".join([f"disk=data:{DATA_MIB}M"] + [f"disk={n}:{SMALL_MIB}M" for n in SMALL])
        b.create({"name": "ramdisk", "type": self.mode,
                  "kernel": b.put(self.ramdisk, "ramdisk.kernel"),
                  "memory": DATA_MIB + len(SMALL) * SMALL_MIB + 24, "vcpus": 1, "cpus": "1",
                  "on_crash": "preserve", "cmdline": f"log=info {disks}"})
        b.wait_console("ramdisk", "ramdisk: started", 30)

    def ramdisk_held(self):
        """What is the same when no client is there, whatever they did; and the stats' text."""
        lines, text = self.stats("ramdisk")
        held = re.search(r"granted \d+ mapped \d+ ports \d+ watches \d+ fibers \d+", lines["xen"])
        users = re.findall(r"^stats: (\w+: bytes .*)$", text, re.M)
        pages = re.search(r"pages-free \d+", lines["memory"])
        clients = re.search(r"blkback: clients \d+", text)
        self.expect(held and users and pages and clients, "lines of xen, memory and disks", text)
        return [held.group(0), pages.group(0), clients.group(0), *users], text

    def ramdisk_linux(self, commands):
        """What they printed; each must go well. Xenstore-read takes lines for characters that
        cannot be printed, so they are one."""
        return self.bench.guest(LINUX, "set -e; " + "; ".join(commands), 60).out

    def ramdisk_mounted(self, options, commands):
        return self.ramdisk_linux([PARTITIONS, f"mount -t ext4 -o {options} /dev/xvda1 /m",
                                   *commands, "umount /m"])

    def ramdisk_digest(self, text):
        found = re.search(rf"^([0-9a-f]{{64}})  {FILE}$", text, re.M)
        self.expect(found, f"the digest of {FILE}", text)
        return found.group(1)

    def ramdisk_reattach(self, access):
        b = self.bench
        b.run(f"xl block-detach {LINUX} xvda", 30)
        b.run(f"xl block-attach {LINUX} '{b.disk('data', access=access, backend='ramdisk')}'", 30)

    def test_ramdisk(self):
        """A RAM disk of ours: ext4 and fio, clients that come, go and die; nothing leaks."""
        b = self.bench
        self.ramdisk_start()
        before, _ = self.ramdisk_held()
        # Linux is always PV, which is there in half the time.
        b.create(b.disk_config(LINUX, [b.disk("data", backend="ramdisk")], "pv", 160))
        b.wait_ready(LINUX)
        text = self.ramdisk_linux(MAKE)
        digest = self.ramdisk_digest(text)
        trimmed = re.search(r"\((\d+) bytes\) trimmed", text)
        self.expect(trimmed and int(trimmed.group(1)) > 8 << 20, "megabytes trimmed", text)
        for access, option, more in (("rw", "rw", []), ("ro", "ro,noload", WRITE_FAILS),
                                     ("rw", "rw", FIO)):
            self.ramdisk_reattach(access)
            text = self.ramdisk_mounted(option, LOOK + more)
            self.expect(self.ramdisk_digest(text) == digest, f"the same file, {access}", text)
            self.expect(f"read-only: {int(access == 'ro')}" in text, f"a disk {access}", text)
        if self.blktest:
            self.ramdisk_eight()
        else:
            print("    one client alone: --blktest says no kernel for seven more", flush=True)
        b.destroy_these([LINUX, *SMALL])
        wait_for("the RAM disk to let go of all clients",
                 lambda: self.ramdisk_held()[0] == before, 20)

    def ramdisk_eight(self):
        """Linux and seven of ours, all at work; the first of these dies in mid-write."""
        b = self.bench
        kernel = b.put(self.blktest, "blktest.kernel")
        b.create_all([{"name": name, "type": self.mode, "kernel": kernel, "memory": 20, "vcpus": 1,
                       "cpus": "3", "on_crash": "preserve", "watched": False, "cmdline": "disks=1",
                       "disk": [b.disk(name, backend="ramdisk")]} for name in SMALL])
        for name in SMALL:
            b.wait_console(name, "^blktest: ready", 30)
        linux = b.guest_begin(LINUX, "set -e; mount -t ext4 /dev/xvda1 /m; " + "; ".join(FIO) +
                              "; umount /m", 60)
        for number, name in enumerate(SMALL, 1):
            b.type(name, f"fill xvda seed={number}")
        self.expect("clients 8 " in self.ramdisk_held()[1], "8 clients", self.ramdisk_held()[1])
        victim, others = SMALL[0], SMALL[1:]
        b.wait_console(victim, "^fill: .* errors 0", 30)
        b.type(victim, "run xvda rw=randwrite bs=64K depth=32 seconds=30")
        time.sleep(0.5)
        b.destroy(victim)
        for number, name in enumerate(others, 2):
            b.wait_console(name, "^fill: .* errors 0", 30)
            b.type(name, f"verify xvda seed={number}")
        good = SMALL_MIB << 11
        for name in others:
            b.wait_console(name, rf"^verify: xvda good {good} zeroes 0 old 0 wrong 0$", 30)
        b.finish(linux)
