#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Measures disks: our guest (configs/blktest) beside fio in a Linux domain, on the same
disk of dom0 and in the same boot of the bench, row by row in turn, so that what disturbs
one disturbs the other.

    measure_blk.py KERNEL PLUGIN OUTPUT_FOLDER [--only WORD] [--mode pv|pvh]
                   [--disk brd|null_blk|loop] [--profile]

A row is a size, reading or writing, one after the other or at random, and a number of
requests under way at once: `4k-randread-32`. --only measures the rows whose names contain
WORD, a regular expression. Each is measured twice: so many requests as are under way at
once, which is what starting costs, and then for a second; the difference is what counts.

Each domain has a processor of its own, and dom0 another; instructions are those on the
domain's. Absolute speeds are those of software emulation; only the ratios mean something.
Prints tables, and writes blk.json and blk.md; with --profile profile-ROW-KIND-MODE.txt too.
"""
import argparse
import collections
import json
import os
import re
import sys
import time

import report_blk
from bench import Bench, BenchError, CLIENT_CPU, FIREWALL_CPU
from measure import Counter
from symbols import Profiler

MODES = ("pv", "pvh")
SIZES = {"512": 512, "4k": 4096, "64k": 65536, "1m": 1 << 20}
DEPTHS = (1, 32, 256)
DISK_MIB = 256
# Data of 1 MiB and 256 at once is as much; and what a domain needs for itself.
LINUX_MIB, OWN_MIB = 512, 800
ROW_LIMIT = 60
MODE_SECONDS = 600
# Pages that our guest's disk lends to dom0, and the data under way that fit into them; more is
# copied through them. The grant table would not hold 256 MiB.
OWN_PAGES, LENT_BYTES = 12288, 32 << 20
BATCH = 64  # what our guest submits and takes back in one go, at most
# The shell's lines that make each disk; its path.
DISKS = {
    "brd": ("modprobe brd rd_nr=1 rd_size=%d" % (DISK_MIB << 10), "/dev/ram0"),
    "null_blk": ("modprobe null_blk nr_devices=0; cd /sys/kernel/config/nullb 2>/dev/null || {"
                 " mount -t configfs configfs /sys/kernel/config; cd /sys/kernel/config/nullb; };"
                 f" mkdir b; cd b; echo {DISK_MIB} >size; echo 512 >blocksize;"
                 " echo 1 >memory_backed; echo 1 >power", "/dev/nullb0"),
    "loop": (f"truncate -s {DISK_MIB}M /tmp/bench.disk", "/tmp/bench.disk"),
}
# What fio would do beside the requests is left out, as far as it can be told to. It hands
# requests over in batches, as our guest does, which doubles its speed.
FIO = ("/usr/bin/fio --name=a --filename=/dev/xvda --direct=1 --ioengine=libaio --thread "
       "--zero_buffers --scramble_buffers=0 --norandommap --gtod_reduce=1 --randrepeat=0 "
       f"--size={DISK_MIB}M --output-format=terse --terse-version=3")

Row = collections.namedtuple("Row", "name size bytes operation depth")
Run = collections.namedtuple("Run", "ios seconds guest xen")
ROWS = [Row(f"{size}-{operation}-{depth}", size, SIZES[size], operation, depth)
        for size in SIZES for operation in ("read", "write", "randread", "randwrite")
        for depth in DEPTHS]


class LinuxSide:
    """fio in a Linux domain."""

    kind, cpu, kernel = "linux", CLIENT_CPU, None

    def __init__(self, bench, mode, path):
        self.bench = bench
        self.mode = mode
        bench.create(bench.disk_config("linux", [bench.disk(path)], mode, LINUX_MIB, self.cpu))
        bench.wait_ready("linux")

    def run(self, row, limit):
        """(requests, seconds); the limit is ("ios", N) or ("seconds", N)."""
        what, value = limit
        batch = min(row.depth, BATCH)
        words = f"--number_ios={value}" if what == "ios" else f"--time_based --runtime={value}"
        out = self.bench.guest(
            "linux", f"{FIO} --rw={row.operation} --bs={row.bytes} --iodepth={row.depth} "
            f"--iodepth_batch_submit={batch} --iodepth_batch_complete_min=1 "
            f"--iodepth_batch_complete_max={batch} {words}", ROW_LIMIT).out
        found = re.search(r"^3;fio.*", out, re.M)
        fields = found.group(0).split(";") if found else []
        if len(fields) < 50 or fields[4] != "0":
            raise BenchError(f"fio: {out[-500:]}")
        # Total KiB, bandwidth, IOPS, milliseconds; of writes 41 fields later.
        start = 46 if row.operation.endswith("write") else 5
        kib, milliseconds = int(fields[start]), int(fields[start + 3])
        ios = value if what == "ios" else kib * 1024 / row.bytes  # few are no whole KiB
        return ios, milliseconds / 1000


class OwnSide:
    """Our guest's command `run`."""

    kind, cpu = "ringwall", FIREWALL_CPU

    def __init__(self, bench, mode, path, kernel):
        self.bench = bench
        self.mode = mode
        self.kernel = kernel
        bench.create({"name": "blktest", "type": mode, "kernel": bench.put(kernel, "blktest.kernel"),
                      "memory": OWN_MIB, "vcpus": 1, "cpus": str(self.cpu),
                      "cmdline": f"disks=1 pages={OWN_PAGES}", "on_crash": "preserve",
                      "disk": [bench.disk(path)]})
        bench.wait_console("blktest", r"^blktest: ready", 30)

    def run(self, row, limit):
        what, value = limit
        buffers = "device" if row.bytes * row.depth <= LENT_BYTES else "aligned"
        start = len(self.bench.console("blktest"))
        self.bench.type("blktest", f"run xvda rw={row.operation} bs={row.bytes} "
                                   f"depth={row.depth} buffers={buffers} {what}={value}")
        found = self.bench.wait_console(
            "blktest", r"^(run: .*|job: xvda ios (\d+) bytes \d+ ns (\d+) errors (\d+))",
            ROW_LIMIT, start)
        if found.group(4) != "0":
            raise BenchError(found.group(0))
        return int(found.group(2)), int(found.group(3)) / 1e9


def counted(side, counter, row, limit):
    guest, xen = counter.read(side.cpu)
    ios, seconds = side.run(row, limit)
    guest_after, xen_after = counter.read(side.cpu)
    return Run(ios, seconds, guest_after - guest, xen_after - xen)


def measure_side(side, counter, row, profiler):
    """The figures of one row."""
    start = counted(side, counter, row, ("ios", row.depth))
    # A second is not enough where so many are under way that they take longer.
    for limit in (("seconds", 1), ("ios", 2 * row.depth)):
        if profiler:
            profiler.begin()
        whole = counted(side, counter, row, limit)
        if profiler:
            profiler.end(side, row.name, side.cpu)
        if whole.ios >= 2 * row.depth:
            break
    ios, seconds = whole.ios - start.ios, whole.seconds - start.seconds
    if ios <= 0 or seconds <= 0:
        raise BenchError(f"{row.name}: {whole.ios:.0f} requests are not enough to tell")
    return {"iops": ios / seconds, "mb": ios * row.bytes / seconds / 1e6,
            "guest": (whole.guest - start.guest) / ios, "xen": (whole.xen - start.xen) / ios}


def measure_row(sides, counter, row, profiler):
    return {side.kind: measure_side(side, counter, row, profiler) for side in sides}


def measure_mode(bench, counter, profiler, arguments, mode, rows):
    """{row's name: {kind: figures}} of the mode, and what failed, as texts."""
    path = DISKS[arguments.disk][1]
    sides = [LinuxSide(bench, mode, path)]
    if arguments.kernel != "none":
        sides.append(OwnSide(bench, mode, path, arguments.kernel))
    deadline = time.monotonic() + MODE_SECONDS
    results, failed = {}, []
    for row in rows:
        if time.monotonic() > deadline:
            failed.append(f"{mode} {row.name}: no time left")
            continue
        try:
            results[row.name] = measure_row(sides, counter, row, profiler)
            print(report_blk.line(mode, row, results[row.name]), flush=True)
        except BenchError as error:
            failed.append(f"{mode} {row.name}: {error}")
            print(f"NOT MEASURED: {failed[-1][:300]}", flush=True)
    bench.destroy_all()
    return results, failed


def measure_all(arguments, rows, control, results):
    failed = []
    with Bench(plugins=[f"{os.path.abspath(arguments.plugin)},socket={control}"]) as bench:
        counter = Counter(control)
        profiler = Profiler(counter, arguments.folder) if arguments.profile else None
        script, path = DISKS[arguments.disk]
        # Filled, so that no request finds memory that is not there yet.
        bench.run(f"{script}\ndd if=/dev/zero of={path} bs=1M count={DISK_MIB} conv=notrunc; sync")
        for mode in [arguments.mode] if arguments.mode else MODES:
            results[mode], texts = measure_mode(bench, counter, profiler, arguments, mode, rows)
            failed += texts
    return failed


def main():
    parser = argparse.ArgumentParser()
    for name in ("kernel", "plugin", "folder"):
        parser.add_argument(name)
    parser.add_argument("--only", default="")
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--disk", choices=list(DISKS), default="brd")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if re.search(arguments.only, row.name)]
    if not rows:
        parser.error("no such row; there are " + " ".join(row.name for row in ROWS))
    os.makedirs(arguments.folder, exist_ok=True)
    control = os.path.join("/tmp", f"ringwall-count-{os.getpid()}.sock")
    results = {}
    try:
        failed = measure_all(arguments, rows, control, results)
    except BenchError as error:
        failed = [f"the bench itself: {error}"]
    if os.path.exists(control):
        os.unlink(control)
    with open(os.path.join(arguments.folder, "blk.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    text = report_blk.tables(rows, results, arguments.disk)
    with open(os.path.join(arguments.folder, "blk.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text)
    for item in failed:
        print(f"NOT MEASURED: {item}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
