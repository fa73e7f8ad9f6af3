# SPDX-License-Identifier: ISC
"""The network stack on real Xen, for integration.py: both IP versions, fragments, path
MTU, forwarded ports, isolation and the packet log, in one scene with two Linux clients.

dom0 plays the Internet in both versions. peer.py, which runs there, answers TCP and UDP
with hashes of what came, so that every byte is compared.
"""
import hashlib
import os
import random
import re
import struct
import subprocess

import bench as bench_module
from bench import OUTSIDE, UPLINK_GATEWAY, UPLINK_IP

UPLINK_IP6, UPLINK_GATEWAY6 = "fd00:a89::5", "fd00:a89::1"
CLIENT_GATEWAY6 = "fe80::fcff:ffff:feff:ffff"  # of fe:ff:ff:ff:ff:ff, as in QubesOS
OUTSIDE6, TRANSLATED6 = "fd00:f::1", "fd00:e::1"
FORBIDDEN, FORBIDDEN6 = "198.51.100.2", "fd00:b::1"
FAR, FAR6 = "198.51.100.10", "fd00:d::2"  # behind a hop with a small MTU
FAR_MTU = 1300
BINAT = "10.137.0.77"
DOWN_BYTES = 2 << 20
UP, DOWN, DATAGRAMS, NOBODY = 6001, 6002, 6003, 6008

PEER = f"""
import hashlib, random, socket, sys, threading, time
data = random.Random(7).randbytes({DOWN_BYTES})

def up(connection, who):
    digest = hashlib.sha256()
    while True:
        part = connection.recv(65536)
        if not part:
            break
        digest.update(part)
    connection.sendall(f"{{digest.hexdigest()}} from {{who[0]}}\\n".encode())
    connection.close()

def down(connection, who):
    connection.sendall(data)
    connection.close()

def listen(address, port, work):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family, backlog=64) as listener:
        while True:
            threading.Thread(target=work, args=listener.accept(), daemon=True).start()

def datagrams(address, port, _):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.bind((address, port))
        while True:
            received, who = s.recvfrom(65535)
            s.sendto(hashlib.sha256(received).hexdigest().encode() + received, who)

for address in sys.argv[1:]:
    for serve, port, work in ((listen, {UP}, up), (listen, {DOWN}, down),
                              (datagrams, {DATAGRAMS}, None)):
        threading.Thread(target=serve, args=(address, port, work), daemon=True).start()
time.sleep(600)
"""

# Everything is undone by INTERNET_DOWN, for the tests after.
INTERNET_UP = f"""
for dev in lo xenbr0 outside; do echo 0 >/proc/sys/net/ipv6/conf/$dev/disable_ipv6; done
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
ip address add {UPLINK_GATEWAY6}/64 dev xenbr0 nodad
for address in {OUTSIDE6} {TRANSLATED6} {FORBIDDEN6}; do
    ip address add $address/128 dev outside nodad
done
ip address add {FORBIDDEN}/32 dev outside
ip route add fd00:137:1::/64 via {UPLINK_IP6}
ip route add {BINAT}/32 via {UPLINK_IP}
modprobe veth
ip netns add far
ip link add far0 mtu {FAR_MTU} type veth peer name far1 mtu {FAR_MTU} netns far
echo 0 >/proc/sys/net/ipv6/conf/far0/disable_ipv6
ip address add 198.51.100.9/30 dev far0
ip link set far0 up
ip address add fd00:d::1/64 dev far0 nodad
ip netns exec far sh -c '
    echo 0 >/proc/sys/net/ipv6/conf/far1/disable_ipv6
    ip address add {FAR}/30 dev far1; ip link set far1 up; ip link set lo up
    ip address add {FAR6}/64 dev far1 nodad
    ip route add default via 198.51.100.9; ip route add default via fd00:d::1'
python3 /share/peer.py {OUTSIDE} {FORBIDDEN} {OUTSIDE6} {TRANSLATED6} {FORBIDDEN6} \\
    >/tmp/peer.log 2>&1 &
echo $! >/tmp/peer.pid
ip netns exec far python3 /share/peer.py {FAR} {FAR6} >>/tmp/peer.log 2>&1 &
echo $! >>/tmp/peer.pid
"""
INTERNET_DOWN = f"""
kill $(cat /tmp/peer.pid)
ip link del far0; ip netns del far
ip route del {BINAT}/32
ip address del {FORBIDDEN}/32 dev outside
echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
for dev in lo xenbr0 outside; do echo 1 >/proc/sys/net/ipv6/conf/$dev/disable_ipv6; done
true
"""
STACK_RULES = f"""
set block-policy return
block log all label "default"
pass in on clients inet proto icmp icmp-type echoreq
pass in on clients inet6 proto icmp6 icmp6-type echoreq
pass in on clients proto {{ tcp udp }} to any port {{ {UP}:{DATAGRAMS} {NOBODY} 33434:33534 }}
match out on uplink inet6 to {TRANSLATED6} nat-to (uplink)
pass out on uplink
block drop in on clients to {{ {FORBIDDEN} {FORBIDDEN6} }} label "forbidden"
pass log in on uplink proto tcp to {UPLINK_IP} port 8080 rdr-to 10.137.1.10 port 80 label "web"
pass in on uplink inet6 proto tcp to {UPLINK_IP6} port 8080 rdr-to fd00:137:1::10 port 80
pass out on clients proto tcp to {{ {UPLINK_IP} {UPLINK_IP6} }} port 8080
match on uplink from 10.137.1.11 to any binat-to {BINAT}
pass in on uplink inet proto icmp to {BINAT} icmp-type echoreq
pass out on clients inet proto icmp to {BINAT} icmp-type echoreq
"""


def address6(number):
    return f"fd00:137:1::{number}"


def captured(path):
    """(comment, packet) for every enhanced packet block of a pcapng file."""
    with open(path, "rb") as f:
        data = f.read()
    found, at = [], 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:
            kept = struct.unpack_from("<I", data, at + 20)[0]
            options = data[at + 28 + (kept + 3) // 4 * 4:at + length - 4]
            code, size = struct.unpack_from("<HH", options) if options else (0, 0)
            found.append((options[4:4 + size].decode() if code == 1 else "",
                          data[at + 28:at + 28 + kept]))
        at += length
    return found


class StackTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def dual_client(self, name, number):
        """Creates a Linux client with an address of either version, static as in QubesOS."""
        config = self.bench.client_config(name, number)
        config["vif"] = [vif.replace(",backend", f" {address6(number)},backend")
                         for vif in config["vif"]]
        self.bench.create(config)

    def dual_ready(self, name, number):
        self.bench.wait_ready(name)
        self.script(name, f"""
            echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6;
            /usr/sbin/ip -6 address add {address6(number)}/128 dev eth0 nodad;
            /usr/sbin/ip -6 route add {CLIENT_GATEWAY6} dev eth0;
            /usr/sbin/ip -6 route add default via {CLIENT_GATEWAY6} dev eth0;
            head -c 2000000 /dev/urandom >/tmp/d; head -c 8000 /tmp/d >/tmp/d8000""")

    def script(self, name, text, timeout=60, check=True):
        """Runs a script of several lines, which reach a guest as one."""
        return self.bench.guest(name, " ".join(text.split()), timeout, check).out

    def put_peer(self):
        self.bench.put_text("peer.py", PEER)

    def pings(self, *options, name="client", answered=True):
        """Two pings with each of these options, all in one script, as every one takes time."""
        words = f"/usr/bin/ping -c 2 -i 0.2 -W {5 if answered else 1}"
        out = self.bench.guest(name, "; ".join(f"{words} {option}" for option in options), 60,
                               False).out
        self.expect(out.count(f" {2 if answered else 0} received") == len(options),
                    f"{2 if answered else 0} answers to each ping of {options}", out)

    def transfers(self, host, source):
        """TCP up and down and one large datagram there and back, every byte compared."""
        out = self.script("client", f"""
            sha256sum </tmp/d;
            /usr/bin/nc -N -w 20 {host} {UP} </tmp/d;
            /usr/bin/nc -w 20 {host} {DOWN} </dev/null | sha256sum;
            sha256sum </tmp/d8000;
            /usr/bin/nc -u -w 1 {host} {DATAGRAMS} </tmp/d8000 >/tmp/back;
            head -c 64 /tmp/back; echo;
            tail -c +65 /tmp/back | sha256sum""", 90, False)
        hashes = re.findall(r"\b[0-9a-f]{64}\b", out)
        data = hashlib.sha256(random.Random(7).randbytes(DOWN_BYTES)).hexdigest()
        self.expect(len(hashes) == 6 and hashes[0] == hashes[1] and hashes[2] == data,
                    f"TCP with {host} to carry every byte", out)
        self.expect(hashes[3] == hashes[4] == hashes[5],
                    f"a datagram of 8000 bytes with {host} and back", out)
        self.expect(f"from {source}\n" in out, f"{host} to see {source}", out)

    def test_stack(self):
        """Both IP versions: TCP, UDP, errors, fragments, MTU, NAT66, isolation, rdr, the log."""
        b = self.bench
        self.put_peer()
        b.run(INTERNET_UP)
        try:
            self.start_firewall(
                cmdline=f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY} "
                f"ip6={UPLINK_IP6}/64,{UPLINK_GATEWAY6} log=info", rules=STACK_RULES)
            self.dual_client("client", 10)
            self.dual_client("other", 11)
            self.dual_ready("client", 10)
            self.dual_ready("other", 11)
            for check in (self.check_ways, self.check_errors, self.check_fragments,
                          self.check_far, self.check_isolation, self.check_inwards,
                          self.check_log):
                check()
        finally:
            b.run(INTERNET_DOWN, check=False)

    def check_ways(self):
        """Plain IPv6, translated IPv6 and IPv4 carry the same; large segments stay large."""
        self.pings(f"-6 {OUTSIDE6}", f"-6 {UPLINK_GATEWAY6}", f"-6 {UPLINK_IP6}",
                   f"-6 {CLIENT_GATEWAY6}%eth0", f"-6 {TRANSLATED6}", OUTSIDE)
        job = self.bench.begin("timeout 40 tcpdump -n -i xenbr0 -c 1 'ip6 and greater 3000' "
                               "2>/dev/null", 60)
        self.transfers(OUTSIDE6, address6(10))
        self.transfers(TRANSLATED6, UPLINK_IP6)
        self.transfers(OUTSIDE, UPLINK_IP)
        self.expect(OUTSIDE6 in self.bench.finish(job, check=False).out,
                    "IPv6 segments of more than 3000 bytes on the uplink", "none")

    def check_errors(self):
        """Ports that nobody listens at, that rules block, and hop limits that end."""
        out = self.script("client", f"""
            for host in {OUTSIDE6} {TRANSLATED6} {OUTSIDE}; do
                /usr/bin/nc -v -w 5 $host {NOBODY} </dev/null;
                /usr/bin/nc -v -w 5 $host 7778 </dev/null;
            done;
            /usr/sbin/traceroute -6 -n -q 1 -w 3 -m 4 {OUTSIDE6};
            /usr/sbin/traceroute -n -q 1 -w 3 -m 4 {OUTSIDE}""", 60, False)
        self.expect(out.count("Connection refused") == 6, "six connections refused at once", out)
        for hop, address in ((1, UPLINK_IP6), (2, OUTSIDE6), (1, UPLINK_IP), (2, OUTSIDE)):
            self.expect(re.search(rf"^ ?{hop}\s+{re.escape(address)} ", out, re.M),
                        f"hop {hop} is {address}", out)

    def check_fragments(self):
        self.pings(*(f"-s {size} {host}" for size in (4000, 60000)
                     for host in (f"-6 {OUTSIDE6}", f"-6 {TRANSLATED6}", OUTSIDE)))
        before = self.drops("blocked")
        self.pings(f"-s 4000 -6 {FORBIDDEN6}", f"-s 4000 {FORBIDDEN}", answered=False)
        text = self.stats()[1]
        self.expect(f"drop blocked: {before + 4}\n" in text and "drop fragment: 8\n" in text,
                    f"four parts blocked and eight after them, {before} before", text)

    def check_far(self):
        """A hop with a small MTU: its errors reach the client, and then what fits passes."""
        for host in (f"-6 {FAR6}", FAR):
            out = self.bench.guest("client", f"/usr/bin/ping -M do -c 3 -i 0.3 -W 3 -s 1400 {host}",
                                   30, False).out
            self.expect(re.search(rf"mtu ?= ?{FAR_MTU}", out), f"the MTU {FAR_MTU} to {host}", out)
        self.transfers(FAR6, address6(10))
        self.transfers(FAR, UPLINK_IP)

    def check_isolation(self):
        self.pings(f"-6 {address6(11)}", "10.137.1.11", answered=False)
        out = self.bench.guest("client", f"/usr/bin/nc -v -w 3 {address6(11)} {UP} </dev/null",
                               check=False).out
        self.expect("refused" in out, "a connection to another client refused", out)
        self.pings(f"-6 {OUTSIDE6}", name="other")

    def check_inwards(self):
        """Ports of the firewall's own addresses forwarded, and an address of one's own."""
        b = self.bench
        for version, host, source in ((4, UPLINK_IP, UPLINK_GATEWAY),
                                      (6, UPLINK_IP6, UPLINK_GATEWAY6)):
            job = b.guest_begin("client", f"/usr/bin/nc -{version} -nvN -w 10 -l 80 </tmp/d8000 "
                                "| sha256sum; sha256sum </tmp/d8000", 30)
            bench_module.wait_for("the client to answer", lambda h=host: b.run(
                f"head -c 8000 /share/peer.py | nc -N -w 5 {h} 8080 >/tmp/in && "
                "test -s /tmp/in", 20, False).ok, 15, 0.5)
            sent = b.run("head -c 8000 /share/peer.py | sha256sum; sha256sum </tmp/in").out
            seen = b.finish(job, check=False).out
            ours, theirs = (re.findall(r"\b[0-9a-f]{64}\b", text) for text in (sent, seen))
            self.expect(ours == theirs and len(ours) == 2, f"{host} port 8080 to be the client's",
                        sent + seen)
            self.expect(source in seen, f"the client to see {source}", seen)
        out = b.run(f"ping -c 3 -i 0.2 -W 5 {BINAT}", check=False).out
        self.expect(" 3 received" in out, f"answers from {BINAT}", out)
        job = b.begin(f"timeout 8 tcpdump -n -i xenbr0 -c 2 icmp and host {BINAT} 2>/dev/null", 30)
        bench_module.time.sleep(1)
        self.pings(OUTSIDE, name="other")
        self.expect(f"{BINAT} > {OUTSIDE}" in b.finish(job, check=False).out,
                    f"the other client to be {BINAT}", "it is not")

    def check_log(self):
        """What rules with `log` saw comes over the console as a capture file."""
        b = self.bench
        start = len(b.console("ringwall"))
        b.type("ringwall", "pcap")
        b.wait_console("ringwall", r"^pcap: END", 30, start)
        folder = os.path.join(b.log_dir, f"{self.mode}-pcap")
        os.makedirs(folder, exist_ok=True)
        text, capture = (os.path.join(folder, name) for name in ("console.log", "log.pcapng"))
        with open(text, "w", encoding="utf-8") as f:
            f.write(b.console("ringwall")[start:])
        decoder = os.path.join(os.path.dirname(self.kernel), "ringwall-check")
        result = subprocess.run([decoder, "decode", text, capture], capture_output=True,
                                text=True, check=False)
        self.expect(result.returncode == 0, "a capture", result.stdout + result.stderr)
        packets = captured(capture)
        comments = "\n".join(comment for comment, _ in packets)
        self.expect(re.search(r'block.*default|default.*block', comments) and
                    re.search(r'pass.*web|web.*pass', comments), "labels and verdicts", comments)
        ports = [struct.unpack_from("!H", packet, 14 + 22)[0] for comment, packet in packets
                 if "web" in comment and packet[12:14] == b"\x08\x00"]
        self.expect(8080 in ports, "the first packet to port 8080", comments)
        print(f"    {len(packets)} packets in the log", flush=True)
