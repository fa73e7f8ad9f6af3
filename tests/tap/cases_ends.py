# SPDX-License-Identifier: ISC
"""Ordinary traffic of a Linux neighbour with an end point of ours: services, clients, many
connections at once and many one after another, readers that do not read."""
import os
import selectors
import socket
import time

from harness import case, expect, expect_true
from stations import FAMILY, OURS, STARVED, TIMEOUT, until
from worlds import GATEWAY

MEGABYTE = 1_000_003  # a little more, and never a multiple of anything
AT_ONCE = 1000
SHORT_SECONDS = 2.5
TIME_WAITS = 4096  # as tests/tap/ends.c has it


def _half(world, version):
    """A peer that has ended its own direction still gets ours."""
    with world.connect(11, version) as client:
        expect(client.recv(100), b"bye\n", "what it says")
        expect(client.recv(100), b"", "then it has ended")
        client.sendall(bytes(50_000))


def _udp(world, version):
    with world.peer.socket(FAMILY[version], socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((OURS[version], 7))
        for count in (0, 1, 100, 1400, 1452):
            data = world.random.randbytes(count)
            client.send(data)
            expect(client.recv(4096), data, f"a datagram of {count} bytes comes back")


def _refused(world, version):
    try:
        world.connect(4, version).close()
        refused = False
    except ConnectionRefusedError:
        refused = True
    expect_true(refused, "a port that nobody listens on refuses")


@case("ends", versions=(4, 6))
def services(world, version):
    """Every service, with offloads and without."""
    for options in ((), ("--plain",)):
        with world.station(*options) as station:
            world.both(3 * MEGABYTE, version)
            world.echo(MEGABYTE, version)
            _half(world, version)
            _udp(world, version)
            _refused(world, version)
            stats = until(lambda: _idle(station), "all connections are over")
        expect(stats["ends failed"], 0, "services that failed")
        if not options:
            expect_true(station.last["tap out"] > 20, "large packets leave", station.last)


def _idle(station):
    stats = station.stats()
    return stats if stats["use connections"] == 0 and not stats["use buffer_bytes"] else None


@case("ends", versions=(4, 6))
def clients(world, version):
    """Connections that we begin: 50 at once to a server that gives everything back."""
    host = GATEWAY[4] if version == 4 else f"[{GATEWAY[6]}]"
    with world.serve(7007, version):
        words = [f"connect={host}:7007,50,30000"]
        with world.station(words=words) as station:
            stats = until(lambda: all_clients(station), "all clients are through")
    expect(stats["clients done"], 50, "clients that got back what they sent")


def all_clients(station):
    stats = station.stats()
    through = stats["clients done"] + stats["clients failed"]
    return stats if through and through == stats["clients all"] else None


@case("ends")
def client_refused(world, _version):
    """Nobody listens there."""
    with world.station(words=[f"connect={GATEWAY[4]}:4,1,1"]) as station:
        stats = until(lambda: all_clients(station), "the client is through")
    expect((stats["clients failed"], stats["clients error"]), (1, -111), "refused")


@case("ends", versions=(4, 6))
def nginx(world, version):
    """We ask a web server for a page that is larger than any window at first."""
    folder, data = world.folder, world.random.randbytes(700_000)
    os.chmod(folder, 0o755)
    with open(f"{folder}/page", "wb") as file:
        file.write(data)
    with open(f"{folder}/nginx.conf", "w", encoding="ascii") as file:
        file.write(f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
                   "events {}\n"
                   f"http {{ access_log off; server {{ listen 80; listen [::]:80;"
                   f" root {folder}; }} }}\n")
    server = world.peer.start("nginx", "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf")
    host = GATEWAY[4] if version == 4 else f"[{GATEWAY[6]}]"
    until(lambda: world.peer.run("ss", "-ltnH", "sport = :80").stdout.strip(), "nginx listens")
    with world.station(words=[f"get={host}:80,/page"]) as station:
        result, count, _sum, status, *_ = until(
            lambda: (seen := station.stats().get("get", "0"))[0] != "0" and seen, "the answer is there")
    world.peer.stop(server)
    expect((result, status), ("1", "HTTP/1.1"), "the answer")
    expect_true(len(data) < int(count) < len(data) + 1000, "bytes of head and page", count)


# ---- many

class Crowd:
    """Connections of the neighbour that all live at once."""

    def __init__(self, world, count, version):
        self.selector = selectors.DefaultSelector()
        self.data = world.random.randbytes(1000)
        self.seen, self.through = {}, 0
        self.connections = []
        for _ in range(count):
            client = world.peer.socket(FAMILY[version], socket.SOCK_STREAM)
            client.setblocking(False)
            client.connect_ex((OURS[version], 7))
            self.selector.register(client, selectors.EVENT_WRITE)
            self.connections.append(client)

    def _serve(self, client, event):
        if event & selectors.EVENT_WRITE:
            client.send(self.data)
            self.seen[client] = b""
            self.selector.modify(client, selectors.EVENT_READ)
            return
        self.seen[client] += client.recv(4096)
        if len(self.seen[client]) >= len(self.data):
            expect_true(self.seen[client] == self.data, "what comes back is what was sent")
            self.selector.unregister(client)
            self.through += 1

    def run(self):
        """All send, and get it back; none is closed."""
        end = time.monotonic() + TIMEOUT
        while self.through < len(self.connections) and time.monotonic() < end:
            for key, event in self.selector.select(1):
                self._serve(key.fileobj, event)
        return self.through

    def close(self):
        for client in self.connections:
            client.close()
        self.selector.close()


@case("ends", versions=(4, 6))
def at_once(world, version):
    """1,000 connections at once."""
    with world.station() as station:
        crowd = Crowd(world, AT_ONCE, version)
        try:
            expect(crowd.run(), AT_ONCE, "connections that were served")
            stats = station.stats()
            expect_true(stats["use connections"] >= AT_ONCE, "all live at once", stats)
        finally:
            crowd.close()
        until(lambda: _idle(station), "all connections are over")


@case("ends", seconds=3600)
def short_ones(world, _version):
    """As many connections as the time allows, one after another, and who waits after them is
    bounded. ENDS_SHORT=N: so many instead."""
    wanted = int(os.environ.get("ENDS_SHORT", "0"))
    end = time.monotonic() + SHORT_SECONDS
    count = 0
    with world.station() as station:
        began = time.monotonic()
        while count < wanted if wanted else time.monotonic() < end:
            _short(world)
            count += 1
        seconds = time.monotonic() - began
        stats = until(lambda: _idle(station), "all connections are over")
    print(f"         {count} connections in {seconds:.1f} s, {stats['use time_waits']} wait",
          flush=True)
    expect_true(count > 300, "more than 300 connections", count)
    expect_true(stats["ends accepted"] == count, "each was accepted", stats)
    expect_true(min(count, TIME_WAITS) * 0.9 <= stats["use time_waits"] <= TIME_WAITS,
                "we ended them first, and who waits is bounded", stats["use time_waits"])


def _short(world):
    """We send 10 bytes with their sum and end it."""
    with world.connect(19) as client:
        client.sendall(b"10\n")
        seen = client.recv(100)
        while piece := client.recv(100):
            seen += piece
        expect(len(seen), 14, "bytes of an answer")


# ---- readers

@case("ends", versions=(4, 6))
def late_reader(world, version):
    """Ours reads nothing for a while: the window closes, is probed, and opens again."""
    with world.station(words=["late=9,700"]) as station:
        world.discard(2 * MEGABYTE, version)
    expect_true(station.last["use buffer_bytes"] == 0, "all was read", station.last)


@case("ends")
def slow_reader(world, _version):
    """Ours reads steadily, and slower than the neighbour sends."""
    with world.station(words=["slow=9,1000000"]):
        began = time.monotonic()
        world.discard(2 * MEGABYTE)
        expect_true(time.monotonic() - began > 1, "it took its time")


@case("ends", versions=(4, 6))
def closed_window(world, version):
    """The neighbour reads nothing for a while: we wait, probe, and go on."""
    with world.station() as station:
        world.source(2 * MEGABYTE, version, pause=1.2, receive=8192)
    expect_true(station.last["tcp timeouts"] <= STARVED, "a closed window is no loss",
                station.last)
