# SPDX-License-Identifier: ISC
"""What tshark and tcptrace say of captured traffic of ours: no bad checksum, nothing sent
again that had been acknowledged, nothing beyond a window."""
import re
import subprocess
import threading

from harness import case, expect, expect_true
from stations import DEVICE, together
from worlds import OURS

MEGABYTE = 1_000_003
PROBES = 2  # of the tail (RFC 8985, 7), at most


def _tshark(path, display_filter):
    seen = subprocess.run(
        ["tshark", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
         "-Y", display_filter, "-T", "fields", "-e", "frame.number", "-e", "tcp.seq", "-e",
         "tcp.len", "-e", "_ws.expert.message"],
        capture_output=True, text=True, check=True, timeout=50)
    return [line for line in seen.stdout.split("\n") if line]


def _from_us(version):
    return f"{'ip' if version == 4 else 'ipv6'}.src == {OURS[version]}"


def _judge(path, version):
    """One filter for all that is never right; `tcp.analysis.window_full` is allowed, beyond is not."""
    wrong = " || ".join(("tcp.checksum.status == 0", "ip.checksum.status == 0",
                         "tcp.analysis.spurious_retransmission", "tcp.analysis.ack_lost_segment",
                         "_ws.malformed"))
    expect(_tshark(path, f"{_from_us(version)} && ({wrong})"), [], "segments that are wrong")


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
        together(lambda: world.discard(MEGABYTE, version), lambda: world.source(MEGABYTE, version),
                 lambda: world.echo(MEGABYTE // 2, version))
    return path, station.last


@case("ends", versions=(4, 6))
def capture_smooth(world, version):
    """Without loss nothing is sent again, but for a probe when the neighbour had no CPU."""
    path, last = _captured(world, version)
    _judge(path, version)
    seen = _tshark(path, f"{_from_us(version)} && tcp.analysis.retransmission")
    expect_true(len(seen) <= PROBES, "segments sent again", seen)
    expect(last["tcp retransmissions"], len(seen), "as many as we count")
    expect(last["tcp timeouts"], 0, "timeouts")
    if version == 4:
        counts = _tcptrace(path)
        for name in ("rexmt data pkts", "outoforder pkts", "zwnd probe pkts"):
            expect_true(sum(b for _, b in counts[name]) <= PROBES, name, counts[name])


@case("ends", versions=(4, 6))
def capture_rough(world, version):
    """With loss, only what is lost is."""
    path, _ = _captured(world, version, "--rough", "both:loss=1%,delay=5ms")
    _judge(path, version)


@case("ends")
def capture_offloads(world, _version):
    """As the neighbour's own tcpdump sees us when it does checksums and segmentation."""
    path = f"{world.folder}/theirs.pcap"
    with world.station() as station:
        dump = subprocess.Popen(["tcpdump", "-i", DEVICE, "-U", "-s", "200", "-w", path, "tcp"],
                                preexec_fn=world.peer.enter, stderr=subprocess.PIPE, text=True)
        listening = threading.Timer(10, dump.kill)
        listening.start()
        while "listening" not in dump.stderr.readline():
            pass
        listening.cancel()
        world.both(2 * MEGABYTE)
        dump.terminate()
        dump.wait(10)
    wrong = "tcp.analysis.retransmission || tcp.analysis.out_of_order || tcp.analysis.lost_segment"
    expect(_tshark(path, f"{_from_us(4)} && ({wrong})"), [], "segments that are wrong")
    expect_true(station.last["tap out"] > 20, "large packets leave", station.last)
