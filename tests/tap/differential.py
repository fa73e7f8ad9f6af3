# SPDX-License-Identifier: ISC
"""The same rules and the same packets to the router and to Linux: what comes out must be
the same. Rule sets and packets are random, from small pools so that rules matter.

How a rule set becomes one of nft
---------------------------------
pf: the last rule that matches decides, `quick` ends the search. nft: the first that
matches decides. So the quick rules come first, in their order, then all others backwards,
then "block drop", which is what happens when none matches. A forwarded packet is judged
`in` where it enters and `out` where it leaves: two chains, of which the first returns what
it passes; the forward hook calls one after the other. Lists are sets; tables, whose
narrowest entry decides, are the set of those addresses of the pools that are in them.

	pass		return, and for TCP only with SYN of SYN and ACK set, which is pf's default
			for rules that keep state, unless the rule says which flags
	block drop	drop
	block return	reject with tcp reset, or with port unreachable

What Linux is told so that it agrees, and what is left out
----------------------------------------------------------
- nf_conntrack_tcp_loose=0: the middle of an unknown connection begins none.
- Flags that no TCP sends never reach our rules; a rule before the others drops them.
- Our rules know only echo requests as beginnings of ICMP; other queries, which conntrack
  would track, and errors about nothing are dropped after the rules.
- Packets of a flow, and errors about it, pass without rules in both. Linux asks its rules
  again until the first answer; the same packet gets the same verdict.
- What goes to the uplink has its source translated (IPv4). Both keep a port where they
  can; ports are not compared, answers are sent to the one that each has chosen.
- Not compared: `no state` (conntrack cannot forget one packet), TTLs (Linux counts before
  its rules, we after), what is addressed to the firewall itself.
"""
import os
import re
import select
import socket
import struct
import subprocess
import time

from harness import Failure
from spaces import Space

CLIENTS = 4
LINKS = ["uplink0"] + [f"client{i}.0" for i in range(1, CLIENTS + 1)]
OURS = {4: "10.137.0.5", 6: "2001:db8:137::5"}
GATEWAY = {4: "10.137.0.1", 6: "2001:db8:137::1"}
INSIDE = {4: [f"10.138.0.{10 + i}" for i in range(CLIENTS)],
          6: [f"2001:db8:138::{10 + i:x}" for i in range(CLIENTS)]}
OUTSIDE = {4: ["203.0.113.1", "203.0.113.2", "203.0.113.7", "198.51.100.9"],
           6: ["2001:db8:77::1", "2001:db8:77::2", "2001:db8:77::7", "2001:db8:99::9"]}
PORTS = [1, 22, 53, 80, 443, 1023, 1024, 8080, 65535]
TCP, UDP, ESP, ODD = 6, 17, 50, 99
ICMP = {4: 1, 6: 58}
ECHO = {4: (8, 0), 6: (128, 129)}
UNREACHABLE = {4: 3, 6: 1}
MARKER = 253  # protocol of the packet that says that all before it have come through
TAG = b"\xf0tag"
SYN, ACK, FIN, RST, PSH = 2, 16, 1, 4, 8

UPLINK_MAC = bytes.fromhex("00163e010101")
GATEWAY_MAC = bytes.fromhex("00163e0a0a0a")
CLIENT_SIDE_MAC = bytes.fromhex("feffffffffff")


def client_mac(i):
    return bytes.fromhex("00163e5e6c") + bytes([i])


# ---- packets, by hand: there are many

def _sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def raw(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def ip_packet(version, source, destination, protocol, payload):
    if version == 6:
        return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64, raw(source),
                           raw(destination)) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                         raw(source), raw(destination))
    return header[:10] + struct.pack("!H", _sum(header)) + header[12:] + payload


def _pseudo(version, source, destination, protocol, length):
    if version == 6:
        return raw(source) + raw(destination) + struct.pack("!II", length, protocol)
    return raw(source) + raw(destination) + struct.pack("!BBH", 0, protocol, length)


def transport(version, source, destination, protocol, head, at, body):
    """A transport packet with its checksum at `at` of the head."""
    whole = head + body
    covered = whole
    if version == 6 or protocol in (TCP, UDP):
        covered = _pseudo(version, source, destination, protocol, len(whole)) + whole
    check = _sum(covered) or 0xFFFF
    return ip_packet(version, source, destination, protocol,
                     whole[:at] + struct.pack("!H", check) + whole[at + 2:])


class Ends:
    """Who talks to whom, as one side sees it."""

    def __init__(self, version, protocol, source, sport, destination, dport):
        self.version, self.protocol = version, protocol
        self.source, self.sport = source, sport
        self.destination, self.dport = destination, dport

    def answer(self):
        return Ends(self.version, self.protocol, self.destination, self.dport, self.source,
                    self.sport)

    def __str__(self):
        names = {TCP: "tcp", UDP: "udp", 1: "icmp", 58: "icmp6"}
        return (f"{names.get(self.protocol, self.protocol)} {self.source} {self.sport} > "
                f"{self.destination} {self.dport}")


def packet(ends, tag, flags=SYN, seq=1, ack=0, kind=None):
    """For ICMP the source port is the identifier and `kind` the type."""
    v, p, body = ends.version, ends.protocol, TAG + struct.pack("!I", tag)
    if p == TCP:
        head = struct.pack("!HHIIBBHHH", ends.sport, ends.dport, seq, ack, 5 << 4, flags, 5000, 0, 0)
        return transport(v, ends.source, ends.destination, p, head, 16, body)
    if p == UDP:
        head = struct.pack("!HHHH", ends.sport, ends.dport, 8 + len(body), 0)
        return transport(v, ends.source, ends.destination, p, head, 6, body)
    if p == ICMP[v]:
        head = struct.pack("!BBHHH", kind, 0, 0, ends.sport, 1)
        return transport(v, ends.source, ends.destination, p, head, 2, body)
    # Linux rejects nothing without a good checksum, even of protocols that may have none.
    return transport(v, ends.source, ends.destination, p, b"\0\0\x01\0\0\0\0\x07", 0, body)


def error_about(version, source, quoted):
    """Port unreachable about an IP packet."""
    code = 3 if version == 4 else 4
    to = socket.inet_ntop(*((socket.AF_INET, quoted[12:16]) if version == 4 else
                            (socket.AF_INET6, quoted[8:24])))
    head = struct.pack("!BBHI", UNREACHABLE[version], code, 0, 0)
    return transport(version, source, to, ICMP[version], head, 2, quoted[:200])


def ends_of(data):
    """The Ends of an IP packet."""
    version = data[0] >> 4
    family, at, size = (socket.AF_INET, 12, 4) if version == 4 else (socket.AF_INET6, 8, 16)
    protocol, begin = (data[9], 20) if version == 4 else (data[6], 40)
    source = socket.inet_ntop(family, data[at:at + size])
    destination = socket.inet_ntop(family, data[at + size:at + 2 * size])
    sport = dport = 0
    if protocol in (TCP, UDP):
        sport, dport = struct.unpack_from("!HH", data, begin)
    elif protocol == ICMP[version]:
        sport = dport = struct.unpack_from("!H", data, begin + 4)[0]
    return Ends(version, protocol, source, sport, destination, dport)


# ---- rules: one description, two languages

class Hosts:
    """What a rule says of an address: text for us, a match for nft."""

    def __init__(self, text, addresses, everything=False):
        self.text, self.addresses, self.everything = text, addresses, everything


class Rule:
    """One line. None means that it says nothing about it."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def ours(self):
        words = [self.action]
        words += [self.direction] if self.direction else []
        words += ["quick"] if self.quick else []
        words += ["on " + self.on] if self.on else []
        words += [self.family] if self.family else []
        if self.protocols:
            names = [str(p) for p in self.protocols]
            words += ["proto " + (names[0] if len(names) == 1 else "{ " + " ".join(names) + " }")]
        for side in ("from", "to"):
            hosts, ports = getattr(self, "hosts_" + side), getattr(self, "ports_" + side)
            if hosts or ports:
                words += [side, hosts.text if hosts else "any"]
                words += ["port " + ports[0]] if ports else []
        words += [self.kinds[0]] if self.kinds else []
        words += ["flags " + self.flags[0]] if self.flags else []
        words += [f"label \"{self.label}\""] if self.label else []
        return " ".join(words)

    def nft(self, version, direction):
        """The lines of a chain; none when it cannot match there."""
        if self.direction not in (None, direction) or \
                self.family not in (None, "inet" if version == 4 else "inet6"):
            return []
        match, family = [], "ip" if version == 4 else "ip6"
        if self.on:
            match.append(self._on("iifname" if direction == "in" else "oifname"))
        for side, word in (("from", "saddr"), ("to", "daddr")):
            hosts, ports = getattr(self, "hosts_" + side), getattr(self, "ports_" + side)
            if hosts and not hosts.everything:
                if not hosts.addresses:
                    return []
                match.append("%s %s { %s }" % (family, word, ", ".join(sorted(hosts.addresses))))
            if ports:
                match.append("th %s { %s }" % ("sport" if side == "from" else "dport", ports[1]))
        if self.kinds:
            match.append(("icmp" if version == 4 else "icmpv6") + " type { %s }" % self.kinds[1])
        return self._verdicts(" ".join(match))

    def _on(self, word):
        name = self.on.lstrip("! ")
        names = {"uplink": ["uplink0"], "clients": LINKS[1:]}.get(name, [name])
        return "%s %s{ %s }" % (word, "!= " if self.on.startswith("!") else "",
                                ", ".join(f'"{n}"' for n in names))

    def _verdicts(self, match):
        """One line for TCP and one for all else, where the rule can match them."""
        numbers = {number(p) for p in self.protocols or ()}
        others = "meta l4proto != tcp"
        if numbers:
            others = "meta l4proto { %s }" % ", ".join(str(n) for n in sorted(numbers - {TCP}))
        flags = ""
        if self.flags:
            flags = self.flags[1]
        elif self.action == "pass":
            flags = "& (syn | ack) == syn"
        verdict = "return" if self.action == "pass" else "drop"
        returns = self.action == "block return"
        lines = []
        if not numbers or TCP in numbers:
            flags = f" tcp flags {flags}" if flags else ""
            lines.append(f"meta l4proto tcp {match}{flags} "
                         f"{'reject with tcp reset' if returns else verdict}")
        if numbers != {TCP}:
            lines.append(f"{others} {match} "
                         f"{'reject with icmpx port-unreachable' if returns else verdict}")
        return lines


def number(protocol):
    return {"tcp": TCP, "udp": UDP, "icmp": 1, "icmp6": 58, "esp": ESP}.get(protocol, protocol)


class Rules:
    """A random rule set."""

    def __init__(self, random, version):
        self.random, self.version = random, version
        self.pool = INSIDE[version] + OUTSIDE[version]
        self.tables = {f"t{i}": self._table() for i in range(random.randrange(3))}
        self.policy = random.choice(["drop", "drop", "return"])
        self.rules = [self._rule() for _ in range(random.choice([1, 3, 6, 12, 25, 60]))]
        for direction in ("in", "out"):  # without these a narrow gate is seldom passed twice
            if random.random() < 0.6:
                self.rules.insert(0, self._open(direction))

    # addresses

    def _net(self):
        """A network of one of the pool's addresses: text, and who of the pool is in it."""
        address = self.random.choice(self.pool)
        bits = 32 if self.version == 4 else 128
        prefix = self.random.choice([0, 8, 16, 24, 29, 30, 31, 32] if self.version == 4 else
                                    [0, 32, 48, 64, 125, 126, 127, 128])
        value = int.from_bytes(raw(address), "big") >> (bits - prefix) << (bits - prefix)
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        text = socket.inet_ntop(family, value.to_bytes(bits // 8, "big"))
        members = {a for a in self.pool
                   if int.from_bytes(raw(a), "big") >> (bits - prefix) == value >> (bits - prefix)}
        return f"{text}/{prefix}", members, prefix

    def _table(self):
        """{prefix text: (negated, members, prefix)}; the narrowest that holds one decides."""
        entries = {}
        for _ in range(self.random.randrange(1, 6)):
            text, members, prefix = self._net()
            entries.setdefault(text, (self.random.random() < 0.3, members, prefix))
        return entries

    def _table_members(self, name):
        members = set()
        for address in self.pool:
            around = [e for e in self.tables[name].values() if address in e[1]]
            if around and not max(around, key=lambda e: e[2])[0]:
                members.add(address)
        return members

    def _hosts(self):
        kind = self.random.choice(["any", "any", "one", "one", "net", "not", "list", "table",
                                   "not-table", "self"])
        everything = set(self.pool)
        if kind == "one":
            address = self.random.choice(self.pool)
            return Hosts(address, {address})
        if kind in ("net", "not"):
            text, members, _ = self._net()
            return Hosts(text, members) if kind == "net" else \
                Hosts("! " + text, everything - members)
        if kind == "list":
            nets = [self._net() for _ in range(self.random.randrange(1, 4))]
            return Hosts("{ " + " ".join(n[0] for n in nets) + " }",
                         set().union(*(n[1] for n in nets)))
        if kind.endswith("table") and self.tables:
            name = self.random.choice(sorted(self.tables))
            members = self._table_members(name)
            return Hosts(f"<{name}>", members) if kind == "table" else \
                Hosts(f"! <{name}>", everything - members)
        if kind == "self" and self.random.random() < 0.3:
            return Hosts("self", set())
        return None

    # ports

    def _port_item(self):
        a, b = sorted(self.random.sample(PORTS, 2))
        kind = self.random.choice(["one", "one", "one", "range", "inside", "outside", "not", "less",
                                   "most", "more", "least"])
        if kind == "inside" and b - a < 2:
            kind = "range"
        if kind == "outside" and a == 0:
            kind = "one"
        return {
            "one": (f"{a}", f"{a}"),
            "range": (f"{a}:{b}", f"{a}-{b}"),
            "inside": (f"{a} >< {b}", f"{a + 1}-{b - 1}"),
            "outside": (f"{a} <> {b}", f"0-{a - 1}" + (f", {b + 1}-65535" if b < 65535 else "")),
            "not": (f"!= {a}", f"0-{a - 1}, {a + 1}-65535"),
            "less": (f"< {b}", f"0-{b - 1}"),
            "most": (f"<= {a}", f"0-{a}"),
            "more": (f"> {a}", f"{a + 1}-65535"),
            "least": (f">= {b}", f"{b}-65535"),
        }[kind]

    def _ports(self):
        if self.random.random() < 0.2:
            some = self.random.sample(PORTS, self.random.randrange(2, 5))
            return ("{ " + " ".join(str(p) for p in some) + " }", ", ".join(str(p) for p in some))
        return self._port_item()

    # the rest

    def _rule(self):
        random, icmp = self.random, "icmp" if self.version == 4 else "icmp6"
        protocols = random.choice([None, None, ["tcp"], ["tcp"], ["udp"], [icmp], ["tcp", "udp"],
                                   ["esp"], ["udp", icmp, ODD]])
        ported = protocols and set(protocols) <= {"tcp", "udp"}
        kinds = flags = None
        if protocols == [icmp] and random.random() < 0.6:
            echo, reply = ECHO[self.version]
            kinds = random.choice([(icmp + "-type echoreq", echo), (icmp + "-type echorep", reply),
                                   (icmp + f"-type {{ echoreq {reply} }}", f"{echo}, {reply}")])
        if protocols == ["tcp"] and random.random() < 0.25:
            flags = random.choice([("any", ""), ("S/SA", "& (syn | ack) == syn"),
                                   ("SA/SA", "& (syn | ack) == (syn | ack)"),
                                   ("A/A", "& ack == ack"), ("R/SR", "& (syn | rst) == rst")])
        return Rule(
            action=random.choice(["pass"] * 5 + ["block", "block drop", "block return"]),
            direction=random.choice(["in", "in", "out", "out", None]),
            quick=random.random() < 0.2,
            on=random.choice([None, None, "clients", "clients", "uplink", "! uplink",
                              "! " + LINKS[2], *LINKS[:3]]),
            family=random.choice([None] * 8 + ["inet", "inet6"]),
            protocols=protocols, hosts_from=self._hosts(), hosts_to=self._hosts(),
            ports_from=self._ports() if ported and random.random() < 0.15 else None,
            ports_to=self._ports() if ported and random.random() < 0.6 else None,
            kinds=kinds, flags=flags, label="x" if random.random() < 0.1 else None)

    @staticmethod
    def _open(direction):
        return Rule(action="pass", direction=direction, quick=False, on=None, family=None,
                    protocols=None, hosts_from=None, hosts_to=None, ports_from=None, ports_to=None,
                    kinds=None, flags=None, label=None)

    def _usable(self, rule):
        """An address of this version in a rule for the other one is an error, and so on."""
        if rule.family in (None, "inet" if self.version == 4 else "inet6"):
            return True
        return not (rule.hosts_from or rule.hosts_to or
                    set(rule.protocols or ()) & {"icmp", "icmp6"})

    def texts(self):
        """For us, and for nft."""
        rules = [r for r in self.rules if self._usable(r)]
        for rule in rules:
            rule.action = f"block {self.policy}" if rule.action == "block" else rule.action
        ours = [f"set block-policy {self.policy}"]
        for name, entries in self.tables.items():
            inside = " ".join(("! " if e[0] else "") + text for text, e in entries.items())
            ours.append(f"table <{name}> {{ {inside} }}")
        ours += [r.ours() for r in rules]
        order = [r for r in rules if r.quick] + [r for r in reversed(rules) if not r.quick]
        chains = {d: [line for r in order for line in r.nft(self.version, d)]
                  for d in ("in", "out")}
        return "\n".join(ours) + "\n", self._nft(chains)

    def _nft(self, chains):
        tables = []
        for direction, lines in chains.items():
            tables.append(f"chain rules_{direction} {{\n\t\t" +
                          "\n\t\t".join(lines + ["drop"]) + "\n\t}")
        icmp, query = ("icmp", "echo-request") if self.version == 4 else ("icmpv6", "echo-request")
        snat = f"oifname uplink0 snat ip to {OURS[4]}" if self.version == 4 else ""
        return f"""flush ruleset
table inet t {{
	{chr(10).join(tables)}
	chain forward {{
		type filter hook forward priority 0; policy drop;
		meta l4proto {MARKER} accept
		tcp flags & (fin | syn | rst | ack) == 0 drop
		tcp flags & (fin | syn) == (fin | syn) drop
		tcp flags & (syn | rst) == (syn | rst) drop
		tcp flags & (fin | rst) == (fin | rst) drop
		tcp flags & (fin | ack) == fin drop
		ct state established,related accept
		jump rules_in
		jump rules_out
		ct state invalid drop
		meta l4proto {icmp} {icmp} type != {query} drop
		accept
	}}
	chain input {{ type filter hook input priority 0; policy drop; }}
	chain postrouting {{
		type nat hook postrouting priority 100;
		{snat}
	}}
}}
"""


# ---- what came of a packet

class Verdict:
    """What came out for one packet that went in: where it went, and what was said back."""

    def __init__(self):
        self.events, self.passed = set(), None

    def __str__(self):
        return ", ".join(sorted(self.events)) or "nothing"


def classify(link, data, tags_of_ends, verdicts):
    """Adds an IP packet that came out on a link to the verdict that it belongs to."""
    version = data[0] >> 4
    protocol, begin = (data[9], 20) if version == 4 else (data[6], 40)
    if protocol == MARKER:
        return
    found = re.search(re.escape(TAG) + b"(....)", data, re.S)
    tag = struct.unpack("!I", found[1])[0] if found else None
    if protocol == ICMP[version] and data[begin] in (UNREACHABLE[version], 11) and \
            (version == 6 or data[begin] == 3):
        said = f"{'passes error' if found and data[begin + 1] == 99 else 'unreachable'}"
        verdict = verdicts.get(tag)
        if verdict:
            verdict.events.add(f"{said} on {LINKS[link]}")
        return
    if tag is None and protocol == TCP and data[begin + 13] & RST:
        ends = ends_of(data)
        tag = tags_of_ends.get((str(ends.answer())))
        if tag in verdicts:
            verdicts[tag].events.add(f"reset on {LINKS[link]}")
        return
    if tag in verdicts:
        verdicts[tag].events.add(f"passes on {LINKS[link]}")
        verdicts[tag].passed = (link, data)


class Ours:
    """The router as a function."""

    def __init__(self, program, seed):
        clients = [f"{INSIDE[4][i]},{INSIDE[6][i]}" for i in range(CLIENTS)]
        self.process = subprocess.Popen(
            [program, str(seed), OURS[4] + "/24", GATEWAY[4], OURS[6] + "/64", GATEWAY[6],
             *clients], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _read(self, count):
        data = self.process.stdout.read(count)
        if len(data) != count:
            raise Failure(f"the router's process ended: {self.process.wait()}")
        return data

    def set_rules(self, text):
        data = text.encode()
        self.process.stdin.write(b"R" + struct.pack("<I", len(data)) + data + b"F")
        self.process.stdin.flush()
        if self._read(1) != b"\0":
            raise Failure(f"the router does not take these rules:\n{text}")

    def send(self, frames, tags_of_ends, verdicts):
        """frames: (link, IP packet)."""
        for begin in range(0, len(frames), 50):
            self._send(frames[begin:begin + 50], tags_of_ends, verdicts)

    def _send(self, frames, tags_of_ends, verdicts):
        data = []
        for link, inner in frames:
            to, source = (CLIENT_SIDE_MAC, client_mac(link)) if link else (UPLINK_MAC, GATEWAY_MAC)
            frame = to + source + (b"\x08\0" if inner[0] >> 4 == 4 else b"\x86\xdd") + inner
            # Errors and resets are rationed; time is cheap here.
            data.append(b"T\x32\0\0\0P" + struct.pack("<BH", link, len(frame)) + frame)
        self.process.stdin.write(b"".join(data) + b"F")
        self.process.stdin.flush()
        for _ in frames:
            for _ in range(self._read(1)[0]):
                link, length = struct.unpack("<BH", self._read(3))
                frame = self._read(length)
                if frame[12:14] in (b"\x08\0", b"\x86\xdd"):
                    classify(link, frame[14:], tags_of_ends, verdicts)

    def end(self):
        self.process.stdin.close()
        return self.process.wait(20)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Linux:
    """A namespace that forwards by nft's rules between veths, and their other ends."""

    def __init__(self):
        self.router, self.ends = Space("nft"), Space("ends")
        self.sockets = []
        self.version = 4
        try:
            self._start()
        except BaseException:
            self.remove()
            raise

    def _start(self):
        router, ends = self.router, self.ends
        for space in (ends, router):
            space.set("net/ipv6/conf/all/disable_ipv6", int(space is ends))
            space.set("net/ipv6/conf/default/disable_ipv6", int(space is ends))
        for path, value in (("net/ipv4/ip_forward", 1), ("net/ipv6/conf/all/forwarding", 1),
                            ("net/ipv4/icmp_ratelimit", 0), ("net/ipv6/icmp/ratelimit", 0),
                            ("net/ipv4/conf/all/rp_filter", 0),
                            ("net/ipv4/conf/default/rp_filter", 0),
                            ("net/ipv4/conf/all/send_redirects", 0),
                            ("net/ipv4/conf/default/send_redirects", 0)):
            router.set(path, value)
        self.errors_rationed = False
        try:
            router.set("net/ipv4/icmp_msgs_per_sec", 1_000_000)
            router.set("net/ipv4/icmp_msgs_burst", 100_000)
        except OSError:
            self.errors_rationed = True  # an older kernel: for the whole machine
        for i, name in enumerate(LINKS):
            mac = (UPLINK_MAC if i == 0 else CLIENT_SIDE_MAC[:1] + bytes([0xff] * 4 + [i])).hex(":")
            router.ip(f"link add name {name} type veth peer name {name} netns {ends.name}",
                      f"link set {name} address {mac}", f"link set {name} up")
            ends.ip(f"link set {name} arp off", f"link set {name} up")
        self._addresses()
        # The module's settings are there when conntrack is.
        router.run("nft", "add table inet t; add chain inet t f { type filter hook forward "
                   "priority 0; }; add rule inet t f ct state new accept", check=True)
        router.set("net/netfilter/nf_conntrack_tcp_loose", 0)
        for i, name in enumerate(LINKS):
            end = ends.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            end.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
            end.bind((name, 3))
            end.setblocking(False)
            self.sockets.append(end)

    def _addresses(self):
        lines = [f"addr add {OURS[4]}/24 dev uplink0", f"addr add {OURS[6]}/64 dev uplink0 nodad"]
        lladdr = GATEWAY_MAC.hex(":")
        for v in (4, 6):
            lines.append(f"neigh add {GATEWAY[v]} lladdr {lladdr} dev uplink0 nud permanent")
            for i in range(CLIENTS):
                lines += [f"route add {INSIDE[v][i]} dev {LINKS[i + 1]}",
                          f"neigh add {INSIDE[v][i]} lladdr {client_mac(i + 1).hex(':')} "
                          f"dev {LINKS[i + 1]} nud permanent"]
        lines += [f"route add 0.0.0.0/0 via {GATEWAY[4]}", f"route add ::/0 via {GATEWAY[6]}"]
        # Errors of our own need a source on every link.
        lines += [f"addr add 10.138.1.{i}/32 dev {name}" for i, name in enumerate(LINKS)]
        self.router.ip(*lines)
        self.macs = [UPLINK_MAC] + [CLIENT_SIDE_MAC[:1] + bytes([0xff] * 4 + [i])
                                    for i in range(1, CLIENTS + 1)]

    def set_rules(self, text):
        done = subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True,
                              preexec_fn=self.router.enter, check=False)
        if done.returncode:
            raise Failure(f"nft does not take these rules: {done.stderr}\n{text}")
        self.router.run("conntrack", "-F")

    def send(self, frames, tags_of_ends, verdicts):
        for begin in range(0, len(frames), 50):
            self._send(frames[begin:begin + 50], tags_of_ends, verdicts)

    def _send(self, frames, tags_of_ends, verdicts):
        for link, inner in frames:
            self._frame(link, inner)
        self._frame(0, ip_packet(4, OUTSIDE[4][0], INSIDE[4][0], MARKER, b"all through"))
        end = time.monotonic() + 5
        through = False
        while not through:
            ready = select.select(self.sockets, [], [], 0.5)[0]
            if time.monotonic() > end:
                raise Failure("the marker does not come through Linux")
            through = self._collect(ready, tags_of_ends, verdicts)
        self._collect(self.sockets, tags_of_ends, verdicts)

    def _frame(self, link, inner):
        source = client_mac(link) if link else GATEWAY_MAC
        kind = b"\x08\0" if inner[0] >> 4 == 4 else b"\x86\xdd"
        self.sockets[link].send(self.macs[link] + source + kind + inner)

    def _collect(self, ready, tags_of_ends, verdicts):
        through = False
        for end in ready:
            while True:
                try:
                    frame = end.recv(4000)
                except BlockingIOError:
                    break
                if frame[12:14] not in (b"\x08\0", b"\x86\xdd"):
                    continue
                through |= frame[14] >> 4 == 4 and frame[23] == MARKER
                classify(self.sockets.index(end), frame[14:], tags_of_ends, verdicts)
        return through

    def remove(self):
        for end in self.sockets:
            end.close()
        self.router.remove()
        self.ends.remove()


# ---- a run

class Attempt:
    """A conversation that somebody tries to begin, or a packet out of nowhere."""

    def __init__(self, ends, link, flags, kind):
        self.ends, self.link, self.flags, self.kind = ends, link, flags, kind


FIRST_FLAGS = [SYN] * 8 + [SYN | 0xC0, SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK, FIN, 0,
                           SYN | FIN, SYN | RST, FIN | PSH | 32]


class Comparison:
    """Rule sets and packets for both, until they disagree."""

    def __init__(self, program, random):
        self.random = random
        self.ours = Ours(program, random.getrandbits(32))
        try:
            self.linux = Linux()
        except BaseException:
            self.ours.kill()
            raise
        self.packets = self.sets = self.passes = 0

    def close(self):
        self.ours.kill()
        self.linux.remove()

    def _attempt(self, version, used):
        random = self.random
        while True:
            i = random.randrange(CLIENTS)
            source, link = INSIDE[version][i], i + 1
            destination = random.choice(INSIDE[version] + OUTSIDE[version] * 2)
            if random.random() < 0.2:
                source, link = random.choice(OUTSIDE[version]), 0
                destination = random.choice(INSIDE[version])
            protocol = random.choice([TCP] * 5 + [UDP] * 3 + [ICMP[version]] * 2 + [ESP, ODD])
            sport = random.choice([random.choice(PORTS), random.randrange(1025, 60000)])
            dport = random.choice(PORTS)
            kind = None
            if protocol == ICMP[version]:
                kind = random.choice([ECHO[version][0]] * 4 + [ECHO[version][1]])
                dport = sport
            elif protocol in (ESP, ODD):
                sport = dport = 0
            ends = Ends(version, protocol, source, sport, destination, dport)
            # Ends are used once: what a second beginning means depends on more than rules.
            keys = {(protocol, frozenset([(source, sport), (destination, dport)]))}
            if link == 0 or destination in OUTSIDE[version]:
                # Nor an external port twice, which one of them might have to change.
                keys.add((protocol, "port", sport))
                keys.add((protocol, "port", dport) if link == 0 else None)
            if source == destination or keys & used - {None}:
                continue
            used |= keys - {None}
            return Attempt(ends, link, random.choice(FIRST_FLAGS), kind)

    def one(self, version, count):
        """One rule set."""
        rules = Rules(self.random, version)
        ours, nft = rules.texts()
        prefix = "match out on uplink inet nat-to (uplink)\n"
        self.text, self.nft_text = ours, nft
        self.ours.set_rules(ours.replace("\n", "\n" + prefix, 1))
        self.linux.set_rules(nft)
        self.sets += 1
        used = set()
        attempts = [self._attempt(version, used) for _ in range(count)]
        first = [(a.link, packet(a.ends, t, a.flags, kind=a.kind)) for t, a in enumerate(attempts)]
        seen = self._both(dict(enumerate(zip(first, first))),
                          {t: str(a.ends) for t, a in enumerate(attempts)})
        open_ones = {t: s for t, s in seen.items() if s[0].passed}
        self.passes += len(open_ones)
        self._answers(attempts, open_ones)

    def _answers(self, attempts, seen):
        """Answers to what passed, the next packets, errors about it: each as it was sent there."""
        count = len(attempts)
        answers, nexts, errors = {}, {}, {}
        for t, pair in seen.items():
            a = attempts[t]
            if a.ends.protocol == TCP and a.flags & (SYN | ACK | RST | FIN) != SYN:
                continue
            both, both_errors = [], []
            for verdict in pair:
                link, data = verdict.passed
                back = ends_of(data).answer()
                kind = ECHO[back.version][1]
                both.append((link, packet(back, count + t, SYN | ACK, 100, 2 + 8, kind)))
                both_errors.append((link, error_about(back.version, back.source, data)))
            answers[count + t] = tuple(both)
            if a.ends.protocol in (TCP, UDP):
                errors[t] = tuple(both_errors)
            following = packet(a.ends, 2 * count + t, ACK | PSH, 10, 101 + 8, a.kind)
            nexts[2 * count + t] = ((a.link, following),) * 2
        self._both(answers, {})
        self._both(nexts, {})
        self._both(errors, {})

    def _both(self, frames, names):
        """{tag: (what we get, what Linux gets)}; {tag: both verdicts}, which agree."""
        tags_of_ends = {name: tag for tag, name in names.items()}
        seen = []
        for side, box in ((0, self.ours), (1, self.linux)):
            verdicts = {tag: Verdict() for tag in frames}
            box.send([frames[tag][side] for tag in frames], tags_of_ends, verdicts)
            seen.append(verdicts)
        self.packets += len(frames)
        for tag in frames:
            if not self._agree(seen[0][tag], seen[1][tag]):
                self._differ(tag, frames[tag], seen[0][tag], seen[1][tag])
        return {tag: (seen[0][tag], seen[1][tag]) for tag in frames}

    def _agree(self, ours, linux):
        if ours.events == linux.events:
            return True
        missing = ours.events - linux.events
        return self.linux.errors_rationed and linux.events <= ours.events and \
            all(e.startswith("unreachable") for e in missing)

    def _differ(self, tag, frames, ours, linux):
        link, data = frames[0]
        flags = data[20 + 13] if data[0] >> 4 == 4 else data[40 + 13]
        raise Failure(f"packet {tag} of rule set {self.sets}: {ends_of(data)} "
                      f"(flags or type {flags if ends_of(data).protocol == TCP else ''}"
                      f"{data[20 if data[0] >> 4 == 4 else 40]:#x}) on {LINKS[link]}\n"
                      f"    ours:  {ours}\n    linux: {linux}\n"
                      f"{self.text}\n{self.nft_text}")


def run(program, random, version, sets, count):
    """Compares; returns what was done, in words."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one queue: the marker is last
    comparison = Comparison(program, random)
    try:
        for _ in range(sets):
            comparison.one(version, count)
        status = comparison.ours.end()
        if status:
            raise Failure(f"the router's process ended with status {status}")
        return comparison
    finally:
        comparison.close()
        os.sched_setaffinity(0, range(os.cpu_count()))
