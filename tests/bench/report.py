# SPDX-License-Identifier: ISC
"""Tables and the plot of measure.py's figures. A figure that is missing is "-".

Results are {"firewall": {mode: {kind: {key: value}}}, "relay", "ruled relay" and
"end point": the same}, with kind `linux` or `ringwall`, and "ring": {slots: {producers: slots a second}}.
"""
import os
import subprocess

MODES = ["pv", "pvh"]
# key, title, unit
TCP = [
    ("tcp_up_mbit", "TCP up", "Mbit/s"),
    ("tcp_down_mbit", "TCP down", "Mbit/s"),
    ("tcp_up_guest", "TCP up, guest", "instructions/1448 B"),
    ("tcp_up_xen", "TCP up, hypervisor", "instructions/1448 B"),
    ("tcp_down_guest", "TCP down, guest", "instructions/1448 B"),
    ("tcp_down_xen", "TCP down, hypervisor", "instructions/1448 B"),
]
UDP60 = [
    ("udp60_guest", "UDP 60 B, guest", "instructions/packet"),
    ("udp60_xen", "UDP 60 B, hypervisor", "instructions/packet"),
]
UDP_LOST = [("udp_lost_percent", "UDP lost", "%")]
DOMAIN = [
    ("boot_s", "boot, create to ready", "s"),
    ("boot_minstr", "boot, firewall's CPU", "million instructions"),
    ("memory_mib", "memory", "MiB"),
    ("image_kib", "kernel and ramdisk", "KiB"),
]
ROWS = {
    "firewall": TCP + [
        ("tcp_up_nogso_mbit", "TCP up without GSO", "Mbit/s"),
        ("tcp_down_nogso_mbit", "TCP down without GSO", "Mbit/s"),
        ("tcp_up_nogso_guest", "TCP up without GSO, guest", "instructions/1448 B"),
        ("tcp_up_nogso_xen", "TCP up without GSO, hypervisor", "instructions/1448 B"),
        ("tcp_down_nogso_guest", "TCP down without GSO, guest", "instructions/1448 B"),
        ("tcp_down_nogso_xen", "TCP down without GSO, hypervisor", "instructions/1448 B"),
    ] + UDP60 + [
        ("udp1400_guest", "UDP 1400 B, guest", "instructions/packet"),
        ("udp1400_xen", "UDP 1400 B, hypervisor", "instructions/packet"),
    ] + UDP_LOST + [
        ("flows_guest", "500 flows, guest", "instructions/packet"),
        ("flows_xen", "500 flows, hypervisor", "instructions/packet"),
        ("clients_guest", "16 clients, guest", "instructions/packet"),
        ("clients_xen", "16 clients, hypervisor", "instructions/packet"),
        ("ping_ms", "ping round trip", "ms"),
        ("flooded_ping", "ping beside a flood", "times the undisturbed"),
    ] + DOMAIN,
    "relay": TCP + UDP60 + UDP_LOST + DOMAIN,
    "ruled relay": TCP + UDP60 + UDP_LOST + DOMAIN,
    "end point": [(key, title.replace("up", "to it").replace("down", "from it"), unit)
                  for key, title, unit in TCP] + DOMAIN,
}


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def pair(results, mode, key):
    """(Linux, ours, ratio); what is missing is None."""
    linux = results.get(mode, {}).get("linux", {}).get(key)
    ours = results.get(mode, {}).get("ringwall", {}).get(key)
    return linux, ours, ours / linux if linux and ours is not None else None


def table(results, rows, linux_name, our_name):
    header = "| what | unit |"
    rule = "|---|---|"
    for mode in MODES:
        header += f" {linux_name} {mode} | {our_name} {mode} | ratio |"
        rule += "--:|--:|--:|"
    lines = [header, rule]
    for key, title, unit in rows:
        pairs = [pair(results, mode, key) for mode in MODES]
        if all(linux is None and ours is None for linux, ours, _ in pairs):
            continue
        line = f"| {title} | {unit} |"
        for linux, ours, ratio in pairs:
            shown = "-" if ratio is None else f"{ratio:.2f}"
            line += f" {number(linux)} | {number(ours)} | {shown} |"
        lines.append(line)
    return "\n".join(lines)


def ring_table(rates):
    counts = sorted(next(iter(rates.values())))
    lines = ["| slots of the ring |" + "".join(f" {n} producers |" for n in counts),
             "|--:|" + "--:|" * len(counts)]
    for slots, row in sorted(rates.items()):
        lines.append(f"| {slots} |" + "".join(f" {number(row.get(n))} |" for n in counts))
    return "\n".join(lines)


def tables(results):
    """The tables as Markdown; the relay's and the ring's under headings of their own."""
    text = ""
    if results["firewall"]:
        text += table(results["firewall"], ROWS["firewall"], "Linux", "Ringwall") + "\n"
    for name, linux in (("relay", "Linux bridge"), ("ruled relay", "Linux bridge"),
                        ("end point", "Linux")):
        if results[name]:
            text += f"\n### {name}\n\n" + table(results[name], ROWS[name], linux, name) + "\n"
    if results["ring"]:
        text += "\n### ring: slots a second between threads of this machine\n\n" + \
            ring_table(results["ring"]) + "\n"
    return text.lstrip("\n")


PLOT = """set terminal pngcairo size 1200,640 font ",10"
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
    """bench.png of the firewall's ratios; its path."""
    data = os.path.join(folder, "bench.dat")
    png = os.path.join(folder, "bench.png")
    with open(data, "w", encoding="utf-8") as f:
        for key, title, _ in ROWS["firewall"]:
            ratios = [pair(results["firewall"], mode, key)[2] for mode in MODES]
            f.write(f'"{title}"' + "".join(f" {ratio or 0:.4f}" for ratio in ratios) + "\n")
    subprocess.run(["gnuplot"], input=PLOT.format(png=png, data=data).encode(), check=True)
    return png
