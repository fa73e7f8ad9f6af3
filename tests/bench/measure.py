#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Measures Ringwall beside the Linux router domain, the relay beside a Linux bridge, and an
end point beside a Linux domain, on one boot of the bench and in both modes: speed, latency, boot, memory, image size, and
instructions on the firewall's CPU per packet, guest and hypervisor apart, from the
plugin in count/.

    measure.py KERNEL CHURN_KERNEL RELAY_KERNEL RING_STRESS PLUGIN OUTPUT_FOLDER
               --iperf KERNEL [--only WORD] [--mode pv|pvh] [--profile]

--only measures the parts whose names contain WORD, a regular expression (cases.py names
them). --profile writes where each part's instructions went, by symbol. The ring by itself
is measured first, on the host. Prints tables with the ratios to Linux, and writes bench.json, table.md and
bench.png. Absolute speeds are those of software emulation; only the ratios mean
something. Nothing is begun that would not be over when the time is; what failed or was
left out is named at the end, and the exit status tells.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time

import report
from bench import Bench, BenchError, FIREWALL_CPU
from cases import (END_PARTS, EXTRA_PARTS, FIREWALL_PARTS, RELAY_PARTS, RULED_RELAY_PARTS, EndCase,
                   FirewallCase, RelayCase, RuledRelayCase, run_parts)
from symbols import Profiler

ALL_SECONDS = 920
PART_SECONDS = 60
RING_SECONDS = 25
RING_PRODUCERS = (1, 2, 4)


class Counter:
    """The plugin's socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw")

    def ask(self, question):
        """The lines of the answer."""
        self.file.write(question + "\n")
        self.file.flush()
        return iter(lambda: self.file.readline().strip(), "end")

    def reset(self):
        list(self.ask("reset"))

    def profile(self, cpu=FIREWALL_CPU):
        """(address, executions, instructions) of each block that the CPU has run."""
        for line in self.ask(f"profile {cpu}"):
            address, executions, instructions = line.split()
            yield int(address, 16), int(executions), int(instructions)

    def read(self, cpu=FIREWALL_CPU):
        """(guest, hypervisor) instructions on the CPU since the start."""
        guest = xen = 0
        for line in self.ask("read"):
            number, where, count = line.split()
            if int(number) != cpu:
                continue
            if where == "xen":
                xen += int(count)
            else:
                guest += int(count)
        return guest, xen


def wanted(part, only):
    return re.search(only, part[0]) if only else part[0] not in EXTRA_PARTS


def measure_all(bench, counter, profiler, arguments, results):
    """Fills results; what failed, as texts."""
    failed = []
    deadline = time.monotonic() + ALL_SECONDS - PART_SECONDS
    for name, case_class, parts in (("firewall", FirewallCase, FIREWALL_PARTS),
                                    ("relay", RelayCase, RELAY_PARTS),
                                    ("ruled relay", RuledRelayCase, RULED_RELAY_PARTS),
                                    ("end point", EndCase, END_PARTS)):
        parts = [part for part in parts if wanted(part, arguments.only)]
        for mode in [arguments.mode] if arguments.mode else report.MODES:
            for kind in ("linux", "ringwall") if parts else ():
                if time.monotonic() > deadline:
                    failed.append(f"{name} {kind} {mode}: no time left")
                    continue
                case = case_class(bench, counter, arguments, kind, mode)
                failed += run_parts(case, parts, deadline, profiler)
                results[name].setdefault(mode, {})[kind] = case.row
                print(json.dumps({f"{name} {kind} {mode}": case.row}), flush=True)
    return failed


def measure_xen(control, arguments, results):
    """Boots the bench and measures on it; what failed, as texts."""
    with Bench(plugins=[f"{os.path.abspath(arguments.plugin)},socket={control}"]) as bench:
        counter = Counter(control)
        profiler = Profiler(counter, arguments.folder) if arguments.profile else None
        return measure_all(bench, counter, profiler, arguments, results)


def measure_ring(program, results):
    """Slots a second through lib/ring_locked between threads; what failed, as texts."""
    try:
        text = subprocess.run([program, str(RING_SECONDS)], stdout=subprocess.PIPE, check=True,
                              timeout=RING_SECONDS + 120).stdout.decode()
    except (subprocess.SubprocessError, OSError) as error:
        return [f"ring: {error}"]
    for line in re.findall(r"(\d+) slots, +(\d+) producers: +(\d+) packets/s +(\d+) slots/s", text):
        slots, producers, _, rate = map(int, line)
        if producers in RING_PRODUCERS:
            results["ring"].setdefault(slots, {})[producers] = rate
    return [] if results["ring"] else ["ring: no figures in what it printed"]


def write(results, folder):
    with open(os.path.join(folder, "bench.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    text = report.tables(results)
    with open(os.path.join(folder, "table.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text)
    written = "bench.json, table.md"
    if results["firewall"]:
        written += ", " + os.path.basename(report.plot(results, folder))
    print(f"written: {folder}/{written}")


def main():
    parser = argparse.ArgumentParser()
    for name in ("kernel", "churn", "relay", "ring", "plugin", "folder"):
        parser.add_argument(name)
    parser.add_argument("--iperf", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--mode", choices=report.MODES)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    parts = FIREWALL_PARTS + RELAY_PARTS + RULED_RELAY_PARTS + END_PARTS
    names = [part[0] for part in parts] + ["ring"]
    if not any(re.search(arguments.only, name) for name in names):
        parser.error("no such part; there are " + " ".join(names))
    os.makedirs(arguments.folder, exist_ok=True)
    control = os.path.join("/tmp", f"ringwall-count-{os.getpid()}.sock")
    results = {name: {} for name in (*report.ROWS, "ring")}
    failed = measure_ring(arguments.ring, results) if re.search(arguments.only, "ring") else []
    try:
        if any(wanted(part, arguments.only) for part in parts):
            failed += measure_xen(control, arguments, results)
    except BenchError as error:
        failed.append(f"the bench itself: {error}")
    if os.path.exists(control):
        os.unlink(control)
    write(results, arguments.folder)
    for text in failed:
        print(f"NOT MEASURED: {text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
