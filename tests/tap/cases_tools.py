# SPDX-License-Identifier: ISC
"""Servers, scanners and path tools that others wrote."""
import hashlib
import re
import socket
import xml.etree.ElementTree as xml

from cases_traffic import everywhere, listens
from harness import case, expect, expect_true
from worlds import CLIENT, FAR, GATEWAY, OURS, SERVER, SMALL_MTU, client_name

BRACKETS = {4: "{}", 6: "[{}]"}
FILE_BYTES = 10 << 20
PART_BYTES = 100_000

# ---- web and names

NGINX = """
daemon off; worker_processes 1; user root; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
    fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen {port}; listen [::]:{port}; root {folder}; }}
}}
"""


def web_server(world):
    """nginx on the server, once a world; the hash of its large file."""
    if not hasattr(world, "web_hash"):
        data = world.random.randbytes(FILE_BYTES)
        for name, part in (("large", data), ("part", data[:PART_BYTES])):
            with open(f"{world.folder}/{name}", "wb") as file:
                file.write(part)
        config = world.folder + "/nginx.conf"
        with open(config, "w", encoding="ascii") as file:
            file.write(NGINX.format(folder=world.folder, port=80))
        world.server.start("nginx", "-c", config, "-e", world.folder + "/nginx.log")
        listens(world.server, 80)
        world.web_hash = hashlib.sha256(data).hexdigest()
    return world.web_hash


@everywhere(versions=(4, 6))
def curl_large(world, version):
    """10 MiB from nginx, whole."""
    wanted = web_server(world)
    host = BRACKETS[version].format(SERVER[version])
    seen = world.clients[0].run("curl", "-sS", "-m", 20, f"http://{host}/large", "-o",
                                world.folder + "/got")
    expect(seen.stdout, "", "curl's errors")
    with open(world.folder + "/got", "rb") as file:
        expect(hashlib.sha256(file.read()).hexdigest(), wanted, "hash of the file")


@case("offload", versions=(4, 6))
def curl_parallel(world, version):
    """A hundred at once."""
    web_server(world)
    host = BRACKETS[version].format(SERVER[version])
    seen = world.clients[0].run("curl", "-sS", "--no-progress-meter", "-m", 20, "-Z", "--parallel-max", 100,
                                "--parallel-immediate", "-o", "/dev/null", "-w",
                                "%{http_code} %{size_download}\\n", f"http://{host}/part?[1-100]")
    wanted = [f"200 {PART_BYTES}"] * 100
    expect(seen.stdout.split("\n")[:-1], wanted, "status and bytes of each")


def name_server(world):
    """dnsmasq on the server: www.example is 203.0.113.7, big.example a long text."""
    if hasattr(world, "names"):
        return
    text = ["--txt-record=big.example," + ",".join("x" * 200 for _ in range(10))]
    world.names = world.server.start(
        "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
        "--user=root", "--pid-file=", "--address=/www.example/203.0.113.7", *text)
    listens(world.server, 53)


@case("offload", versions=(4, 6))
def dns(world, version):
    """By UDP, by TCP, and by UDP with an answer that is too long for it."""
    name_server(world)
    for how in ("+notcp", "+tcp"):
        seen = world.clients[0].run("dig", f"@{SERVER[version]}", "www.example", "+short", how,
                                    "+timeout=2")
        expect(seen.stdout.strip(), "203.0.113.7", f"dig {how}")
    seen = world.clients[0].run("dig", f"@{SERVER[version]}", "big.example", "TXT", "+bufsize=512",
                                "+timeout=2")
    expect_true("Truncated, retrying in TCP" in seen.stdout and seen.stdout.count("x" * 200) == 10,
                "the long answer by TCP", seen.stdout)


# ---- scans

# Ports of the server and what the rules say of them.
OPEN = [22, 80, 8080]  # passed, and somebody listens
CLOSED = [81, 8081]  # passed, and nobody does
RETURNED = [23, 443, 9000]  # block return; on 443 somebody listens
DROPPED = [24, 444, 9001]  # block drop; on 444 somebody listens
SCANNED = OPEN + CLOSED + RETURNED + DROPPED


def scan_rules(protocol):
    def ports(numbers):
        return "{ " + " ".join(str(n) for n in numbers) + " }"

    return f"""
match out on uplink inet nat-to (uplink)
block drop all
pass out on uplink
pass in on clients proto {protocol} to any port {ports(OPEN + CLOSED)}
block return in on clients proto {protocol} to any port {ports(RETURNED)}
"""


def listeners(world):
    """Somebody on OPEN, 443 and 444, by TCP and UDP."""
    if hasattr(world, "listeners"):
        return
    program = """
import select, socket
ends = []
for port in %r:
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            end = socket.socket(family, kind)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                end.bind(("", port))
            except OSError:
                continue
            if kind == socket.SOCK_STREAM:
                end.listen()
            ends.append(end)
while True:
    for end in select.select(ends, [], [])[0]:
        if end.type == socket.SOCK_STREAM:
            end.accept()[0].close()
        else:
            data, peer = end.recvfrom(2000)
            end.sendto(b"here", peer)
""" % ([p for p in OPEN if p != 80] + [443, 444],)
    web_server(world)
    world.server.set("net/ipv4/icmp_ratelimit", 0)
    world.server.set("net/ipv6/icmp/ratelimit", 0)
    world.listeners = world.server.start("python3", "-c", program)
    listens(world.server, 444)


def nmap(world, version, client, host, ports, *how):
    """{port: state} as nmap found it."""
    command = ["nmap", "-n", "-Pn", "--max-retries", 2, "-T4", "--initial-rtt-timeout", "150ms",
               "--max-rtt-timeout", "300ms", "-oX", "-", *how,
               "-p", ",".join(str(p) for p in ports), host]
    if version == 6:
        command.insert(1, "-6")
    text = client.run(*command, seconds=50).stdout
    try:
        found = xml.fromstring(text[text.index("<?xml"):])
    except (ValueError, xml.ParseError) as error:
        raise RuntimeError(text) from error
    states = {int(p.get("portid")): p.find("state").get("state") for p in found.iter("port")}
    return states


def _scan(world, version, how, wanted, protocol="tcp"):
    """Scans, and compares with what each kind of port must look like."""
    listeners(world)
    world.firewall.set_rules(scan_rules(protocol))
    world.firewall.flush()
    seen = nmap(world, version, world.clients[0], SERVER[version], SCANNED, *how)
    kinds = {"open": OPEN, "closed": CLOSED, "returned": RETURNED, "dropped": DROPPED}
    for kind, ports in kinds.items():
        for port in ports:
            expect_true(seen.get(port) in wanted[kind].split(","),
                        f"port {port} ({kind}) by nmap {' '.join(how)}: {wanted[kind]}", seen)


FULL = {"open": "open", "closed": "closed", "returned": "closed", "dropped": "filtered"}
# Packets that begin nothing pass nowhere; a rule that returns may answer them.
STRAY = {"open": "open|filtered", "closed": "open|filtered", "returned": "closed,open|filtered",
         "dropped": "open|filtered"}


@case("offload", versions=(4, 6))
def nmap_connect(world, version):
    _scan(world, version, ["-sT"], FULL)


@case("offload", versions=(4, 6))
def nmap_syn(world, version):
    _scan(world, version, ["-sS"], FULL)


@case("offload", versions=(4, 6))
def nmap_udp(world, version):
    """A port unreachable that the target did not send itself is "filtered" for nmap."""
    wanted = {"open": "open", "closed": "closed", "returned": "filtered",
              "dropped": "open|filtered"}
    # Nobody serves UDP port 80.
    _scan(world, version, ["-sU"], wanted | {"open": "open,closed"}, "udp")
    seen = nmap(world, version, world.clients[0], SERVER[version], [22, 8080], "-sU")
    expect(seen, {22: "open", 8080: "open"}, "ports that answer")


@case("offload", versions=(4, 6))
def nmap_ack(world, version):
    """The middle of a connection that nobody knows passes nowhere."""
    _scan(world, version, ["-sA"], {"open": "filtered", "closed": "filtered",
                                    "returned": "unfiltered", "dropped": "filtered"})


@case("offload", versions=(4, 6))
def nmap_fin(world, version):
    _scan(world, version, ["-sF"], STRAY)


@case("offload", versions=(4, 6))
def nmap_xmas(world, version):
    _scan(world, version, ["-sX"], STRAY)


@case("offload", versions=(4,), needs=("fragments",))
def nmap_fragments(world, version):
    """Headers in pieces of 8 bytes open nothing that the rules do not open."""
    for how in (["-sS", "-f"], ["-sS", "-f", "-f"]):
        _scan(world, version, how, FULL | {"open": "open,filtered", "closed": "closed,filtered",
                                           "returned": "closed,filtered"})


@case("offload", versions=(4, 6))
def nmap_from_outside(world, version):
    """Nothing of the firewall or of a client is open to the uplink."""
    world.firewall.set_rules(scan_rules("tcp"))
    world.gateway.ip(f"route replace 10.138.0.0/24 via {OURS[4]}")
    for host in (OURS[version], CLIENT[version](0)):
        seen = nmap(world, version, world.gateway, host, SCANNED, "-sS")
        expect(seen, {port: "filtered" for port in SCANNED}, f"ports of {host}")


@case("offload", versions=(4, 6))
def nmap_neighbour(world, version):
    """Clients are alone unless a rule says otherwise."""
    port = 7000 + version
    world.clients[1].start("python3", "-m", "http.server", "--bind",
                           "::" if version == 6 else "0.0.0.0", port)
    listens(world.clients[1], port)
    world.firewall.set_rules("block drop all\npass in on clients\n")
    other = CLIENT[version](1)
    expect(nmap(world, version, world.clients[0], other, [port], "-sS"), {port: "filtered"},
           "a neighbour's port")
    world.firewall.set_rules(f"block drop all\npass in on {client_name(0)} proto tcp\n"
                             f"pass out on {client_name(1)} proto tcp to any port {port}\n")
    expect(nmap(world, version, world.clients[0], other, [port], "-sS"), {port: "open"},
           "with a rule for it")


# ---- paths

LARGEST = 65507  # bytes of ping that fit an IPv4 packet


def _lost(space, version, host, sizes):
    """The sizes of ping that were not answered."""
    lost = []
    for size in sizes:
        command = ["ping", f"-{version}", "-n", "-q", "-c", 1, "-W", 1, "-s", size, host]
        if space.run(*command).returncode:
            lost.append(size)
        if len(lost) > 5:
            break
    return lost


def whole(world, version):
    headers = 28 if version == 4 else 48
    return 1500 - headers


@everywhere(versions=(4, 6))
def ping_sizes(world, version):
    """Every size near the ends of what fits one packet, some in between."""
    most = whole(world, version)
    sizes = sorted({*range(0, 20), *range(20, most, 83), *range(most - 8, most + 1)})
    expect(_lost(world.clients[0], version, SERVER[version], sizes), [], "lost")


@case("offload", versions=(4, 6), needs=("fragments",))
def ping_fragments(world, version):
    """Around every boundary of fragments up to the largest packet."""
    piece = 1480 if version == 4 else 1448
    edges = {k * piece - 8 + d for k in range(1, 46) for d in (-1, 0, 1)}
    sizes = sorted({*edges, *range(1473, LARGEST, 5003), LARGEST - 1, LARGEST})
    sizes = [s for s in sizes if s <= LARGEST]
    expect(_lost(world.clients[0], version, SERVER[version], sizes), [], "lost")


@case("offload", versions=(4, 6))
def traceroute(world, version):
    """The firewall is a hop, and what those behind it say comes through inside out."""
    web_server(world)
    wanted = [OURS[version], GATEWAY[version], SERVER[version]]
    if version == 6:
        wanted[0] = None  # any address of the firewall
    for how in (["-I"], ["-T", "-p", 80], []):
        seen = world.clients[0].run("traceroute", f"-{version}", "-n", "-q", 1, "-w", 2, "-N", 1,
                                    *how, SERVER[version])
        hops = re.findall(r"^ *\d+ +(\S+)", seen.stdout, re.M)
        fit = len(hops) == 3 and all(w in (None, h) for w, h in zip(wanted, hops))
        expect_true(fit, f"hops by traceroute {how}: {wanted}", seen.stdout)


def _route_mtu(space, host):
    """What the kernel has learnt, or None."""
    found = re.search(r"mtu (\d+)", space.run("ip", "route", "get", host).stdout)
    return int(found.group(1)) if found else None


def _path(world, version, host, mtu):
    """A path smaller than its ends is found by ping, and TCP lives with it."""
    headers = 28 if version == 4 else 48
    client = world.clients[1]
    seen = client.run("ping", f"-{version}", "-n", "-c", 1, "-W", 1, "-M", "do", "-s", mtu, host)
    expect_true(f"mtu = {mtu}" in seen.stdout or f"mtu={mtu}" in seen.stdout,
                "the error names the MTU", seen.stdout)
    expect(_route_mtu(client, host), mtu, "MTU that the client has learnt")
    expect(_lost(client, version, host, [mtu - headers]), [], "the largest that fits")
    # Another client, who has to find out by TCP.
    _tcp_path(world, version, host, mtu)


def _tcp_path(world, version, host, mtu):
    server = world.far if host == FAR[version] else world.server
    port = 5001
    receiver = server.start(
        "python3", "-c", "import hashlib, socket, sys\n"
        f"s = socket.create_server(('', {port}), family=socket.AF_INET{'6' * (version == 6)})\n"
        "c, _ = s.accept()\nh = hashlib.sha256()\n"
        "while d := c.recv(65536): h.update(d)\nc.sendall(h.digest())\nc.close()\n")
    listens(server, port)
    data = world.random.randbytes(2_000_000)
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with world.clients[2].socket(family, socket.SOCK_STREAM) as end:
        end.settimeout(20)
        end.connect((host, port))
        end.sendall(data)
        end.shutdown(socket.SHUT_WR)
        seen = end.recv(100)
    server.stop(receiver)
    expect(seen.hex(), hashlib.sha256(data).hexdigest(), "what arrived by TCP")
    expect(_route_mtu(world.clients[2], host), mtu, "MTU learnt by TCP")


@everywhere(versions=(4, 6))
def path_mtu_beyond(world, version):
    """A small link behind the gateway: its router's error comes through inside out."""
    _path(world, version, FAR[version], SMALL_MTU)


@case("small-uplink", versions=(4, 6))
def path_mtu_own(world, version):
    """The firewall's own link is the small one."""
    _path(world, version, SERVER[version], 1400)


@case("small-uplink", versions=(4,), needs=("fragments",))
def ping_without_df(world, version):
    """What may be split is split."""
    seen = world.clients[0].run("ping", "-n", "-c", 1, "-W", 1, "-M", "dont", "-s", 1472,
                                SERVER[version])
    expect_true(" 1 received" in seen.stdout, "an answer", seen.stdout)
