#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Measures Ringwall beside the Linux router domain on one boot of the bench, in both
modes: speed, latency, boot, memory, image size, and instructions on the firewall's CPU
per packet, guest and hypervisor apart, from the plugin in count/.

    measure.py KERNEL PLUGIN OUTPUT_FOLDER

Prints a table with the ratios to Linux, and writes bench.json, table.md and bench.png.
Absolute speeds are those of software emulation; only the ratios mean something.
"""
import json
import os
import re
import socket
import subprocess
import sys
import time

from bench import Bench, FIREWALL_CPU, OUTSIDE, UPLINK_GATEWAY

SEGMENT = 1448
TCP_BYTES = 100 << 20
UDP_PACKETS_PER_SECOND = 3300
UDP_SECONDS = 4
RULES = "block drop all\npass in on clients all\npass out on uplink all\n"
MODES = ["pv", "pvh"]
# key, title, unit, better
ROWS = [
    ("tcp_up_mbit", "TCP up", "Mbit/s", "more"),
    ("tcp_down_mbit", "TCP down", "Mbit/s", "more"),
    ("tcp_up_guest", "TCP up, guest", "instructions/1448 B", "less"),
    ("tcp_up_xen", "TCP up, hypervisor", "instructions/1448 B", "less"),
    ("tcp_down_guest", "TCP down, guest", "instructions/1448 B", "less"),
    ("tcp_down_xen", "TCP down, hypervisor", "instructions/1448 B", "less"),
    ("udp60_guest", "UDP 60 B, guest", "instructions/packet", "less"),
    ("udp60_xen", "UDP 60 B, hypervisor", "instructions/packet", "less"),
    ("udp1400_guest", "UDP 1400 B, guest", "instructions/packet", "less"),
    ("udp1400_xen", "UDP 1400 B, hypervisor", "instructions/packet", "less"),
    ("udp_lost_percent", "UDP lost", "%", "less"),
    ("ping_ms", "ping round trip", "ms", "less"),
    ("boot_s", "boot, create to ready", "s", "less"),
    ("boot_minstr", "boot, firewall's CPU", "million instructions", "less"),
    ("memory_mib", "memory", "MiB", "less"),
    ("image_kib", "kernel and ramdisk", "KiB", "less"),
]


class Counter:
    """The plugin's socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw")

    def read(self):
        """(guest, hypervisor) instructions on the firewall's CPU since the start."""
        self.file.write("read\n")
        self.file.flush()
        guest = xen = 0
        while True:
            line = self.file.readline().strip()
            if line == "end":
                return guest, xen
            if not line:
                continue
            cpu, where, count = line.split()
            if int(cpu) != FIREWALL_CPU:
                continue
            if where == "xen":
                xen += int(count)
            else:
                guest += int(count)


def difference(before, after):
    return after[0] - before[0], after[1] - before[1]


def iperf_json(text):
    return json.loads(text[text.index("{"):text.rindex("}") + 1])


def measure_tcp(bench, counter, key, options, row):
    before = counter.read()
    text = bench.guest("client", f"iperf3 -J -c {OUTSIDE} -n {TCP_BYTES} {options}", 240).out
    guest, xen = difference(before, counter.read())
    sum_received = iperf_json(text)["end"]["sum_received"]
    segments = max(sum_received["bytes"], 1) / SEGMENT
    row[f"{key}_mbit"] = sum_received["bits_per_second"] / 1e6
    row[f"{key}_guest"] = guest / segments
    row[f"{key}_xen"] = xen / segments


def measure_udp(bench, counter, key, size, row):
    rate = UDP_PACKETS_PER_SECOND * size * 8
    before = counter.read()
    text = bench.guest("client", f"iperf3 -J -u -b {rate} -l {size} -t {UDP_SECONDS} "
                       f"-c {UPLINK_GATEWAY}", 120).out
    guest, xen = difference(before, counter.read())
    end = iperf_json(text)["end"]["sum"]
    row[f"{key}_guest"] = guest / end["packets"]
    row[f"{key}_xen"] = xen / end["packets"]
    row["udp_lost_percent"] = max(row.get("udp_lost_percent", 0.0), end["lost_percent"])


def measure_ping(bench, row):
    text = bench.guest("client", f"ping -c 20 -i 0.2 {OUTSIDE}", 60).out
    times = sorted(float(t) for t in re.findall(r"time=([0-9.]+) ms", text))
    row["ping_ms"] = times[len(times) // 2]


def boot_firewall(bench, counter, kind, mode, kernel, row):
    start_count = counter.read()
    start = time.monotonic()
    if kind == "ringwall":
        config = bench.ringwall_config(kernel, mode=mode, rules=RULES)
        bench.create(config)
        bench.wait_console("ringwall", "ready in", 60)
        row["image_kib"] = os.path.getsize(kernel) / 1024
    else:
        config = bench.router_config("router", mode)
        bench.create(config)
        bench.wait_ready("router", 180)
        share = bench.share
        row["image_kib"] = sum(os.path.getsize(os.path.join(share, name))
                               for name in ("vmlinuz", "guest.initramfs")) / 1024
    row["boot_s"] = time.monotonic() - start
    row["boot_minstr"] = sum(difference(start_count, counter.read())) / 1e6
    row["memory_mib"] = config["memory"]
    return config["name"]


def measure(bench, counter, kind, mode, kernel):
    row = {}
    bench.say(f"{kind}, {mode}")
    name = boot_firewall(bench, counter, kind, mode, kernel, row)
    bench.create(bench.client_config("client", 10, name))
    bench.wait_ready("client", 180)
    bench.guest("client", f"ping -c 3 {OUTSIDE}; ping -c 1 {UPLINK_GATEWAY}", 60)
    measure_ping(bench, row)
    measure_tcp(bench, counter, "tcp_up", "", row)
    measure_tcp(bench, counter, "tcp_down", "-R", row)
    measure_udp(bench, counter, "udp60", 60, row)
    measure_udp(bench, counter, "udp1400", 1400, row)
    bench.destroy("client")
    bench.destroy(name)
    return row


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def table(results):
    header = "| what | unit |"
    rule = "|---|---|"
    for mode in MODES:
        header += f" Linux {mode} | Ringwall {mode} | ratio |"
        rule += "--:|--:|--:|"
    lines = [header, rule]
    for key, title, unit, _ in ROWS:
        line = f"| {title} | {unit} |"
        for mode in MODES:
            linux, ours = results[mode]["linux"][key], results[mode]["ringwall"][key]
            ratio = f"{ours / linux:.2f}" if linux else "-"
            line += f" {number(linux)} | {number(ours)} | {ratio} |"
        lines.append(line)
    return "\n".join(lines)


PLOT = """set terminal pngcairo size 1000,640 font ",10"
set output "{png}"
set title "Ringwall against the Linux router domain (Linux = 1; instructions: lower is better)"
set style data histograms
set style fill solid 0.8 border -1
set xtics rotate by -35
set yrange [0:*]
set ylabel "ratio"
set grid ytics
set arrow from graph 0, first 1 to graph 1, first 1 nohead lw 2 lc rgb "#888888"
plot "{data}" using 2:xtic(1) title "PV", "" using 3 title "PVH"
"""


def plot(results, folder):
    data = os.path.join(folder, "bench.dat")
    png = os.path.join(folder, "bench.png")
    with open(data, "w", encoding="utf-8") as f:
        for key, title, _, _ in ROWS:
            ratios = []
            for mode in MODES:
                linux = results[mode]["linux"][key]
                ratios.append(results[mode]["ringwall"][key] / linux if linux else 0)
            f.write(f'"{title}" {ratios[0]:.4f} {ratios[1]:.4f}\n')
    subprocess.run(["gnuplot"], input=PLOT.format(png=png, data=data).encode(), check=True)
    return png


def main():
    kernel, plugin, folder = sys.argv[1:4]
    os.makedirs(folder, exist_ok=True)
    control = os.path.join("/tmp", f"ringwall-count-{os.getpid()}.sock")
    results = {mode: {} for mode in MODES}
    with Bench(plugins=[f"{os.path.abspath(plugin)},socket={control}"]) as bench:
        counter = Counter(control)
        bench.run("iperf3 -s -D; sleep 0.5")
        for mode in MODES:
            for kind in ("linux", "ringwall"):
                results[mode][kind] = measure(bench, counter, kind, mode, kernel)
                print(json.dumps({f"{kind} {mode}": results[mode][kind]}), flush=True)
    os.unlink(control)
    with open(os.path.join(folder, "bench.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    text = table(results)
    with open(os.path.join(folder, "table.md"), "w", encoding="utf-8") as f:
        f.write(text + "\n")
    print(text)
    print(f"written: {folder}/bench.json, table.md, {os.path.basename(plot(results, folder))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
