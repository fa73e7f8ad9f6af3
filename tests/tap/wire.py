# SPDX-License-Identifier: ISC
"""The end of a link that a test plays itself, packet by packet, by scapy."""
import logging
import select
import socket
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
# pylint: disable=wrong-import-position
from scapy.all import (ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6ND_NA, ICMPv6ND_NS,  # noqa: E402
                       ICMPv6NDOptDstLLAddr, IPv6, Raw)

from harness import Failure  # noqa: E402

ETH_P_ALL = 3
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
WAIT = 1.0  # for what must come
QUIET = 0.15  # for what must not


def inet(version):
    """scapy's layer of an IP version."""
    return IP if version == 4 else IPv6


def checksum_error(frame):
    """What is wrong with a packet's checksums, or None. Recomputes them all."""
    again = Ether(bytes(frame))
    layer = again
    while layer and not isinstance(layer, Raw):
        if type(layer).__name__.startswith(("IPerror", "TCPerror", "UDPerror", "ICMPerror")):
            break
        for field in ("chksum", "cksum"):
            if field in layer.fields and not (isinstance(layer, UDP) and layer.chksum == 0):
                setattr(layer, field, None)
                delattr(layer, field)
        layer = layer.payload
    if bytes(again) == bytes(frame):
        return None
    return f"checksums: {Ether(bytes(again)).summary()}\n{frame.show2(dump=True)}"


class Wire:
    """One device of one namespace. `answers(address)`: is there such a host on the link?"""

    def __init__(self, space, device, mac, answers=lambda address: False):
        self.mac, self.answers = mac, answers
        self.socket = space.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.socket.bind((device, ETH_P_ALL))
        self.socket.setblocking(False)

    def send(self, *frames):
        for frame in frames:
            data = bytes(frame)
            while True:
                try:
                    self.socket.send(data)
                    break
                except (BlockingIOError, OSError):
                    select.select([], [self.socket], [], 0.01)

    def _neighbour(self, frame):
        """Plays the hosts on the link; True when the frame was for that."""
        if ARP in frame:
            if frame[ARP].op == 1 and self.answers(frame[ARP].pdst):
                asked = frame[ARP]
                self.send(Ether(src=self.mac, dst=frame.src) /
                          ARP(op=2, hwsrc=self.mac, psrc=asked.pdst, hwdst=asked.hwsrc,
                              pdst=asked.psrc))
            return True
        if ICMPv6ND_NS in frame:
            target = frame[ICMPv6ND_NS].tgt
            if self.answers(target):
                self.send(Ether(src=self.mac, dst=frame.src) /
                          IPv6(src=target, dst=frame[IPv6].src) /
                          ICMPv6ND_NA(tgt=target, R=0, S=1, O=1) /
                          ICMPv6NDOptDstLLAddr(lladdr=self.mac))
            return True
        # What routers and hosts say of themselves without being asked.
        return IPv6 in frame and frame[IPv6].nh == 58 and frame[IPv6].payload.type in range(133, 138)

    def frames(self, seconds):
        """What arrives within this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return
            frame = Ether(self.socket.recv(70000))
            if not self._neighbour(frame):
                yield frame

    def take(self, match=lambda frame: True, seconds=WAIT, damaged=False):
        """The next frame that matches, with good checksums; None: there was none."""
        for frame in self.frames(seconds):
            if match(frame):
                error = None if damaged else checksum_error(frame)
                if error:
                    raise Failure(error)
                return frame
        return None

    def drain(self):
        """Forgets what has come so far."""
        while True:
            try:
                self._neighbour(Ether(self.socket.recv(70000)))
            except BlockingIOError:
                return

    def raw(self, match, seconds=WAIT):
        """The same for any frame, also of neighbour discovery."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                break
            frame = Ether(self.socket.recv(70000))
            if match(frame):
                return frame
        return None


__all__ = ["ARP", "ICMP", "IP", "TCP", "UDP", "Ether", "IPv6", "Raw", "Wire", "QUIET", "WAIT",
           "inet"]
