# SPDX-License-Identifier: ISC
"""What tshark and tcptrace say of captured traffic of ours: no bad checksum, nothing sent
again that had been acknowledged, nothing beyond a window."""
import re
import subprocess
import threading
import time

from harness import case, expect, expect_true
from stations import DEVICE, PROBES, STARVED, together
from worlds import OURS

MEGABYTE = 1_000_003


# What tshark says of each segment. Flags of its analysis are empty or there.
FIELDS = ("frame.number", "ip.src", "ipv6.src", "tcp.stream", "tcp.seq", "tcp.len", "tcp.ack",
          "tcp.window_size", "tcp.flags.syn", "ip.checksum.status", "tcp.checksum.status",
          "tcp.analysis.retransmission", "tcp.analysis.spurious_retransmission",
          "tcp.analysis.out_of_order", "tcp.analysis.ack_lost_segment", "_ws.malformed")
BAD_CHECKSUM = "0"


def _segments(path):
    arguments = [word for field in FIELDS for word in ("-e", field)]
    seen = subprocess.run(
        ["tshark", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
         "-Y", "tcp", "-T", "fields", "-E", "occurrence=f", *arguments],
        capture_output=True, text=True, check=True, timeout=50)
    lines = [line.split("\t") for line in seen.stdout.split("\n") if line]
    expect_true(len(lines) > 100, "segments were captured", seen.stderr)
    return [dict(zip(FIELDS, line)) for line in lines]


def _is_ours(segment):
    return OURS[4] in segment["ip.src"] or OURS[6] in segment["ipv6.src"]


def _with(segments, *flags):
    """Those of ours of which tshark says one of these."""
    return [s for s in segments if _is_ours(s) and any(s[flag] for flag in flags)]


def _beyond_windows(segments):
    """Those of ours that end behind what the neighbour had allowed by then; one byte is a probe."""
    edges, wrong = {}, []
    for s in segments:
        stream, length = s["tcp.stream"], int(s["tcp.len"])
        if not _is_ours(s):
            edge = int(s["tcp.ack"] or 0) + int(s["tcp.window_size"])
            edges[stream] = max(edge, edges.get(stream, 0))
        elif length > 1 and int(s["tcp.seq"]) + length > edges.get(stream, 0):
            wrong.append(s)
    return wrong


def _judge(path):
    """What is never right, whatever the link does."""
    segments = _segments(path)
    expect(_with(segments, "tcp.analysis.spurious_retransmission",
                 "tcp.analysis.ack_lost_segment", "_ws.malformed"), [], "segments that are wrong")
    expect([s for s in segments if _is_ours(s)
            and BAD_CHECKSUM in (s["ip.checksum.status"], s["tcp.checksum.status"])], [],
           "checksums that are wrong")
    expect(_beyond_windows(segments), [], "segments beyond a window")
    return segments


def _tcptrace(path):
    """What it counts in both directions: {name: (a to b, b to a)} of all connections added."""
    seen = subprocess.run(["tcptrace", "-l", "-n", "-u", path], capture_output=True, text=True,
                          check=True, timeout=50).stdout
    counts = {}
    for name, a, b in re.findall(r"^ +([a-zA-Z][\w /&-]*): +(\d+) +[\w /&-]*: +(\d+)", seen, re.M):
        counts.setdefault(name, []).append((int(a), int(b)))
    expect_true("actual data bytes" in counts, "tcptrace understands it", seen)
    return counts


def _captured(world, version, *options):
    path = f"{world.folder}/ours.pcap"
    with world.station("--plain", "--capture", path, *options) as station:
        together(lambda: world.discard(MEGABYTE, version),
                 lambda: world.source(MEGABYTE, version, pause=0.2, receive=8192),
                 lambda: world.echo(MEGABYTE // 2, version))
    return path, station.last


@case("ends", versions=(4, 6))
def capture_smooth(world, version):
    """Without loss nothing is sent again, but for a probe when the neighbour had no CPU."""
    path, last = _captured(world, version)
    seen = _with(_judge(path), "tcp.analysis.retransmission")
    expect_true(len(seen) <= PROBES, "segments sent again", seen)
    expect(last["tcp retransmissions"], len(seen), "as many as we count")
    expect_true(last["tcp timeouts"] <= STARVED, "nothing was lost", last)
    if version == 4:
        counts = _tcptrace(path)
        for name in ("rexmt data pkts", "outoforder pkts", "zwnd probe pkts"):
            expect_true(sum(b for _, b in counts[name]) <= PROBES, name, counts[name])


@case("ends", versions=(4, 6))
def capture_rough(world, version):
    """With loss, only what is lost is."""
    path, _ = _captured(world, version, "--rough", "both:loss=1%,delay=5ms")
    _judge(path)


@case("ends")
def capture_offloads(world, _version):
    """As the neighbour's own tcpdump sees us when it does checksums and segmentation."""
    path = f"{world.folder}/theirs.pcap"
    with world.station() as station:
        dump = subprocess.Popen(["tcpdump", "-i", DEVICE, "--immediate-mode", "-s", "200", "-w",
                                 path, "tcp"],
                                preexec_fn=world.peer.enter, stderr=subprocess.PIPE, text=True)
        listening = threading.Timer(10, dump.kill)
        listening.start()
        while "listening" not in dump.stderr.readline():
            pass
        listening.cancel()
        world.both(2 * MEGABYTE)
        time.sleep(0.3)  # it writes what it has
        dump.terminate()
        dump.wait(10)
    seen = _with(_segments(path), "tcp.analysis.retransmission", "tcp.analysis.out_of_order")
    expect_true(len(seen) <= PROBES, "segments sent again", seen)
    expect_true(station.last["tap out"] > 20, "large packets leave", station.last)
