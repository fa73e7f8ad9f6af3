# SPDX-License-Identifier: ISC
"""Tables of measure_blk.py's figures: {mode: {row's name: {kind: figures}}} with kind `linux`
or `ringwall`, and figures {"iops", "mb", "guest", "xen"}, the last two in instructions a
request. A figure that is missing is "-".
"""
from report import number

LEAST_SPEED = 1.0  # of Linux's
MOST_INSTRUCTIONS = 0.5
JUDGED_BYTES = 4096  # requests whose instructions are judged


def ratio(figures, value):
    """Ours divided by Linux's, or None."""
    if "linux" not in figures or "ringwall" not in figures:
        return None
    linux = value(figures["linux"])
    return value(figures["ringwall"]) / linux if linux > 0 else None


def speed_ratio(figures):
    return ratio(figures, lambda one: one["iops"])


def instructions_ratio(figures):
    return ratio(figures, lambda one: one["guest"] + one["xen"])


def is_slow(figures):
    found = speed_ratio(figures)
    return found is not None and found < LEAST_SPEED


def is_heavy(row, figures):
    found = instructions_ratio(figures)
    return row.bytes == JUDGED_BYTES and found is not None and found > MOST_INSTRUCTIONS


def cells(figures):
    """The row's figures as texts."""
    ours, linux = figures.get("ringwall", {}), figures.get("linux", {})
    return [number(ours.get("iops")), number(linux.get("iops")), number(ours.get("mb")),
            number(linux.get("mb")), number(speed_ratio(figures)),
            number(ours.get("guest")), number(ours.get("xen")),
            number(linux.get("guest")), number(linux.get("xen")),
            number(instructions_ratio(figures))]


def line(mode, row, figures):
    """What is printed while it is measured."""
    iops, linux_iops, _, _, speed, guest, xen, linux_guest, linux_xen, weight = cells(figures)
    return (f"{mode} {row.name}: {iops} IOPS, Linux {linux_iops}, ratio {speed}; instructions "
            f"{guest} + {xen}, Linux {linux_guest} + {linux_xen}, ratio {weight}")


def table(mode, rows, results):
    lines = [f"| {mode} | IOPS | Linux | MB/s | Linux | ratio | instructions: guest | Xen "
             "| Linux guest | Xen | ratio |", "|---|" + "---:|" * 10]
    for row in rows:
        if row.name in results:
            lines.append(f"| {row.name} | " + " | ".join(cells(results[row.name])) + " |")
    return "\n".join(lines) + "\n"


def summary(mode, rows, results):
    measured = [row for row in rows if row.name in results]
    slow = [row.name for row in measured if is_slow(results[row.name])]
    heavy = [row.name for row in measured if is_heavy(row, results[row.name])]
    return (f"{mode}: {len(measured)} rows; below {LEAST_SPEED} of Linux's IOPS and MB/s: "
            f"{' '.join(slow) or 'none'}; above {MOST_INSTRUCTIONS} of its instructions per "
            f"4 KiB request: {' '.join(heavy) or 'none'}\n")


def tables(rows, results, disk):
    text = f"Disk of dom0: {disk}. Instructions a request on the domain's own processor.\n\n"
    for mode, found in results.items():
        text += table(mode, rows, found) + "\n"
    return text + "".join(summary(mode, rows, found) for mode, found in results.items())
