#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Runs in dom0: executes what the host asks for over a virtio-serial port.

One JSON object a line. From the host: {"id": N, ...} with one of
    "script": TEXT, "timeout": S                 a shell script in dom0
    "guest": NAME, "script": TEXT, "timeout": S  a shell script in a Linux guest
    "console": NAME                              what the domain has printed
    "type": NAME, "line": TEXT                   a line typed at its console
    "domid": NAME                                its number, 1 if there is none
To the host: {"id": N, "out": TEXT} as output comes, then {"id": N, "status": N};
a script that takes longer is killed with its children and has status 124.
Several may run at once. All but the first need no process in dom0, for under emulation
starting one takes a tenth of a second.
"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

PORT = "/dev/vport0p1"
LOGS = "/var/log/xen/console"
XENSTORE = "/run/xenstored/socket"
XS_DIRECTORY, XS_READ, XS_WRITE, XS_ERROR = 1, 2, 11, 16
HEADER = struct.Struct("=IIII")  # xs_wire.h: type, request, transaction, length


def find_port():
    base = "/sys/class/virtio-ports"
    for _ in range(100):
        for name in os.listdir(base) if os.path.isdir(base) else []:
            try:
                with open(f"{base}/{name}/name", encoding="ascii") as f:
                    if f.read().strip() == "ringwall":
                        return f"/dev/{name}"
            except OSError:
                pass
        time.sleep(0.1)
    return PORT


class Store:
    """Xenstore, one request at a time."""

    def __init__(self):
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(XENSTORE)

    def receive(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise OSError("xenstored is gone")
            data += part
        return data

    def ask(self, kind, *strings):
        """The answer's bytes; KeyError for any error."""
        payload = b"".join(strings)
        with self.lock:
            self.socket.sendall(HEADER.pack(kind, 0, 0, len(payload)) + payload)
            answer, _, _, length = HEADER.unpack(self.receive(HEADER.size))
            data = self.receive(length)
        if answer == XS_ERROR:
            raise KeyError(data.rstrip(b"\0").decode())
        return data

    def read(self, path):
        return self.ask(XS_READ, path.encode() + b"\0").decode("utf-8", "replace")

    def write(self, path, value):
        self.ask(XS_WRITE, path.encode() + b"\0", value.encode())

    def domid(self, name):
        """The youngest domain of this name; KeyError if there is none."""
        listing = self.ask(XS_DIRECTORY, b"/local/domain\0").decode()
        for number in sorted(map(int, filter(None, listing.split("\0"))), reverse=True):
            try:
                if self.read(f"/local/domain/{number}/name") == name:
                    return number
            except KeyError:
                pass  # it has gone since
        raise KeyError(name)


def log_of(name):
    return f"{LOGS}/guest-{name}.log"


def console(name, start=0):
    try:
        with open(log_of(name), "rb") as f:
            f.seek(start)
            return f.read()
    except FileNotFoundError:
        return b""


class Agent:
    def __init__(self, fd):
        self.fd = fd
        self.lock = threading.Lock()
        self.store = Store()

    def send(self, message):
        data = (json.dumps(message) + "\n").encode()
        with self.lock:
            while data:
                data = data[os.write(self.fd, data):]

    def script(self, request, out):
        child = subprocess.Popen(["/bin/sh", "-c", request["script"]], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        expired = threading.Event()

        def kill():
            expired.set()
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        timer = threading.Timer(request.get("timeout", 60), kill)
        timer.start()
        while True:
            chunk = os.read(child.stdout.fileno(), 16384)
            if not chunk:
                break
            out(chunk)
        status = child.wait()
        timer.cancel()
        return 124 if expired.is_set() else status

    def guest(self, request, out):
        """The script goes through xenstore (the guest sleeps in a watch); the output comes
        back over the guest's console."""
        name, limit = request["guest"], request["timeout"]
        number = time.time_ns()
        start = len(console(name))
        domid = self.store.domid(name)
        self.store.write(f"/local/domain/{domid}/data/cmd", f"{number} {request['script']}")
        answer = re.compile(rb"^@@%d BEGIN\r?\n(.*?)^@@%d END (\d+)" % (number, number),
                            re.M | re.S)
        end = time.monotonic() + limit
        size = -1
        while time.monotonic() < end:
            text = console(name, start)
            if len(text) != size:
                size = len(text)
                match = answer.search(text)
                if match:
                    out(match.group(1).replace(b"\r", b""))
                    return int(match.group(2))
            time.sleep(0.05)
        out(b"no answer from %s within %d s\n" % (name.encode(), limit))
        return 124

    def console(self, request, out):
        out(console(request["console"]))
        return 0

    def type(self, request, out):
        domid = self.store.domid(request["type"])
        tty = os.open(self.store.read(f"/local/domain/{domid}/console/tty"),
                      os.O_WRONLY | os.O_NOCTTY)
        try:
            os.write(tty, request["line"].encode() + b"\n")
        finally:
            os.close(tty)
        return 0

    def domid(self, request, out):
        out(b"%d\n" % self.store.domid(request["domid"]))
        return 0

    def run(self, request):
        number = request["id"]

        def out(data):
            self.send({"id": number, "out": data.decode("utf-8", "replace")})

        work = next((getattr(self, kind) for kind in ("guest", "console", "type", "domid")
                     if kind in request), self.script)
        try:
            status = work(request, out)
        except KeyError as error:
            out(f"xenstore: {error}\n".encode())
            status = 1
        except OSError as error:
            out(f"{error}\n".encode())
            status = 1
        self.send({"id": number, "status": status})

    def serve(self):
        pending = b""
        while True:
            data = os.read(self.fd, 65536)
            if not data:
                time.sleep(0.05)  # the host side is not connected
                continue
            pending += data
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                if line:
                    threading.Thread(target=self.run, args=(json.loads(line),),
                                     daemon=True).start()


def main():
    agent = Agent(os.open(find_port(), os.O_RDWR))
    agent.send({"id": 0, "status": 0})
    agent.serve()


main()
