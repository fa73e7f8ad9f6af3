# SPDX-License-Identifier: ISC
"""Packet by packet: what forwarding, state and translation must and must not do. The test
is every client and everybody behind the uplink."""
import re

from scapy.all import (ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6DestUnreach, ICMPv6EchoRequest,
                       ICMPv6TimeExceeded, IPerror, IPOption_LSRR, IPOption_RR, IPv6, Raw,
                       TCPerror, UDPerror)

from harness import absent, case, expect, expect_true
from wire import QUIET, inet
from worlds import CLIENT, GATEWAY, OURS, RULES_OUT_ONLY, client_name

PEER = {4: "203.0.113.7", 6: "2001:db8:77::7"}  # behind the gateway
PEER2 = {4: "203.0.113.8", 6: "2001:db8:77::8"}
TEXT = b"sixteen bytes..."
BOTH = (4, 6)
AFTER = 0.01  # what the firewall has sent is there by then


# ---- words for what follows

def udp(version, to, sport=4000, dport=5000, data=TEXT, **fields):
    """A client's UDP packet from the IP layer on."""
    return inet(version)(dst=to, **fields) / UDP(sport=sport, dport=dport) / Raw(data)


def tcp(version, to, sport, dport, flags, seq=0, ack=0, data=b"", options=()):
    packet = inet(version)(dst=to) / TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack,
                                         window=5000, options=list(options))
    return packet / Raw(data) if data else packet


def marked(data=TEXT):
    """Frames that carry this payload, translated or not, not within an error."""
    return lambda frame: data in bytes(frame) and ICMP not in frame \
        and ICMPv6DestUnreach not in frame and ICMPv6TimeExceeded not in frame


def of(layer):
    return lambda frame: layer in frame


def out(world, i, packet, match=None, **options):
    """Sends from client i; what leaves by the uplink, which must be something."""
    version = 4 if IP in packet else 6
    world.client_send(i, packet)
    seen = world.up.take(match or of(type(packet.payload)), **options)
    expect_true(seen is not None, f"{packet.summary()} of client {i} leaves by the uplink", seen)
    expect(seen.src, world.up_mac, "MAC it leaves from")
    expect(seen.dst, world.up.mac, "MAC it leaves to")
    expect(version in (4, 6), True, "version")
    return seen


def back(world, i, packet, match=None, **options):
    """Sends from the gateway; what reaches client i, which must be something."""
    world.up_send(packet)
    seen = world.wires[i].take(match or of(type(packet.payload)), **options)
    expect_true(seen is not None, f"{packet.summary()} reaches client {i}", seen)
    return seen


def lost_out(world, i, packet, reason=None):
    """Sends from client i; nothing of it may leave anywhere."""
    before = world.firewall.drops()
    world.client_send(i, packet)
    nothing(world, packet, i)
    dropped(world, before, reason)


def lost_in(world, packet, reason=None):
    before = world.firewall.drops()
    world.up_send(packet)
    nothing(world, packet, None)
    dropped(world, before, reason)


def nothing(world, packet, sender):
    """Nobody gets anything but answers to the sender."""
    world.firewall.stats()
    for wire in [world.up] + world.wires:
        if sender is not None and wire is world.wires[sender]:
            continue
        if sender is None and wire is world.up:
            continue
        seen = wire.take(lambda f: IP in f or IPv6 in f, AFTER, damaged=True)
        expect_true(seen is None, f"{packet.summary()} goes nowhere", seen)


def dropped(world, before, reason):
    if not reason:
        return
    after = world.firewall.drops()
    grown = {name for name in after if after[name] > before.get(name, 0)}
    reasons = {reason} if isinstance(reason, str) else set(reason)
    expect_true(grown & reasons, f"the drop is counted as {reason}", grown)


def external(world, i, version, to, sport, dport=5000, data=TEXT):
    """The port by which the far end sees this end point of client i."""
    return out(world, i, udp(version, to, sport, dport, data), marked(data))[UDP].sport


# ---- neighbours

@case("packets")
def arp_for_any_address(world, _version):
    """The client's whole world is behind us, whatever netmask it believes in."""
    wire = world.wires[0]

    def asks(target, sender=CLIENT[4](0)):
        wire.send(Ether(src=wire.mac, dst="ff:ff:ff:ff:ff:ff") /
                  ARP(op=1, hwsrc=wire.mac, psrc=sender, pdst=target))
        return wire.raw(lambda f: ARP in f and f[ARP].op == 2 and f[ARP].psrc == target, QUIET)

    for target in ("10.138.0.1", CLIENT[4](1), "8.8.8.8", "10.138.0.255", OURS[4]):
        answer = asks(target)
        expect_true(answer is not None, f"an answer for {target}", answer)
        expect(answer[ARP].hwsrc, world.client_side_mac, f"MAC for {target}")
        expect(answer[ARP].hwdst, wire.mac, "to the one who asked")
    expect(asks(CLIENT[4](0)), None, "an answer for its own address")
    expect(asks("10.138.0.99", "0.0.0.0"), None, "an answer to a probe for an address")
    expect(asks("10.138.0.1", CLIENT[4](1)), None, "an answer to somebody else's question")


@case("packets")
def arp_lies_on_uplink(world, _version):
    """Replies that nobody asked for change nothing."""
    out(world, 0, udp(4, PEER[4], 3999))
    liar = "02:00:00:00:00:66"
    world.up.send(Ether(src=liar, dst=world.up_mac) /
                  ARP(op=2, hwsrc=liar, psrc=GATEWAY[4], hwdst=world.up_mac, pdst=OURS[4]))
    try:
        out(world, 0, udp(4, PEER[4], 3999))
    finally:
        world.up.send(Ether(src=world.up.mac, dst="ff:ff:ff:ff:ff:ff") /
                      ARP(op=1, hwsrc=world.up.mac, psrc=GATEWAY[4], pdst=GATEWAY[4]))


# ---- who may send what

@case("packets", versions=BOTH)
def spoofed_source(world, version):
    for source in (CLIENT[version](1), PEER2[version], OURS[version]):
        lost_out(world, 0, udp(version, PEER[version], src=source), ("spoofed", "martian"))


@case("packets", versions=BOTH)
def spoofed_mac(world, version):
    packet = udp(version, PEER[version], src=CLIENT[version](0))
    before = world.firewall.drops()
    world.wires[0].send(Ether(src=world.wires[1].mac, dst=world.client_side_mac) / packet)
    nothing(world, packet, 0)
    dropped(world, before, "bad-mac")


@case("packets", versions=BOTH)
def clients_alone(world, version):
    for other in (1, 2):
        lost_out(world, 0, udp(version, CLIENT[version](other)), "blocked")
        lost_out(world, 0, tcp(version, CLIENT[version](other), 4000, 22, "S"), "blocked")


MARTIANS = {4: ["0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.1.2.3",
                "240.0.0.1", "255.255.255.255"],
            6: ["::", "::1", "::ffff:10.0.0.1", "ff02::1", "ff0e::1", "fe80::99"]}


@case("packets", versions=BOTH)
def martian_destinations(world, version):
    for address in MARTIANS[version]:
        lost_out(world, 0, udp(version, address), ("martian", "multicast", "no-route", "blocked"))


@case("packets", versions=BOTH)
def martian_sources(world, version):
    """From the uplink, as answers to a flow and as news."""
    world.firewall.set_rules("match out on uplink inet nat-to (uplink)\npass\n")
    for address in MARTIANS[version] + [OURS[version], CLIENT[version](0)]:
        lost_in(world, udp(version, OURS[version], src=address), ("martian", "spoofed"))
        lost_in(world, udp(version, CLIENT[version](1), src=address), ("martian", "spoofed"))


@case("packets", versions=BOTH)
def unknown_from_uplink(world, version):
    """Nothing begins from outside."""
    for to in (OURS[version], CLIENT[version](0)):
        for packet in (udp(version, to, src=PEER[version]), tcp(version, to, 80, 4000, "S"),
                       tcp(version, to, 80, 4000, "SA"), tcp(version, to, 80, 4000, "A")):
            packet.src = PEER[version]
            lost_in(world, packet)


# ---- forwarding

@case("packets", versions=BOTH)
def kept_fields(world, version):
    """All but addresses, ports, TTL and checksums stay as they were."""
    if version == 4:
        for flags in (0, 2):
            seen = out(world, 0, udp(4, PEER[4], id=0x1234, tos=0x88, flags=flags, ttl=33), marked())
            expect((seen[IP].tos, int(seen[IP].flags), seen[IP].ttl), (0x88, flags, 32),
                   "TOS, flags, TTL")
            if not flags:
                continue
            expect(seen[IP].id, 0x1234, "identification")
        return
    seen = out(world, 0, udp(6, PEER[6], tc=0x88, fl=0x12345, hlim=33), marked())
    expect((seen[IPv6].tc, seen[IPv6].fl, seen[IPv6].hlim), (0x88, 0x12345, 32),
           "traffic class, flow label, hop limit")


@case("packets", versions=BOTH)
def every_length(world, version):
    """Every length of payload up to 70 bytes, and whole and odd ones: unchanged behind NAT."""
    most = 1472 if version == 4 else 1452
    for length in [*range(1, 70), 191, 192, 193, 511, 1023, most - 1, most]:
        data = world.random.randbytes(length)
        seen = out(world, 0, udp(version, PEER[version], data=data), of(UDP))
        expect(bytes(seen[UDP].payload)[:length], data, f"{length} bytes of payload, out")
        reply = inet(version)(src=PEER[version], dst=seen[inet(version)].src) / \
            UDP(sport=5000, dport=seen[UDP].sport) / Raw(data)
        seen = back(world, 0, reply)
        expect(bytes(seen[UDP].payload)[:length], data, f"{length} bytes of payload, back")
        expect((seen[UDP].dport, seen[inet(version)].dst), (4000, CLIENT[version](0)), "to whom")


@case("packets")
def udp_without_checksum(world, _version):
    """A checksum that was not computed stays so (RFC 3022, 4.1)."""
    seen = out(world, 0, IP(dst=PEER[4]) / UDP(sport=4001, dport=5000, chksum=0) / Raw(TEXT),
               marked())
    expect(seen[UDP].chksum, 0, "checksum")


@case("packets", versions=BOTH)
def ttl_1(world, version):
    """Time exceeded, about the packet as it was sent; one more and it passes."""
    hops = {"ttl": 1} if version == 4 else {"hlim": 1}
    packet = udp(version, PEER[version], src=CLIENT[version](0), **hops)
    world.client_send(0, packet)
    kind = ICMP if version == 4 else ICMPv6TimeExceeded
    seen = world.wires[0].take(of(kind))
    expect_true(seen is not None, "an answer", seen)
    if version == 4:
        expect((seen[ICMP].type, seen[ICMP].code, seen[IP].src), (11, 0, OURS[4]),
               "type, code, from")
    expect(seen[inet(version)].dst, CLIENT[version](0), "to")
    quoted = bytes(seen[kind])[8:]
    expect(quoted[:len(packet)], bytes(packet), "the packet that it quotes")
    expect(world.up.take(marked(), QUIET), None, "on the uplink")
    hops = {"ttl": 2} if version == 4 else {"hlim": 2}
    seen = out(world, 0, udp(version, PEER[version], **hops), marked())
    expect(seen[IP].ttl if version == 4 else seen[IPv6].hlim, 1, "TTL")


@case("packets")
def ttl_1_from_uplink(world, _version):
    """The far end is told about the packet that it sent, not about what we made of it."""
    port = external(world, 0, 4, PEER[4], 4000)
    reply = IP(src=PEER[4], dst=OURS[4], ttl=1) / UDP(sport=5000, dport=port) / Raw(TEXT)
    world.up_send(reply)
    seen = world.up.take(of(ICMP))
    expect_true(seen is not None, "an answer", seen)
    expect(bytes(seen[ICMP])[8:][:len(reply)], bytes(reply), "the packet that it quotes")


@case("packets", versions=BOTH)
def answers_are_rationed(world, version):
    """A thousand packets at once get few errors, and another client still gets its own."""
    hops = {"ttl": 1} if version == 4 else {"hlim": 1}
    packet = Ether(src=world.wires[0].mac, dst=world.client_side_mac) / \
        udp(version, PEER[version], src=CLIENT[version](0), **hops)
    world.wires[0].send(*[bytes(packet)] * 1000)
    kind = ICMP if version == 4 else ICMPv6TimeExceeded
    count = sum(1 for f in world.wires[0].frames(0.5) if kind in f)
    expect_true(1 <= count <= 350, "between 1 and 350 answers", count)
    world.client_send(1, udp(version, PEER[version], **hops))
    expect_true(world.wires[1].take(of(kind)) is not None, "an answer to another client")


# ---- malformed

@case("packets")
def bad_checksums(world, _version):
    """A wrong IPv4 header is dropped; what is wrong behind it stays exactly as wrong."""
    lost_out(world, 0, udp(4, PEER[4], chksum=0x1234), "bad-checksum")
    for build in (lambda: IP(dst=PEER[4]) / UDP(sport=4002, dport=5000) / Raw(TEXT),
                  lambda: IP(dst=PEER[4]) / TCP(sport=4002, dport=80, flags="S") / Raw(TEXT)):
        good = out(world, 0, build(), marked())
        bad = build()
        bad.src = CLIENT[4](0)
        bad = IP(bytes(bad))
        wrong = (bad.payload.chksum + 0x1111) % 0xFFFF
        bad.payload.chksum = wrong
        world.firewall.flush()
        seen = out(world, 0, bad, marked(), damaged=True)
        difference = (seen[IP].payload.chksum - good[IP].payload.chksum) % 0xFFFF
        expect(difference, 0x1111, "how wrong the transport's checksum is")
    lost_out(world, 0, IP(dst=OURS[4]) / ICMP(chksum=0x4321) / Raw(TEXT), "bad-checksum")


@case("packets")
def ip_options(world, _version):
    """Source routes and the like pass nowhere."""
    for option in (IPOption_LSRR(routers=["10.137.0.9"]), IPOption_RR()):
        lost_out(world, 0, udp(4, PEER[4], options=[option]), "ip-options")


@case("packets", versions=BOTH)
def malformed(world, version):
    """Lengths that do not add up."""
    layer = inet(version)
    whole = bytes(udp(version, PEER[version], src=CLIENT[version](0)))
    header = Ether(src=world.wires[0].mac, dst=world.client_side_mac,
                   type=0x0800 if version == 4 else 0x86DD)
    for cut in range(0, len(whole)):
        world.wires[0].send(bytes(header) + whole[:cut])
    nothing(world, layer(whole), 0)
    for build in (lambda: layer(dst=PEER[version]) / UDP(sport=1, dport=2, len=500) / Raw(TEXT),
                  lambda: layer(dst=PEER[version]) / UDP(sport=1, dport=2, len=4) / Raw(TEXT),
                  lambda: layer(dst=PEER[version]) / TCP(dataofs=2, flags="S"),
                  lambda: layer(dst=PEER[version]) / TCP(dataofs=15, flags="S")):
        lost_out(world, 0, build(), ("bad-transport", "short"))


# ---- state

def connect(world, version, sport=4100, i=0, to=None):
    """A TCP connection through the firewall: the external port. Sequences are 1001, 5001."""
    to = to or PEER[version]
    seen = out(world, i, tcp(version, to, sport, 80, "S", seq=1000,
                             options=[("MSS", 1460), ("WScale", 7)]))
    port, ours = seen[TCP].sport, seen[inet(version)].src
    back(world, i, peer_tcp(version, ours, port, "SA", 5000, 1001,
                            options=[("MSS", 1460), ("WScale", 7)], src=to))
    out(world, i, tcp(version, to, sport, 80, "A", 1001, 5001))
    return port, ours


def peer_tcp(version, ours, port, flags, seq, ack, data=b"", options=(), src=None):
    packet = tcp(version, ours, 80, port, flags, seq, ack, data, options)
    packet.src = src or PEER[version]
    return packet


def states(world):
    """{state: flows}"""
    return {m[1]: int(m[2]) for line in world.firewall.stats()
            if (m := re.match(r"flows ([a-z-]+): (\d+)", line))}


@case("packets", versions=BOTH)
def reset_out_of_window(world, version):
    """Only a reset that the client would believe ends the flow (RFC 5961)."""
    port, ours = connect(world, version)
    expect(states(world), {"tcp": 1}, "flows")
    for seq in (5001 + 1_000_000, 5001 - 1000, 5001 + 100, 5002):
        world.up_send(peer_tcp(version, ours, port, "R", seq, 0))
        expect(states(world), {"tcp": 1}, f"flows after a reset at {seq - 5001:+}")
        world.wires[0].drain()
    back(world, 0, peer_tcp(version, ours, port, "PA", 5001, 1001, TEXT), marked())
    back(world, 0, peer_tcp(version, ours, port, "R", 5001 + len(TEXT), 0))
    expect(states(world), {"tcp-closed": 1}, "flows after the right one")


@case("packets", versions=BOTH)
def data_out_of_window(world, version):
    """What no receiver would take does not pass, nor does an ACK of what nobody sent."""
    port, ours = connect(world, version, 4101)
    far = peer_tcp(version, ours, port, "PA", 5001 + 50_000_000, 1001, TEXT)
    world.up_send(far)
    if world.wires[0].take(marked(), QUIET):
        absent("tcp-window")
    lost_in(world, peer_tcp(version, ours, port, "PA", 5001, 1001 + 50_000_000, TEXT))
    lost_out(world, 0, tcp(version, PEER[version], 4101, 80, "PA", 1001 + 50_000_000, 5001, TEXT))
    back(world, 0, peer_tcp(version, ours, port, "PA", 5001, 1001, TEXT), marked())


@case("packets", versions=BOTH)
def tcp_needs_its_beginning(world, version):
    """The middle of a connection that nobody knows, and flags that no TCP sends."""
    for flags in ("A", "SA", "F", "FA", "R", "RA", "PA", "", "SF", "SR", "FPU", "SAFRPU"):
        lost_out(world, 0, tcp(version, PEER[version], 4102, 80, flags, 77, 88))


@case("packets", versions=BOTH)
def syn_backwards(world, version):
    """Nobody opens backwards what is open already."""
    port, ours = connect(world, version, 4103)
    lost_in(world, peer_tcp(version, ours, port, "S", 9000, 0), "flow-state")


@case("packets", versions=BOTH)
def other_end_points(world, version):
    """An end point that was not talked to cannot answer, whatever mapping is in use."""
    seen = out(world, 0, udp(version, PEER[version], 4104), marked())
    port, ours = seen[UDP].sport, seen[inet(version)].src
    for source, sport in ((PEER2[version], 5000), (PEER[version], 5001)):
        lost_in(world, inet(version)(src=source, dst=ours) / UDP(sport=sport, dport=port) /
                Raw(TEXT))


@case("packets", versions=BOTH)
def other_protocols(world, version):
    """GRE, ESP and SCTP are tracked by their addresses."""
    for number in (47, 50, 132):
        data = Raw(b"\x00" * 8 + TEXT)
        field = {"proto": number} if version == 4 else {"nh": number}
        layer = inet(version)
        world.client_send(0, layer(dst=PEER[version], **field) / data)
        seen = world.up.take(lambda f: TEXT in bytes(f), damaged=True)
        expect_true(seen is not None, f"protocol {number} passes", seen)
        if version == 4:
            expect(seen[IP].src, OURS[4], "source")
        ours = seen[layer].src
        world.up_send(layer(src=PEER[version], dst=ours, **field) / data)
        seen = world.wires[0].take(lambda f: TEXT in bytes(f), damaged=True)
        expect_true(seen is not None, f"the answer by protocol {number}", seen)
        lost_in(world, layer(src=PEER2[version], dst=ours, **field) / data)


@case("packets", versions=BOTH)
def flood_of_half_open(world, version):
    """One client's flood takes nothing from the others: neither flows nor room for more."""
    port, ours = connect(world, version, 4105, i=1)
    frames = [bytes(Ether(src=world.wires[0].mac, dst=world.client_side_mac) /
                    inet(version)(src=CLIENT[version](0), dst=PEER[version]) /
                    TCP(sport=1024, dport=80, flags="S", seq=1))]
    at = 14 + len(bytes(inet(version)()))
    for sport in range(1025, 1024 + 3 * world.flows):
        frame = bytearray(frames[0])
        # Its checksum is wrong then, which is for its receiver to find.
        frame[at:at + 2] = sport.to_bytes(2, "big")
        frames.append(bytes(frame))
    for begin in range(0, len(frames), 200):
        world.wires[0].send(*frames[begin:begin + 200])
        world.up.drain()
    lines = world.firewall.stats()
    world.up.drain()
    used = int(re.search(r"flows: (\d+) of", "\n".join(lines))[1])
    expect_true(1 < used < world.flows, "more than the other's flow, and not all of the table", used)
    back(world, 1, peer_tcp(version, ours, port, "PA", 5001, 1001, TEXT), marked())
    for i in (1, 2):
        connect(world, version, 4106, i=i)


@case("packets", versions=BOTH)
def rules_that_change(world, version):
    """Flows that the new rules forbid end, and no others."""
    allowed = external(world, 0, version, PEER[version], 4107, 5000, b"stays-as-it-was")
    external(world, 0, version, PEER[version], 4108, 5001, b"goes-at-once")
    world.firewall.set_rules(RULES_OUT_ONLY + "block in on clients proto udp to any port 5001\n")
    world.client_send(0, udp(version, PEER[version], 4108, 5001, b"goes-at-once"))
    if world.up.take(marked(b"goes-at-once"), QUIET):
        absent("rejudge")
    expect(external(world, 0, version, PEER[version], 4107, 5000, b"stays-as-it-was"), allowed,
           "external port of the flow that stays")


# ---- errors

def quote_of(frame, version, length=28):
    """An error about this frame, as somebody behind the gateway makes it."""
    return Raw(bytes(frame[inet(version)])[:length])


@case("packets")
def unreachable_inside_out(world, _version):
    """Errors about a client's packet reach it, and quote the packet that it sent."""
    for code, mtu in ((3, 0), (1, 0), (4, 1300), (13, 0)):
        sent = udp(4, PEER[4], 4109, src=CLIENT[4](0), id=7)
        seen = out(world, 0, sent, marked())
        for length in (28, 200):
            got = back(world, 0, IP(src=PEER2[4], dst=OURS[4]) /
                       ICMP(type=3, code=code, nexthopmtu=mtu) / quote_of(seen, 4, length),
                       of(ICMP))
            expect((got[IP].src, got[IP].dst), (PEER2[4], CLIENT[4](0)), "from and to")
            expect((got[ICMP].type, got[ICMP].code), (3, code), "type and code")
            if mtu:
                expect(got[ICMP].nexthopmtu, mtu, "MTU")
            inner = got[IPerror]
            expect((inner.src, inner.dst, got[UDPerror].sport, got[UDPerror].dport),
                   (CLIENT[4](0), PEER[4], 4109, 5000), "the quoted ends")
            inner_bytes = bytes(got[ICMP])[8:]
            wanted = IP(bytes(sent))
            wanted.ttl -= 1
            del wanted.chksum
            expect(inner_bytes[:28], bytes(wanted)[:28], "quoted headers, checksums too")
    seen = out(world, 0, tcp(4, PEER[4], 4110, 80, "S", seq=1234))
    got = back(world, 0, IP(src=PEER2[4], dst=OURS[4]) / ICMP(type=11) / quote_of(seen, 4),
               of(ICMP))
    expect((got[TCPerror].sport, got[IPerror].src), (4110, CLIENT[4](0)), "ends of TCP")
    seen = out(world, 0, IP(dst=PEER[4]) / ICMP(id=77, seq=3) / Raw(TEXT))
    got = back(world, 0, IP(src=PEER2[4], dst=OURS[4]) / ICMP(type=3, code=1) /
               quote_of(seen, 4), lambda f: ICMP in f and f[ICMP].type == 3)
    expect(bytes(got[ICMP])[8 + 24:8 + 26], (77).to_bytes(2, "big"), "quoted echo identifier")


@case("packets", versions=(6,))
def unreachable_inside_out_ip6(world, version):
    sent = udp(6, PEER[6], 4109, src=CLIENT[6](0))
    seen = out(world, 0, sent, marked())
    got = back(world, 0, IPv6(src=PEER2[6], dst=seen[IPv6].src) / ICMPv6DestUnreach(code=4) /
               quote_of(seen, version, 100), of(ICMPv6DestUnreach))
    expect((got[IPv6].src, got[IPv6].dst), (PEER2[6], CLIENT[6](0)), "from and to")
    wanted = bytearray(bytes(sent))
    wanted[7] -= 1
    expect(bytes(got[ICMPv6DestUnreach])[8:][:len(wanted)], bytes(wanted), "the quoted packet")


@case("packets")
def unreachable_from_client(world, _version):
    """A client's error about an answer leaves as ours, and quotes what the far end sent."""
    port = external(world, 0, 4, PEER[4], 4111)
    got = back(world, 0, IP(src=PEER[4], dst=OURS[4], id=9) / UDP(sport=5000, dport=port) /
               Raw(TEXT), marked())
    seen = out(world, 0, IP(dst=PEER[4]) / ICMP(type=3, code=3) / quote_of(got, 4), of(ICMP))
    expect((seen[IP].src, seen[IP].dst), (OURS[4], PEER[4]), "from and to")
    expect((seen[IPerror].src, seen[IPerror].dst, seen[UDPerror].sport, seen[UDPerror].dport),
           (PEER[4], OURS[4], 5000, port), "the quoted ends")


@case("packets")
def errors_about_nothing(world, _version):
    """Errors that quote what was never sent, and quotes that are cut."""
    port = external(world, 0, 4, PEER[4], 4112)
    quotes = [IP(src=OURS[4], dst=PEER2[4]) / UDP(sport=port, dport=5000),
              IP(src=OURS[4], dst=PEER[4]) / UDP(sport=port, dport=5001),
              IP(src=CLIENT[4](0), dst=PEER[4]) / UDP(sport=4112, dport=5000),
              IP(src=OURS[4], dst=PEER[4]) / TCP(sport=port, dport=5000)]
    for quote in quotes:
        lost_in(world, IP(src=PEER[4], dst=OURS[4]) / ICMP(type=3, code=3) /
                Raw(bytes(quote)[:28]), ("no-flow", "bad-transport"))
    good = bytes(IP(src=OURS[4], dst=PEER[4]) / UDP(sport=port, dport=5000))
    for cut in (0, 4, 19, 20, 24, 27):
        lost_in(world, IP(src=PEER[4], dst=OURS[4]) / ICMP(type=3, code=3) / Raw(good[:cut]),
                ("no-flow", "bad-transport"))


@case("packets")
def redirect_ignored(world, _version):
    """Nobody tells us or our clients to go another way."""
    seen = out(world, 0, udp(4, PEER[4], 4113), marked())
    lost_in(world, IP(src=GATEWAY[4], dst=OURS[4]) / ICMP(type=5, code=1, gw="10.137.0.66") /
            quote_of(seen, 4))
    seen = out(world, 0, udp(4, PEER[4], 4113), marked())
    expect(seen.dst, world.up.mac, "MAC of the next hop")


@case("packets", versions=BOTH)
def block_return(world, version):
    """A reset in answer to TCP, port unreachable to UDP, nothing to a reset or an error."""
    world.firewall.set_rules("block return all\n")
    to = PEER[version]
    world.client_send(0, tcp(version, to, 4114, 80, "S", seq=4711))
    seen = world.wires[0].take(of(TCP))
    expect_true(seen is not None, "a reset", seen)
    expect((seen[inet(version)].src, str(seen[TCP].flags), seen[TCP].seq, seen[TCP].ack), (to, "RA", 0, 4712),
           "from, flags, seq, ack")
    world.client_send(0, tcp(version, to, 4114, 80, "A", seq=4711, ack=99))
    seen = world.wires[0].take(of(TCP))
    expect((str(seen[TCP].flags), seen[TCP].seq), ("R", 99), "flags and seq of a reset to an ACK")
    packet = udp(version, to, 4114, src=CLIENT[version](0))
    world.client_send(0, packet)
    kind = ICMP if version == 4 else ICMPv6DestUnreach
    seen = world.wires[0].take(of(kind))
    expect_true(seen is not None, "an error", seen)
    expect((seen[kind].type, seen[kind].code), (3, 3) if version == 4 else (1, 4), "type and code")
    expect(bytes(seen[kind])[8:][:len(packet)], bytes(packet), "the packet that it quotes")
    for silent in (tcp(version, to, 4114, 80, "R", 5), tcp(version, to, 4114, 80, "RA", 5, 6)):
        world.client_send(0, silent)
        expect(world.wires[0].take(lambda f: IP in f or IPv6 in f, QUIET), None,
               f"answer to {silent.summary()}")


# ---- translation

@case("packets")
def port_preserved(world, _version):
    """Where it is free; else another one that is nobody's."""
    expect(external(world, 0, 4, PEER[4], 4115), 4115, "external port of the first")
    other = external(world, 1, 4, PEER[4], 4115)
    expect_true(other != 4115 and other >= 1024, "another port for the second", other)
    for i, port in ((0, 4115), (1, other)):
        got = back(world, i, IP(src=PEER[4], dst=OURS[4]) / UDP(sport=5000, dport=port) / Raw(TEXT))
        expect((got[UDP].dport, got[IP].dst), (4115, CLIENT[4](i)), "whose answer it is")
    ids = []
    for i in (0, 1):
        seen = out(world, i, IP(dst=PEER[4]) / ICMP(id=9, seq=1) / Raw(TEXT))
        ids.append(seen[ICMP].id)
        got = back(world, i, IP(src=PEER[4], dst=OURS[4]) /
                   ICMP(type=0, id=seen[ICMP].id, seq=1) / Raw(TEXT))
        expect(got[ICMP].id, 9, "identifier of the echo reply")
    expect_true(ids[0] != ids[1], "two identifiers outside", ids)


@case("packets")
def one_mapping_for_all(world, _version):
    """RFC 4787, REQ-1: the far ends see one port, also where it could not be kept."""
    external(world, 0, 4, PEER[4], 4116)
    first = external(world, 1, 4, PEER[4], 4116)
    second = external(world, 1, 4, PEER2[4], 4116)
    third = external(world, 1, 4, PEER2[4], 4116, dport=7000)
    if first != second:
        absent("eim")
    expect((second, third), (first, first), "external ports to other destinations")


NAT_RULES = """
match out on uplink inet nat-to (uplink)
block all
pass in on clients
pass out on uplink
"""


@case("packets")
def port_forwarded_in(world, _version):
    """rdr-to: a port of ours is a client's server."""
    world.firewall.set_rules(NAT_RULES + f"""
pass in on uplink proto tcp to self port 8080 rdr-to {CLIENT[4](1)} port 80
pass out on {client_name(1)} proto tcp
""")
    packet = IP(src=PEER[4], dst=OURS[4]) / TCP(sport=3333, dport=8080, flags="S", seq=1)
    world.up_send(packet)
    seen = world.wires[1].take(of(TCP))
    if seen is None:
        absent("rdr")
    expect((seen[IP].src, seen[IP].dst, seen[TCP].sport, seen[TCP].dport),
           (PEER[4], CLIENT[4](1), 3333, 80), "as the client sees it")
    seen = out(world, 1, tcp(4, PEER[4], 80, 3333, "SA", 100, 2))
    expect((seen[IP].src, seen[TCP].sport, seen[TCP].dport), (OURS[4], 8080, 3333), "the answer")
    packet = IP(src=PEER[4], dst=OURS[4]) / TCP(sport=3333, dport=8081, flags="S", seq=1)
    lost_in(world, packet)


@case("packets")
def hairpin(world, _version):
    """A client reaches another one by the address that the world knows."""
    world.firewall.set_rules(NAT_RULES + f"""
pass in on uplink proto tcp to self port 8080 rdr-to {CLIENT[4](1)} port 80
pass in on clients proto tcp to self port 8080 rdr-to {CLIENT[4](1)} port 80
pass out on {client_name(1)} proto tcp
""")
    world.client_send(0, tcp(4, OURS[4], 3334, 8080, "S", 1))
    seen = world.wires[1].take(of(TCP))
    if seen is None:
        absent("hairpin")
    expect((seen[IP].dst, seen[TCP].dport), (CLIENT[4](1), 80), "as the server sees it")
    world.client_send(1, IP(dst=seen[IP].src) / TCP(sport=80, dport=seen[TCP].sport, flags="SA",
                                                    seq=9, ack=2))
    got = world.wires[0].take(of(TCP))
    expect_true(got is not None, "an answer", got)
    expect((got[IP].src, got[TCP].sport, got[TCP].dport), (OURS[4], 8080, 3334), "the answer")


@case("packets")
def one_to_one(world, _version):
    """binat-to: an address of its own for a client, both ways, ports unchanged."""
    public = "10.137.0.50"
    world.firewall.set_rules(f"""
block all
match out on uplink inet nat-to (uplink)
match on uplink inet from {CLIENT[4](2)} binat-to {public}
pass in on clients
pass out on uplink
pass in on uplink inet to {public}
pass out on {client_name(2)}
""")
    world.client_send(2, udp(4, PEER[4], 4117))
    seen = world.up.take(marked())
    if seen is None or seen[IP].src != public:
        absent("binat")
    expect(seen[UDP].sport, 4117, "port")
    got = back(world, 2, IP(src=PEER[4], dst=public) / UDP(sport=5000, dport=4117) / Raw(TEXT))
    expect(got[IP].dst, CLIENT[4](2), "to whom the answer goes")
    world.up_send(IP(src=PEER2[4], dst=public) / UDP(sport=7000, dport=7001) / Raw(TEXT))
    got = world.wires[2].take(marked())
    expect_true(got is not None, "what begins from outside reaches the client", got)
    expect((got[IP].dst, got[UDP].dport), (CLIENT[4](2), 7001), "as the client sees it")
    seen = out(world, 0, udp(4, PEER[4], 4117), marked())
    expect(seen[IP].src, OURS[4], "address of the other clients")


@case("packets", versions=BOTH)
def mss_clamped(world, version):
    """scrub (max-mss): in both directions, never up, and only where there is such an option."""
    world.firewall.set_rules("match scrub (max-mss 1000)\n" + NAT_RULES)
    seen = out(world, 0, tcp(version, PEER[version], 4118, 80, "S", 1,
                             options=[("NOP", None), ("MSS", 1460), ("WScale", 3)]))
    if dict(seen[TCP].options)["MSS"] == 1460:
        absent("max-mss")
    expect(dict(seen[TCP].options)["MSS"], 1000, "MSS")
    got = back(world, 0, peer_tcp(version, seen[inet(version)].src, seen[TCP].sport, "SA", 1, 2,
                                  options=[("MSS", 1400)]))
    expect(dict(got[TCP].options)["MSS"], 1000, "MSS of the answer")
    seen = out(world, 0, tcp(version, PEER[version], 4119, 80, "S", 1, options=[("MSS", 536)]))
    expect(dict(seen[TCP].options)["MSS"], 536, "a smaller MSS")
    out(world, 0, tcp(version, PEER[version], 4120, 80, "S", 1))


@case("packets")
def checksum_corners(world, _version):
    """Ones' complement has two zeros: payloads for which the checksum is one or near it."""
    for port in range(4200, 4230):
        data = world.random.randbytes(14)
        bare = IP(bytes(IP(src=CLIENT[4](0), dst=PEER[4]) / UDP(sport=port, dport=5000) /
                        Raw(data + b"\0\0")))
        # Payload such that the checksum field becomes 0xffff, then its neighbours.
        for delta in (0, 1, 2, 0xFFFE):
            fill = (bare[UDP].chksum + delta) % 0xFFFF
            seen = out(world, 0, udp(4, PEER[4], port, data=data + fill.to_bytes(2, "big")), of(UDP))
            expect_true(seen[UDP].chksum != 0, "a checksum that was computed is not 0", seen)


@case("packets", versions=BOTH)
def ping_itself(world, version):
    """The firewall answers pings of its clients, each as it was sent."""
    if version == 6:
        world.client_send(0, IPv6(dst=OURS[6]) / ICMPv6EchoRequest(id=3, seq=4, data=TEXT))
        seen = world.wires[0].take(lambda f: TEXT in bytes(f))
        expect_true(seen is not None, "an answer", seen)
        return
    world.client_send(0, IP(dst=OURS[4]) / ICMP(id=3, seq=4) / Raw(TEXT))
    seen = world.wires[0].take(of(ICMP))
    expect_true(seen is not None, "an answer", seen)
    expect((seen[ICMP].type, seen[ICMP].id, seen[ICMP].seq, seen[Raw].load), (0, 3, 4, TEXT),
           "type, id, sequence, payload")
    expect(seen[IP].src, OURS[4], "from")

