# SPDX-License-Identifier: ISC
"""What scanners and floods get out of an end point of ours."""
import re
import time

from harness import case, expect, expect_true
from stations import OURS
from worlds import GATEWAY


@case("ends")
def syn_flood(world, _version):
    """hping3 opens from everywhere and never goes on; who means it gets through by cookies."""
    with world.station() as station:
        world.echo(1000)
        flood = world.peer.start("hping3", "-q", "--flood", "--rand-source", "-S", "-p", 7, OURS[4])
        time.sleep(0.5)
        for _ in range(10):
            world.echo(3000)
        world.peer.stop(flood)
        stats = station.stats()
        world.echo(1000)
    print(f"         {stats['tcp cookies_sent']} cookies sent", flush=True)
    expect_true(stats["tcp cookies_sent"] > 1000, "half open ones are answered by cookies", stats)
    expect_true(stats["tcp cookies_taken"] > 0, "and who brings one back gets in", stats)
    expect_true(stats["use connections"] <= 2048, "what half open ones cost is bounded", stats)


@case("ends")
def udp_and_ack_flood(world, _version):
    """Packets to nothing are not answered one by one."""
    with world.station() as station:
        floods = [world.peer.start("hping3", "-q", "--flood", "-A", "-p", 7, OURS[4]),
                  world.peer.start("hping3", "-q", "--flood", "-2", "-p", 9999, OURS[4])]
        time.sleep(0.3)
        world.echo(3000)
        for flood in floods:
            world.peer.stop(flood)
    last = station.last
    expect_true(last["tcp resets_out"] < last["tcp segments_in"] / 10, "resets are rationed", last)


@case("ends", seconds=90)
def nmap(world, _version):
    """Finds what is open, what that is, and cannot hurt us by asking."""
    with world.station(words=["echo=7", "discard=9", "udp=7"]) as station:
        seen = world.peer.run("nmap", "-n", "-Pn", "--send-ip", "-T5", "-sS", "-p", "1-1000",
                              OURS[4], seconds=60).stdout
        expect(re.findall(r"(\d+)/tcp +open", seen), ["7", "9"], "open ports")
        seen = world.peer.run("nmap", "-n", "-Pn", "-T5", "-sV", "--version-intensity", 1,
                              "-p", "7", "-O", "--max-os-tries", 1, OURS[4], seconds=60).stdout
        expect_true("7/tcp open" in seen, "still open", seen)
        expect_true(re.search(r"echo", seen), "what it is", seen)
        world.echo(1000)
        stats = station.stats()
    expect(stats["ends failed"] < 20, True, "connections that nmap has broken")
    expect_true(GATEWAY[4] not in seen, "it is we that were asked", seen)
