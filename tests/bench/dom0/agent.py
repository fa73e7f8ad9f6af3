#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Runs in dom0: executes scripts that the host sends over a virtio-serial port.

One JSON object a line. From the host: {"id": N, "script": TEXT, "timeout": S}.
To the host: {"id": N, "out": TEXT} as output comes, then {"id": N, "status": N};
a script that takes longer is killed with its children and has status 124.
Several may run at once.
"""
import json
import os
import signal
import subprocess
import threading
import time

PORT = "/dev/vport0p1"


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


class Agent:
    def __init__(self, fd):
        self.fd = fd
        self.lock = threading.Lock()

    def send(self, message):
        data = (json.dumps(message) + "\n").encode()
        with self.lock:
            while data:
                data = data[os.write(self.fd, data):]

    def run(self, request):
        number = request["id"]
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
            self.send({"id": number, "out": chunk.decode("utf-8", "replace")})
        status = child.wait()
        timer.cancel()
        self.send({"id": number, "status": 124 if expired.is_set() else status})

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
