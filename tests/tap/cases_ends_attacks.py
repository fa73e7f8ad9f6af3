# SPDX-License-Identifier: ISC
"""What scanners and floods get out of an end point of ours."""
import contextlib
import re

from harness import case, expect, expect_true
from stations import OURS, together, until


@contextlib.contextmanager
def _hping(world, *arguments):
    flood = world.peer.start("hping3", "-q", *arguments, OURS[4])
    try:
        yield
    finally:
        world.peer.stop(flood)


@case("ends")
def syn_flood(world, _version):
    """hping3 opens from everywhere and never goes on; who means it gets through by cookies."""
    with world.station() as station:
        world.echo(1000)
        with _hping(world, "-i", "u100", "--rand-source", "-S", "-p", 7):
            until(lambda: station.stats()["tcp cookies_sent"] > 500, "half open ones fill up")
            for _ in range(4):
                world.echo(3000)
        stats = station.stats()
        world.echo(1000)
    print(f"         {stats['tcp cookies_sent']} cookies sent", flush=True)
    expect_true(stats["tcp cookies_taken"] > 0, "and who brings one back gets in", stats)
    expect_true(stats["use connections"] <= 2048, "what half open ones cost is bounded", stats)


@case("ends")
def ack_and_udp_floods(world, _version):
    """Packets to nothing are not answered one by one."""
    with world.station() as station:
        with _hping(world, "-i", "u100", "-A", "-p", 7), \
                _hping(world, "-i", "u100", "-2", "-p", 9999):
            until(lambda: station.stats()["interface rx"] > 2000, "a flood comes")
            world.echo(3000)
    last = station.last
    expect_true(last["interface tx"] < last["interface rx"] / 2, "answers are rationed", last)


def _nmap(world, *arguments):
    return world.peer.run("nmap", "-n", "-Pn", "-T5", "--send-ip", *arguments, OURS[4],
                          seconds=50).stdout


@case("ends")
def nmap(world, _version):
    """Finds what is open and what that is, guesses who we are, and cannot hurt us by asking."""
    seen = {}

    def ask(name, *arguments):
        seen[name] = _nmap(world, *arguments)

    with world.station(words=["echo=7", "discard=9", "udp=7"]):
        together(lambda: ask("ports", "-sS", "-p", "1-100"),
                 lambda: ask("service", "-sV", "--version-intensity", 1, "-p", 7),
                 lambda: ask("system", "-O", "--max-os-tries", 1, "-p", "4,7"))
        world.echo(1000)
    expect(re.findall(r"(\d+)/tcp +open", seen["ports"]), ["7", "9"], "open ports")
    expect_true(re.search(r"7/tcp +open +echo", seen["service"]), "what it is", seen["service"])
    expect_true("Network Distance: 1 hop" in seen["system"], "it has looked", seen["system"])
