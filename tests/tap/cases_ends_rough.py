# SPDX-License-Identifier: ISC
"""A Linux neighbour behind a rough link: what arrives is what was sent, whatever happens on
the way, whatever the neighbour is set to."""
import socket

from cases_ends import all_clients
from harness import case, expect, expect_true
from stations import PROBES, STARVED, together, until
from worlds import GATEWAY

MEGABYTE = 1_000_003

# name: options, and what the link has to have done each way at least
ROUGH = {
    "loss": ("loss=1%", "lost"),
    "heavy_loss": ("loss=10%", "lost"),
    "reorder": ("reorder=5%", "reordered"),
    "duplicate": ("duplicate=5%", "doubled"),
    "corrupt": ("corrupt=1%", "corrupted"),
    "delay": ("delay=30ms", "passed"),
    "all": ("loss=1%,reorder=3%,duplicate=2%,corrupt=1%", "corrupted"),
}


def _rough(name, options, counted, versions, count=MEGABYTE):
    def test(world, version):
        delay = "" if "delay" in options else ",delay=3ms"
        with world.station("--plain", "--rough", f"both:{options}{delay}") as station:
            world.both(count, version)
            if name in ("loss", "all"):
                world.echo(count // 2, version)
        for way in ("in", "out"):
            expect_true(station.last[f"rough {way} {counted}"] > 0, f"the link did that, {way}",
                        station.last)

    test.__name__ = f"rough_{name}"
    case("ends", versions=versions)(test)


for _name, (_options, _counted) in ROUGH.items():
    _rough(_name, _options, _counted, (4, 6) if _name in ("loss", "all") else (4,),
           200_003 if _name == "heavy_loss" else MEGABYTE)


@case("ends")
def rough_clients(world, _version):
    """Connections that we begin through loss in both directions."""
    with world.serve(7007):
        words = [f"connect={GATEWAY[4]}:7007,20,50000"]
        with world.station("--plain", "--rough", "both:loss=2%,delay=3ms",
                           words=words) as station:
            stats = until(lambda: all_clients(station), "all clients are through", seconds=25)
    expect((stats["clients done"], stats["clients failed"]), (20, 0), "clients")


@case("ends", versions=(4, 6))
def loss_of_large_packets(world, version):
    """With offloads 64 KiB are lost at once, in the neighbour's own filter."""
    drop = "numgen inc mod 23 == 11 counter drop"
    with world.station() as station:
        world.peer.run("nft", "add table inet lossy; "
                       "add chain inet lossy in { type filter hook input priority 0; }; "
                       "add chain inet lossy out { type filter hook output priority 0; }; "
                       f"add rule inet lossy in meta l4proto tcp {drop}; "
                       f"add rule inet lossy out meta l4proto tcp {drop}", check=True)
        try:
            world.both(3 * MEGABYTE, version)
        finally:
            world.peer.run("nft", "delete table inet lossy")
    expect_true(station.last["tcp retransmissions"] > 0, "something was lost", station.last)


# ---- small packets


@case("ends")
def mtu_68(world, _version):
    """The smallest that IPv4 has; the neighbour only asks, for more he would send in fragments."""
    with world.station("--plain", mtu=68):
        world.source(20_000)


@case("ends")
def mtu_88(world, _version):
    """The smallest with which Linux makes no fragments: it never sends less than 48 bytes."""
    with world.station("--plain", mtu=88):
        world.both(100_003)


@case("ends")
def mtu_576(world, _version):
    with world.station("--plain", mtu=576):
        world.both(MEGABYTE)


@case("ends", versions=(4, 6))
def mtu_1280(world, version):
    with world.station(mtu=1280):
        world.both(MEGABYTE, version)


@case("ends", versions=(4, 6))
def smaller_neighbour(world, version):
    """Only the neighbour's link is small: its MSS says so."""
    with world.station() as station:
        world.peer.ip("link set uplink0 mtu 1280")
        world.both(MEGABYTE, version)
    expect_true(station.last["tcp timeouts"] <= STARVED, "nothing was lost", station.last)


# ---- what Linux can be set to


def _algorithms(world):
    return world.peer.run("sysctl", "-n", "net.ipv4.tcp_available_congestion_control") \
        .stdout.split()


@case("ends", seconds=120)
def congestion_controls(world, _version):
    """Linux with each congestion control that its kernel has, through loss."""
    names = _algorithms(world)
    print(f"         {' '.join(names)}", flush=True)
    for name in names:
        with world.station("--plain", "--rough", "both:loss=0.5%,delay=3ms"):
            world.discard(2 * MEGABYTE, before=lambda client, name=name: client.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode()))


@case("ends", versions=(4, 6))
def ecn(world, version):
    """The link marks instead of losing: windows shrink, and nothing is sent again."""
    with world.settings(ecn=1):
        with world.station("--plain", "--rough", "both:mark=2%,delay=3ms") as station:
            world.both(MEGABYTE, version)
    for way in ("in", "out"):
        expect_true(station.last[f"rough {way} marked"] > 0, f"packets are marked, {way}",
                    station.last)
    expect_true(station.last["tcp retransmissions"] <= PROBES, "nothing is sent again",
                station.last)


def _without(name):
    def test(world, version):
        with world.settings(**{name: 0}):
            with world.station("--plain", "--rough", "both:loss=1%,delay=2ms"):
                world.both(MEGABYTE // 2, version)
            with world.station():
                world.both(MEGABYTE, version)

    test.__name__ = f"without_{name}"
    case("ends")(test)


for _name in ("sack", "timestamps", "window_scaling"):
    _without(_name)


@case("ends")
def with_nothing(world, _version):
    """No option but the MSS, as forty years ago."""
    with world.settings(sack=0, timestamps=0, window_scaling=0):
        with world.station("--plain", "--rough", "both:loss=1%,reorder=1%,delay=2ms"):
            together(lambda: world.discard(MEGABYTE // 2), lambda: world.source(MEGABYTE // 2),
                     lambda: world.echo(MEGABYTE // 4))
