# SPDX-License-Identifier: ISC
"""Network namespaces of our own, processes in them, and the certainty that they go."""
import ctypes
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
PREFIX = "rwtap"


def _setns(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {path}")
    finally:
        os.close(fd)


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def remove_stale():
    """Removes what a run that was killed has left: namespaces and folders."""
    for folder in glob.glob(f"{tempfile.gettempdir()}/{PREFIX}-*-*"):
        if not os.path.exists("/proc/" + os.path.basename(folder).split("-")[1]):
            shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True)
    for line in listed.stdout.split("\n"):
        name = line.split(" ")[0]
        parts = name.split("-")
        if len(parts) == 3 and parts[0] == PREFIX and not os.path.exists(f"/proc/{parts[1]}"):
            subprocess.run(["ip", "netns", "del", name], check=False)


class Space:
    """A namespace. Its name holds our process number, so that runs do not meet."""

    count = 0

    def __init__(self, label):
        Space.count += 1
        self.name = f"{PREFIX}-{os.getpid()}-{label}{Space.count}"
        self.path = f"/run/netns/{self.name}"
        self.processes = []
        _ip("netns", "add", self.name)
        self.set("net/ipv6/conf/all/accept_dad", 0)
        self.set("net/ipv6/conf/default/accept_dad", 0)
        self.set("net/ipv6/conf/default/accept_ra", 0)
        self.ip("link set lo up")

    def enter(self):
        """For a child process: into the namespace, and not to outlive us."""
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _setns(self.path)

    def ip(self, *lines):
        """Lines for `ip -batch`."""
        subprocess.run(["ip", "-netns", self.name, "-batch", "-"], input="\n".join(lines),
                       text=True, check=True)

    def set(self, path, value):
        """A sysctl, by its path under /proc/sys."""
        self._in(lambda: _write(f"/proc/sys/{path}", value))

    def _in(self, function):
        """Calls a function with this thread in the namespace."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self.path)
            return function()
        finally:
            _libc.setns(home, CLONE_NEWNET)
            os.close(home)

    def socket(self, *arguments):
        """A socket that lives in the namespace."""
        return self._in(lambda: socket.socket(*arguments))

    def run(self, *command, seconds=30, check=False, text=True, **options):
        """Runs a command to its end: its CompletedProcess, output and errors in stdout."""
        return subprocess.run([str(c) for c in command], preexec_fn=self.enter, text=text,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds, check=check, **options)

    def start(self, *command, log=subprocess.DEVNULL, **options):
        """Starts a command that goes on until the namespace goes."""
        process = subprocess.Popen([str(c) for c in command], preexec_fn=self.enter,
                                   start_new_session=True, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, **options)
        self.processes.append(process)
        return process

    def stop(self, process):
        """Ends a command that start() began."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def remove(self):
        """Ends all that runs here and removes the namespace."""
        for process in self.processes:
            self.stop(process)
        subprocess.run(["ip", "netns", "del", self.name], check=False)


def _write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))
