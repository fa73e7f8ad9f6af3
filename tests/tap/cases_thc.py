# SPDX-License-Identifier: ISC
"""The attacks of thc-ipv6: headers and fragments that are to slip through, and neighbour
discovery. What must not pass does not, and the other clients notice nothing."""
import socket
import time

from harness import case, expect, expect_true
from worlds import CLIENT, CLIENT_GATEWAY, RULES_OUT_ONLY, SERVER, client_name

HIDDEN = 444  # a port that the rules keep from everybody
CRAFTED_SECONDS = 25
ATTACK_SECONDS = 0.7


def _answers(world, i):
    """Answers of five pings of client i to the server."""
    seen = world.clients[i].run("ping", "-6", "-n", "-c", 5, "-i", 0.05, "-W", 1, SERVER[6]).stdout
    return next((line for line in seen.split("\n") if "received" in line), seen)


def _spoken_from(sniffer, port):
    """Has the server's TCP answered from this port?"""
    spoken = 0
    while True:
        try:
            frame = sniffer.recv(4000)
        except BlockingIOError:
            return spoken
        if frame[12:14] == b"\x86\xdd" and frame[20] == 6 and \
                frame[22:38] == socket.inet_pton(socket.AF_INET6, SERVER[6]):
            spoken += int.from_bytes(frame[54:56], "big") == port


@case("unguarded", versions=(6,), seconds=CRAFTED_SECONDS + 30)
def crafted_headers(world, _version):
    """Extension headers and fragments of every kind: nothing reaches the hidden port."""
    world.firewall.set_rules(RULES_OUT_ONLY +
                             f"block drop in on clients proto tcp to any port {HIDDEN}\n")
    sniffer = world.server.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sniffer.bind(("srv0", 3))
    sniffer.setblocking(False)
    tools = [("fragmentation6", []), ("firewall6", [HIDDEN]), ("implementation6", [])]
    with sniffer:
        running = [world.clients[i].start("atk6-" + name, client_name(i), SERVER[6], *more)
                   for i, (name, more) in enumerate(tools)]
        end = time.monotonic() + CRAFTED_SECONDS
        spoken = 0
        while time.monotonic() < end and any(p.poll() is None for p in running):
            spoken += _spoken_from(sniffer, HIDDEN)
            time.sleep(0.05)
        for i, process in enumerate(running):
            world.clients[i].stop(process)
    expect(spoken, 0, f"packets of the server from port {HIDDEN}")
    expect_true(world.is_alive(), "the firewall is alive")
    for i in range(3):
        expect_true(" 5 received" in _answers(world, i), f"pings of client {i} afterwards",
                    _answers(world, i))


ATTACKS = [
    f"fake_advertise6 {{}} {CLIENT[6](1)}", f"fake_advertise6 {{}} {CLIENT_GATEWAY[6]}",
    "flood_advertise6 {}", "flood_solicitate6 {}", "flood_router26 {}", "flood_mld6 {}",
    "flood_rs6 {}", "flood_dhcpc6 {}", "parasite6 {}", "dos-new-ip6 {}", "fake_router26 {}",
    f"fake_mld6 {{}} add ff02::1", f"redir6 {{}} {CLIENT[6](1)} {SERVER[6]} {CLIENT_GATEWAY[6]} "
    f"{CLIENT[6](2)}", f"toobig6 {{}} {SERVER[6]} {CLIENT[6](1)} 1280",
    f"ndpexhaust26 {{}} {SERVER[6].rsplit('80', 1)[0]}", f"smurf6 {{}} {SERVER[6]}",
    f"kill_router6 {{}} *",
]


@case("unguarded", versions=(6,), seconds=90)
def neighbour_attacks(world, _version):
    """Lies and floods of one client, whose addresses nobody has fixed: the others go on."""
    for attack in ATTACKS:
        process = world.clients[0].start(*("atk6-" + attack.format(client_name(0))).split())
        time.sleep(ATTACK_SECONDS / 2)
        # The attacker takes a processor; where there are two, a series of pings may get none.
        for _ in range(5):
            seen = _answers(world, 1)
            if " 5 received" in seen:
                break
        time.sleep(ATTACK_SECONDS / 2)
        world.clients[0].stop(process)
        expect_true(" 5 received" in seen, f"pings of another client during {attack}", seen)
    expect_true(" 5 received" in _answers(world, 2), "pings afterwards", _answers(world, 2))
