# SPDX-License-Identifier: ISC
"""The nets in which the firewall is tried: who is where, and the firewall between them."""
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

from scapy.all import IP, UDP, Ether, Raw, fragment

from spaces import PREFIX, Space
from wire import Wire

CLIENTS = 3
OURS = {4: "10.137.0.5", 6: "2001:db8:137::5"}
GATEWAY = {4: "10.137.0.1", 6: "2001:db8:137::1"}
SERVER = {4: "192.0.2.80", 6: "2001:db8:2::80"}
SERVER_NET = {4: "192.0.2.1", 6: "2001:db8:2::1"}
FAR = {4: "198.51.100.80", 6: "2001:db8:100::80"}  # behind the small hop
SMALL_MTU = 1280
CLIENT = {4: lambda i: f"10.138.0.{10 + i}", 6: lambda i: f"2001:db8:138::{10 + i}"}
CLIENT_GATEWAY = {4: "10.138.0.1", 6: "2001:db8:138::1"}
BITS = {4: 24, 6: 64}

# Who knows nothing else: clients may do everything outwards, and nobody comes in.
RULES_OUT_ONLY = """
match out on uplink inet nat-to (uplink)
block all
pass in on clients
pass out on uplink
"""


def client_name(i):
    return f"client{i}.0"


def client_mac(i):
    return f"00:16:3e:5e:6c:{i:02x}"


class Firewall:
    """The program under test, its rules, log and counters."""

    def __init__(self, program, folder, macs_told):
        self.program, self.folder, self.macs_told = program, folder, macs_told
        self.process = None
        self.rules, self.stats_path = folder + "/rules.conf", folder + "/stats"
        self.log = folder + "/firewall.log"
        self.has_ip6 = "IPv6: yes" in subprocess.run([program, "--help"], check=True, text=True,
                                                     capture_output=True).stdout

    def start(self, uplink, clients, rules, options):
        """uplink: a Space; clients: Spaces."""
        both = (lambda v4, v6: f"{v4},{v6}") if self.has_ip6 else (lambda v4, v6: v4)
        command = [self.program, "--rules", self.rules, "--stats", self.stats_path,
                   "--uplink", f"uplink0@{uplink.name}=" + both(OURS[4] + "/24", OURS[6] + "/64"),
                   "--gateway", both(GATEWAY[4], GATEWAY[6])]
        for i, client in enumerate(clients):
            address = both(CLIENT[4](i), CLIENT[6](i))
            if self.macs_told:
                address += "," + client_mac(i)
            command += ["--client", f"{client_name(i)}@{client.name}={address}"]
        self._write_rules(rules)
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(command + options, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self._wait_log("ready", 0)

    def _write_rules(self, rules):
        with open(self.rules, "w", encoding="ascii") as file:
            file.write(rules)

    def log_text(self, begin=0):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            file.seek(begin)
            return file.read()

    def _wait_log(self, word, begin):
        for _ in range(5000):
            if word in self.log_text(begin):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise RuntimeError(f"no {word!r} from the firewall: {self.log_text(begin)}")

    def set_rules(self, rules):
        """Other rules from now on; flows go on."""
        begin = os.path.getsize(self.log)
        self._write_rules(rules)
        self.process.send_signal(signal.SIGHUP)
        self._wait_log("rules: ", begin)
        if "not used" in self.log_text(begin):
            raise RuntimeError(f"rules: {self.log_text(begin)}")

    def flush(self):
        """Ends every flow."""
        self.process.send_signal(signal.SIGUSR2)
        self.stats()

    def stats(self):
        """The counters, as lines. What was sent to the firewall before is done then."""
        if os.path.exists(self.stats_path):
            os.unlink(self.stats_path)
        self.process.send_signal(signal.SIGUSR1)
        for _ in range(5000):
            if os.path.exists(self.stats_path):
                with open(self.stats_path, encoding="utf-8") as file:
                    return file.read().split("\n")
            time.sleep(0.001)
        raise RuntimeError("the firewall writes no counters")

    def drops(self):
        """{reason: count}"""
        counts = {}
        for line in self.stats():
            words = line.replace(":", "").split()
            if len(words) == 3 and words[0] == "drop":
                counts[words[1]] = int(words[2])
        return counts

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self):
        """None, or what was wrong."""
        if self.process is None:
            return "it never ran"
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            return "it does not end"
        if status:
            return f"status {status}: {self.log_text()[-3000:]}"
        return None

    def kill(self):
        if self.is_alive():
            self.process.kill()
            self.process.wait()


class World:
    """A firewall with clients and an uplink, each a namespace."""

    rules = RULES_OUT_ONLY
    options = []
    kernels = True  # the neighbours are Linux; else the test plays them itself
    kind = "asan"
    macs_told = True  # else the firewall has to learn who its clients are

    def __init__(self, build, seed):
        self.random = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-")
        self.spaces = []
        self.firewall = Firewall(f"{build}/{self.kind}/firewall", self.folder,
                                 self.macs_told)
        self.clients, self.gateway = [], None
        self.known_lack = {}

    # ---- for the runner

    def start(self):
        self.gateway = self.space("gw")
        self.clients = [self.space(f"c{i}n") for i in range(CLIENTS)]
        self.firewall.start(self.gateway, self.clients, self.rules, self.options)
        self.make_links()
        if self.kernels:
            self.make_net()

    def before(self):
        self.firewall.set_rules(self.rules)
        self.firewall.flush()

    def after(self):
        """After a test that passed so far."""

    def lacks(self, need):
        """Is this feature missing?"""
        if need not in self.known_lack:
            self.known_lack[need] = getattr(self, "lacks_" + need)()
        return self.known_lack[need]

    def lacks_ip6(self):
        return not self.firewall.has_ip6

    def lacks_fragments(self):
        """Asks with a ping of two pieces."""
        return self.clients[0].run("ping", "-c", 1, "-W", 1, "-s", 2000, SERVER[4]).returncode != 0

    def is_alive(self):
        return self.firewall.is_alive()

    def explain(self, file):
        text = self.firewall.log_text()[-3000:]
        file.write("    firewall's log:\n" + "".join(f"      {t}\n" for t in text.split("\n")))
        if self.is_alive():
            file.write("".join(f"      {t}\n" for t in self.firewall.stats()))

    def end(self):
        return self.firewall.end()

    def destroy(self):
        self.firewall.kill()
        for space in self.spaces:
            space.remove()
        shutil.rmtree(self.folder)

    # ---- parts

    def space(self, label):
        space = Space(label)
        self.spaces.append(space)
        return space

    def make_links(self):
        """Devices up, with the MAC addresses that the firewall was told."""
        for i, client in enumerate(self.clients):
            client.ip(f"link set {client_name(i)} address {client_mac(i)}",
                      f"link set {client_name(i)} up")
        self.gateway.ip("link set uplink0 up")

    def make_net(self):
        """client -- firewall -- gw -- server, and gw -- mid -- far with a small link."""
        server, mid, far = self.space("srv"), self.space("mid"), self.space("far")
        self.server, self.mid, self.far = server, mid, far
        for space in (self.gateway, mid):
            space.set("net/ipv4/ip_forward", 1)
            space.set("net/ipv6/conf/all/forwarding", 1)
        for i, client in enumerate(self.clients):
            client.ip(*self.addresses(client_name(i), {v: CLIENT[v](i) for v in (4, 6)}),
                      *self.defaults(CLIENT_GATEWAY))
        self.gateway.ip(
            *self.addresses("uplink0", GATEWAY),
            f"link add name srv0 type veth peer name srv0 netns {server.name}",
            f"link add name mid0 type veth peer name gw0 netns {mid.name}",
            f"link set mid0 mtu {SMALL_MTU}", "link set srv0 up", "link set mid0 up",
            *self.addresses("srv0", SERVER_NET),
            "addr add 10.200.0.1/30 dev mid0", "addr add 2001:db8:200::1/64 dev mid0",
            "route add 198.51.100.0/24 via 10.200.0.2",
            "route add 2001:db8:100::/64 via 2001:db8:200::2",
            # IPv6 is not translated, so the way back has to be known.
            f"route add 2001:db8:138::/64 via {OURS[6]}")
        server.ip("link set srv0 up", *self.addresses("srv0", SERVER), *self.defaults(SERVER_NET))
        mid.ip(f"link set gw0 mtu {SMALL_MTU}", "link set gw0 up", "addr add 10.200.0.2/30 dev gw0",
               "addr add 2001:db8:200::2/64 dev gw0",
               f"link add name far0 type veth peer name far0 netns {far.name}", "link set far0 up",
               "addr add 198.51.100.1/24 dev far0", "addr add 2001:db8:100::1/64 dev far0",
               *self.defaults({4: "10.200.0.1", 6: "2001:db8:200::1"}))
        far.ip("link set far0 up", *self.addresses("far0", FAR),
               *self.defaults({4: "198.51.100.1", 6: "2001:db8:100::1"}))

    @staticmethod
    def addresses(device, of):
        return [f"addr add {of[4]}/{BITS[4]} dev {device}",
                f"addr add {of[6]}/{BITS[6]} dev {device} nodad"]

    @staticmethod
    def defaults(via):
        return [f"route add default via {via[4]}", f"route add ::/0 via {via[6]}"]


class Offload(World):
    """Large packets and blank checksums on every link."""


class Plain(World):
    """No offload anywhere."""

    options = ["--plain", "all"]


class PlainUplink(World):
    """Clients send large packets, the uplink cannot: segmentation in software."""

    options = ["--plain", "uplink"]


class Unguarded(World):
    """Clients whose MAC addresses nobody has told: attackers get further."""

    macs_told = False


class Fast(World):
    """Compiled for speed."""

    kind = "plain"


class SmallUplink(World):
    """The firewall itself has the smaller link."""

    options = ["--mtu", "uplink0=1400"]

    def make_links(self):
        super().make_links()
        self.gateway.ip("link set uplink0 mtu 1400")


UP_MAC = "00:16:3e:01:01:01"  # ours, as the program has them
CLIENT_SIDE_MAC = "fe:ff:ff:ff:ff:ff"
FAR_MAC = "00:16:3e:0a:0a:0a"
LINK_LOCAL = "fe80::216:3eff:fe0a:a0a"


class Packets(World):
    """The test plays all neighbours itself: the namespaces have no addresses."""

    kernels = False
    flows = 1024
    options = ["--flows", str(flows)]

    def start(self):
        super().start()
        self.up_mac, self.client_side_mac = UP_MAC, CLIENT_SIDE_MAC
        self.up = Wire(self.gateway, "uplink0", FAR_MAC, self.on_link)
        self.wires = [Wire(space, client_name(i), client_mac(i), self.own(i))
                      for i, space in enumerate(self.clients)]

    @staticmethod
    def on_link(address):
        return address in (GATEWAY[4], GATEWAY[6], LINK_LOCAL)

    @staticmethod
    def own(i):
        return lambda address: address in (CLIENT[4](i), CLIENT[6](i))

    def make_links(self):
        for space in [self.gateway] + self.clients:
            space.set("net/ipv6/conf/all/disable_ipv6", 1)
            space.set("net/ipv6/conf/default/disable_ipv6", 1)
        super().make_links()

    def before(self):
        super().before()
        for wire in [self.up] + self.wires:
            wire.drain()

    def lacks_fragments(self):
        whole = IP(src=CLIENT[4](0), dst="203.0.113.7") / UDP(sport=9, dport=9) / Raw(b"x" * 64)
        for piece in fragment(whole, 24):
            self.client_send(0, piece)
        return self.up.take(lambda f: IP in f) is None

    def client_send(self, i, packet):
        """From client i; its own source address where the packet says none."""
        layer = packet.getlayer(0)
        if "src" not in layer.fields:
            layer.src = CLIENT[4 if isinstance(layer, IP) else 6](i)
        self.wires[i].send(Ether(src=client_mac(i), dst=CLIENT_SIDE_MAC) / packet)

    def up_send(self, packet):
        """From the gateway."""
        self.up.send(Ether(src=FAR_MAC, dst=UP_MAC) / packet)


class Comparison:
    """No firewall with links: tests that bring what they need."""

    def __init__(self, build, seed):
        self.random, self.program = random.Random(seed), build + "/asan/verdicts"

    def start(self):
        """Nothing to start."""

    before = after = destroy = start

    def lacks(self, _need):
        return False

    def is_alive(self):
        return True

    def end(self):
        return None

    def explain(self, _file):
        """The failure says all."""
