# SPDX-License-Identifier: ISC
"""Ordinary programs that talk through the firewall."""
import hashlib
import json
import socket
import threading
import time

from harness import case, expect, expect_true
from worlds import GATEWAY, OURS, SERVER

EVERYWHERE = ("offload", "plain", "plain-uplink")


def everywhere(**options):
    """A test for every world of offloads."""

    def register(function):
        for world in EVERYWHERE:
            case(world, **options)(function)
        return function

    return register


@everywhere(versions=(4, 6))
def ping(world, version):
    """Through the firewall, and the firewall itself."""
    for host in (SERVER[version], GATEWAY[version], OURS[version]):
        seen = world.clients[0].run("ping", f"-{version}", "-n", "-c", 5, "-i", 0.05, "-W", 2, host)
        expect_true(" 5 received" in seen.stdout, f"5 answers from {host}", seen.stdout)


def listens(space, port):
    """Waits until somebody does."""
    for _ in range(200):
        if space.run("ss", "-ltnH", f"sport = :{port}").stdout.strip():
            return
        time.sleep(0.02)
    raise RuntimeError(f"nobody listens on port {port}")


def _transfer(take, give, count, random):
    """Hashes of what goes in and comes out, both ways at once, over two connected sockets."""
    ends = (take, give)
    data = [random.randbytes(count) for _ in ends]
    seen = [hashlib.sha256() for _ in ends]

    def send(i):
        ends[i].sendall(data[i])
        ends[i].shutdown(socket.SHUT_WR)

    def receive(i):
        while piece := ends[i].recv(1 << 16):
            seen[i].update(piece)

    threads = [threading.Thread(target=f, args=(i,)) for f in (send, receive) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [hashlib.sha256(d).hexdigest() for d in data], [s.hexdigest() for s in seen[::-1]]


@everywhere(versions=(4, 6))
def bytes_both_ways(world, version):
    """What is sent arrives, every byte, with traffic in both directions at once."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    listener = world.server.socket(family, socket.SOCK_STREAM)
    client = world.clients[0].socket(family, socket.SOCK_STREAM)
    with listener, client:
        listener.bind((SERVER[version], 7777))
        listener.listen()
        client.settimeout(20)
        client.connect((SERVER[version], 7777))
        server, _ = listener.accept()
        with server:
            server.settimeout(20)
            sent, received = _transfer(client, server, 20_000_003, world.random)
    expect(received, sent, "hashes of what arrived, up and down")


def _iperf(world, version, *arguments):
    """Bytes sent and received, by iperf3's own count."""
    server = world.server.start("iperf3", "-s", "-1")
    listens(world.server, 5201)
    seen = world.clients[0].run("iperf3", f"-{version}", "-J", "-c", SERVER[version], *arguments,
                                seconds=40)
    world.server.stop(server)
    result = json.loads(seen.stdout)
    expect(result.get("error"), None, "iperf3")
    return result["end"]


@everywhere(versions=(4, 6))
def iperf3_up(world, version):
    end = _iperf(world, version, "-n", "60M")
    # What is still under way when the client has sent enough is not counted by the server.
    expect_true(end["sum_received"]["bytes"] > 50 << 20, "60 MiB received", end["sum_received"])


@everywhere(versions=(4, 6))
def iperf3_down(world, version):
    end = _iperf(world, version, "-n", "60M", "-R")
    expect_true(end["sum_received"]["bytes"] >= 60 << 20, "60 MiB received", end["sum_received"])


@case("fast")
def speed(world, version):
    """Says how fast it was; fails only below what any machine does."""
    for name, arguments in (("up", ["-t", "2"]), ("down", ["-t", "2", "-R"])):
        rate = _iperf(world, version, *arguments)["sum_received"]["bits_per_second"] / 1e6
        print(f"         iperf3 {name}: {rate:.0f} Mbit/s, with offloads", flush=True)
        expect_true(rate > 50, "more than 50 Mbit/s", rate)
