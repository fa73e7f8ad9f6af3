# SPDX-License-Identifier: ISC
"""An end point of ours and a Linux neighbour, who is also its gateway; and streams with sums
that go between the two (tests/tap/ends.c says what each service does)."""
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import zlib

from harness import Failure, expect, expect_true
from spaces import PREFIX, Space
from worlds import BITS, GATEWAY, OURS

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
DEVICE = "uplink0"
SERVICES = ["echo=7", "discard=9", "source=19", "half=11", "udp=7"]
TIMEOUT = 25
# Where nothing is lost a machine that is short of CPU may still let a neighbour be silent for
# so long that we probe the tail (RFC 8985, 7: 2 ms), or even for 200 ms.
PROBES, STARVED = 3, 1


class Station:
    """One program on a TAP device in the namespace of its neighbour."""

    def __init__(self, program, folder, space, options, words):
        self.folder, self.space = folder, space
        self.stats_path, self.log_path = f"{folder}/stats", f"{folder}/station.log"
        self.command = [program, "--stats", self.stats_path, *options,
                        "--uplink", f"{DEVICE}@{space.name}={OURS[4]}/{BITS[4]},"
                                    f"{OURS[6]}/{BITS[6]}",
                        "--gateway", f"{GATEWAY[4]},{GATEWAY[6]}", "--", *words]
        self.process = None

    def start(self, mtu):
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        self._wait("ready")
        self.space.ip(f"link set {DEVICE} mtu {mtu} up",
                      f"addr add {GATEWAY[4]}/{BITS[4]} dev {DEVICE}")
        if mtu >= 1280:
            self.space.ip(f"addr add {GATEWAY[6]}/{BITS[6]} dev {DEVICE} nodad")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _wait(self, word):
        for _ in range(5000):
            if word in self.log():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise Failure(f"no {word!r} from the program: {self.log()[-3000:]}")

    def stats(self):
        """The counters: {(first word, ...): number} of lines that end in pairs."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.stats_path)
        self.process.send_signal(signal.SIGUSR1)
        for _ in range(5000):
            if os.path.exists(self.stats_path):
                return self.read_stats()
            time.sleep(0.001)
        raise Failure("the program writes no counters")

    def read_stats(self):
        """"tcp timeouts 3" is {"tcp timeouts": 3}; "use connections 5 most 7" gives two."""
        counts = {}
        with open(self.stats_path, encoding="utf-8") as file:
            for line in file:
                words = line.replace(",", "").split()
                if words and words[0] == "rough":
                    words[:2] = [" ".join(words[:2])]
                for i in range(1, len(words)):
                    if words[i].lstrip("-").isdigit():
                        counts.setdefault(f"{words[0]} {words[i - 1]}", int(words[i]))
                if words and words[0] == "get":
                    counts["get"] = words[1:]
        return counts

    def end(self):
        """Ends it; fails unless nothing was lost."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        expect_true(status == 0, "the program ends clean", self.log()[-4000:])
        return self.read_stats()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Ends:
    """The neighbour's namespace; tests start end points in it."""

    kind = "asan"

    def __init__(self, build, seed):
        self.random = random.Random(seed)
        self.program = f"{build}/{self.kind}/ends"
        self.folder = tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-")
        self.peer = None
        self.last = None

    # ---- for the runner

    def start(self):
        self.peer = Space("peer")

    def before(self):
        """Each test begins from nothing."""

    after = before

    def lacks(self, _need):
        return False

    def is_alive(self):
        return True

    def end(self):
        return None

    def destroy(self):
        self.peer.remove()
        shutil.rmtree(self.folder)

    def explain(self, file):
        if self.last:
            file.write("".join(f"      {t}\n" for t in self.last.log()[-3000:].split("\n")))
            with contextlib.suppress(FileNotFoundError):
                with open(self.last.stats_path, encoding="utf-8") as stats:
                    file.write("".join(f"      {t}" for t in stats))

    # ---- for tests

    @contextlib.contextmanager
    def station(self, *options, words=SERVICES, mtu=1500):
        """An end point; when the test is through with it, it has to end clean."""
        options = ["--seed", self.random.getrandbits(32), *options]
        if mtu != 1500:
            options += ["--mtu", mtu]
        station = Station(self.program, self.folder, self.peer, [str(o) for o in options], words)
        self.last = station
        try:
            station.start(mtu)
            yield station
            station.last = station.end()
        except BaseException:
            with contextlib.suppress(Failure, OSError):
                station.stats()
            raise
        finally:
            station.kill()

    @contextlib.contextmanager
    def settings(self, **values):
        """Sysctls of the neighbour, tcp_NAME=, as they were afterwards."""
        path = "/proc/sys/net/ipv4/tcp_{}"
        before = {}
        for name, value in values.items():
            before[name] = self.peer.run("cat", path.format(name)).stdout.strip()
            self.peer.set(f"net/ipv4/tcp_{name}", value)
        try:
            yield
        finally:
            for name, value in before.items():
                self.peer.set(f"net/ipv4/tcp_{name}", value)

    def connect(self, port, version=4, receive=None, before=None, space=None):
        """A Linux socket that is connected to a service of ours."""
        client = (space or self.peer).socket(FAMILY[version], socket.SOCK_STREAM)
        try:
            client.settimeout(TIMEOUT)
            if receive:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            if before:
                before(client)
            client.connect((OURS[version], port))
        except BaseException:
            client.close()
            raise
        return client

    def discard(self, count, version=4, port=9, **options):
        """Sends `count` bytes; what we say of them has to be right."""
        data = self.random.randbytes(count)
        with self.connect(port, version, **options) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            seen = read_all(client)
        expect(seen.decode().split(), [str(count), f"{zlib.crc32(data):08x}"],
               "bytes and sum that arrived")

    def source(self, count, version=4, pause=None, **options):
        """Asks for `count` bytes, which have to come with their sum."""
        with self.connect(19, version, **options) as client:
            client.sendall(f"{count}\n".encode())
            if pause:
                time.sleep(pause)
            expect_told(read_all(client), count)

    def both(self, count, version=4):
        """Both of them at once."""
        together(lambda: self.discard(count, version), lambda: self.source(count, version))

    def echo(self, count, version=4, port=7):
        data = self.random.randbytes(count)
        with self.connect(port, version) as client:
            sender = threading.Thread(target=lambda: (client.sendall(data),
                                                      client.shutdown(socket.SHUT_WR)))
            sender.start()
            seen = read_all(client)
            sender.join()
        expect_true(seen == data, "what comes back is what was sent", (len(seen), len(data)))

    @contextlib.contextmanager
    def serve(self, port, version=4):
        """A server of the neighbour's that gives everything back."""
        listener = self.peer.socket(FAMILY[version], socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0" if version == 4 else "::", port))
        listener.listen(1024)
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        try:
            yield
        finally:
            # A thread that waits in accept() would keep it.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def read_all(client):
    pieces = []
    while piece := client.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def expect_told(seen, count):
    """A stream of `count` bytes with its sum behind it."""
    expect(len(seen), count + 4, "bytes that arrived")
    expect(int.from_bytes(seen[-4:], "little"), zlib.crc32(seen[:-4]), "their sum")


def together(*functions):
    """Runs functions in threads; the first failure is ours."""
    errors = []

    def run(function):
        try:
            function()
        except BaseException as error:  # whatever it is, the test has to hear of it
            errors.append(error)

    threads = [threading.Thread(target=run, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT + 5)
        expect_true(not thread.is_alive(), "a transfer ends")
    if errors:
        raise errors[0]


def _give_back(client):
    with client:
        client.settimeout(TIMEOUT)
        while piece := client.recv(1 << 16):
            client.sendall(piece)


def _accept(listener):
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_quietly, args=(client,), daemon=True).start()


def _quietly(client):
    with contextlib.suppress(OSError):
        _give_back(client)


def until(condition, what, seconds=15):
    """Waits until condition() gives something true, and returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise Failure(f"not within {seconds} s: {what}")
