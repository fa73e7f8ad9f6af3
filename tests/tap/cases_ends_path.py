# SPDX-License-Identifier: ISC
"""A path whose middle takes smaller packets than both of its ends: who says so, and who is
silent."""
import contextlib

from harness import case, expect, expect_true
from spaces import Space
from stations import STARVED
from worlds import BITS, FAR

MEGABYTE = 1_000_003
SMALL_MTU = 1280
BEFORE = {4: "198.51.100.1", 6: "2001:db8:100::1"}


@contextlib.contextmanager
def _far(world):
    """A host behind our neighbour's small link, who announces an MSS as if it were large."""
    far, peer = Space("far"), world.peer  # the link goes with either
    try:
        for setting in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            peer.set(setting, 1)
        peer.ip(f"link add name far0 mtu {SMALL_MTU} type veth peer name far0 netns {far.name}",
                "link set far0 up", *(f"addr add {BEFORE[v]}/{BITS[v]} dev far0"
                                      + (" nodad" if v == 6 else "") for v in (4, 6)))
        far.ip(f"link set far0 mtu {SMALL_MTU} up",
               *(f"addr add {FAR[v]}/{BITS[v]} dev far0" + (" nodad" if v == 6 else "")
                 for v in (4, 6)),
               f"route add default via {BEFORE[4]} advmss 1460",
               f"route add ::/0 via {BEFORE[6]} advmss 1440")
        yield far
    finally:
        far.remove()


@case("ends", versions=(4, 6))
def path_mtu(world, version):
    """The neighbour says that a packet was too big, once; no timeout is needed."""
    with _far(world) as far, world.station() as station:
        world.source(MEGABYTE, version, space=far)
        world.discard(MEGABYTE, version, space=far)
    expect_true(station.last["problems problems"] >= 1, "we were told", station.last)
    expect_true(station.last["tcp timeouts"] <= STARVED, "no timeout told us", station.last)


@case("ends", versions=(4, 6))
def black_hole(world, version):
    """Nobody says anything: we find out (RFC 4821, 7.6)."""
    with _far(world) as far, world.station() as station:
        world.peer.run("nft", "add table inet hole; add chain inet hole out "
                       "{ type filter hook output priority 0; }; add rule inet hole out "
                       "icmp type destination-unreachable drop; add rule inet hole out "
                       "icmpv6 type packet-too-big drop", check=True)
        try:
            world.source(MEGABYTE // 2, version, space=far)
        finally:
            world.peer.run("nft", "delete table inet hole")
    expect(station.last["problems problems"], 0, "what we were told")
    expect_true(1 <= station.last["tcp timeouts"] <= 6, "timeouts until we knew", station.last)
