# SPDX-License-Identifier: ISC
"""What measure.py measures. A case is one domain under measurement (a firewall or
router, a relay or bridge) with its clients; a part is one thing measured on it.

A part is a function (case) that fills case.row. Each has its own time limit: work is
given in seconds, not in bytes, so that a slow domain costs no more time than a fast one.
"""
import json
import os
import re
import time

from bench import OUTSIDE, UPLINK_GATEWAY, UPLINK_IP, BenchError

SEGMENT = 1448
TCP_SECONDS = 4
UDP_PACKETS_PER_SECOND = 3300
UDP_SECONDS = 4
FLOOD_SECONDS = 4
FLOWS = 500
FLOWS_BURST = 8  # packets in 5 ms
CLIENTS = 16
GUEST_LIMIT = 50
CHURN_CPUS = "2-3"
RULES = "block drop all\npass in on clients all\npass out on uplink all\n"
RELAY_CLIENT_IP = "10.137.0.10"


def difference(before, after):
    return after[0] - before[0], after[1] - before[1]


def iperf_json(text):
    if "{" not in text:
        raise BenchError(f"no result of iperf3 in: {text[-400:]}")
    value = json.loads(text[text.index("{"):text.rindex("}") + 1])
    if "error" in value:
        raise BenchError(f"iperf3: {value['error']}")
    return value


class Case:
    """One domain under measurement, its clients, and the row of figures about it."""

    target = OUTSIDE  # what a client's iperf3 talks to

    def __init__(self, bench, counter, kernels, kind, mode):
        self.bench = bench
        self.counter = counter
        self.kernels = kernels
        self.kind = kind
        self.mode = mode
        self.row = {}
        self.name = None

    def client(self, script, limit=GUEST_LIMIT):
        return self.bench.guest("client", script, limit).out

    def start_client(self):
        self.bench.create(self.client_config())
        self.bench.wait_ready("client", 90)
        self.client(f"ping -c 3 {OUTSIDE}; ping -c 1 {UPLINK_GATEWAY}; true")

    def start_server(self):
        """A new iperf3 in dom0: one that a client has left hanging serves no other."""
        self.bench.run("pkill -9 iperf3; sleep 0.2; iperf3 -s -D; sleep 0.5")

    def uplink_vif(self):
        """The name of the domain's interface in dom0."""
        return f"vif{self.bench.domid(self.name)}.0"

    def uplink_packets(self):
        """(from the domain, to the domain), as dom0 has counted them."""
        path = f"/sys/class/net/{self.uplink_vif()}/statistics"
        return tuple(map(int, self.bench.run(f"cat {path}/rx_packets {path}/tx_packets")
                         .out.split()))

    def boot(self):
        """Creates the domain; fills the rows about it."""
        start_count = self.counter.read()
        start = time.monotonic()
        config = self.config()
        self.name = config["name"]
        self.bench.create(config)
        self.wait_booted()
        self.row["boot_s"] = time.monotonic() - start
        self.row["boot_minstr"] = sum(difference(start_count, self.counter.read())) / 1e6
        self.row["memory_mib"] = config["memory"]
        self.row["image_kib"] = sum(map(os.path.getsize, self.image_files())) / 1024

    def image_files(self):
        if self.kind == "linux":
            return [os.path.join(self.bench.share, name)
                    for name in ("vmlinuz", "guest.initramfs")]
        return [self.kernel]


class FirewallCase(Case):
    """The firewall, or the Linux router domain."""

    @property
    def kernel(self):
        return self.kernels.kernel

    def config(self):
        if self.kind == "linux":
            return self.bench.router_config("router", self.mode)
        return self.bench.ringwall_config(self.kernel, mode=self.mode, rules=RULES)

    def wait_booted(self):
        if self.kind == "linux":
            self.bench.wait_ready(self.name, 90)
        else:
            self.bench.wait_console(self.name, "ready in", 30)

    def client_config(self):
        return self.bench.client_config("client", 10, self.name)

    def churn_config(self, number, burst, flows):
        """A client of our own kernel that sends `burst` echo requests every 5 ms."""
        return {"name": f"churn{number}", "type": self.mode, "memory": 16, "vcpus": 1,
                "cpus": CHURN_CPUS, "on_crash": "preserve",
                "kernel": self.bench.put(self.kernels.churn, "churn.kernel"),
                "cmdline": f"ip=10.137.1.{number}/32 gw={UPLINK_IP} target={UPLINK_GATEWAY} "
                           f"burst={burst} flows={flows}",
                "vif": [f"mac=00:16:3e:00:20:{number:02x},ip=10.137.1.{number},"
                        f"backend={self.name}"]}


class RelayCase(Case):
    """The relay, or a Linux domain that is a bridge."""

    @property
    def kernel(self):
        return self.kernels.relay

    def config(self):
        if self.kind == "linux":
            return self.bench.bridge_config("bridge", self.mode)
        return self.bench.ringwall_config(self.kernel, name="relay", mode=self.mode, cmdline="")

    def wait_booted(self):
        if self.kind == "linux":
            self.bench.wait_ready(self.name, 90)
        else:
            self.bench.wait_console(self.name, "relay: started", 30)

    def client_config(self):
        return self.bench.bridged_client_config("client", RELAY_CLIENT_IP, self.name)


class RuledRelayCase(RelayCase):
    """The relay with a rule file, beside the same bridge, which has none."""

    def config(self):
        config = super().config()
        if self.kind != "linux":
            config["ramdisk"] = self.bench.put_text("relay.rules", RULES)
        return config


class EndCase(Case):
    """An end point: our iperf, or iperf3 in a Linux domain. The client is dom0."""

    target = UPLINK_IP

    @property
    def kernel(self):
        return self.kernels.iperf

    def config(self):
        if self.kind == "linux":
            return self.bench.router_config("router", self.mode)
        return self.bench.ringwall_config(
            self.kernel, name="iperf", mode=self.mode,
            cmdline=f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY} iperf=-s,-i,0")

    def wait_booted(self):
        if self.kind == "linux":
            self.bench.wait_ready(self.name, 90)
            self.bench.guest(self.name, "iperf3 -s -D; sleep 1")
        else:
            self.bench.wait_console(self.name, r"iperf: Server listening", 30)

    def start_client(self):
        self.bench.run("pkill -9 iperf3; true")

    def client(self, script, limit=GUEST_LIMIT):
        return self.bench.run(script, limit, False).out


# ---- parts ----

def tcp(case, key, options):
    before = case.counter.read()
    text = case.client(f"iperf3 -J -c {case.target} -t {TCP_SECONDS} --connect-timeout 5000 {options}")
    guest, xen = difference(before, case.counter.read())
    received = iperf_json(text)["end"]["sum_received"]
    segments = max(received["bytes"], 1) / SEGMENT
    case.row[f"{key}_mbit"] = received["bits_per_second"] / 1e6
    case.row[f"{key}_guest"] = guest / segments
    case.row[f"{key}_xen"] = xen / segments


def tcp_both(case):
    tcp(case, "tcp_up", "")
    tcp(case, "tcp_down", "-R")


def tcp_without_gso(case):
    """Every segment a packet of its own: cut in the client, and in dom0 before its vif."""
    vif = case.uplink_vif()
    case.client("ethtool -K eth0 tso off gso off")
    case.bench.run(f"ethtool -K {vif} tso off gso off")
    try:
        tcp(case, "tcp_up_nogso", "")
        tcp(case, "tcp_down_nogso", "-R")
    finally:
        case.client("ethtool -K eth0 tso on gso on")
        case.bench.run(f"ethtool -K {vif} tso on gso on")


def udp(case, key, size):
    rate = UDP_PACKETS_PER_SECOND * size * 8
    before = case.counter.read()
    text = case.client(f"iperf3 -J -u -b {rate} -l {size} -t {UDP_SECONDS} -c {UPLINK_GATEWAY}")
    guest, xen = difference(before, case.counter.read())
    end = iperf_json(text)["end"]["sum"]
    case.row[f"{key}_guest"] = guest / end["packets"]
    case.row[f"{key}_xen"] = xen / end["packets"]
    case.row["udp_lost_percent"] = max(case.row.get("udp_lost_percent", 0.0), end["lost_percent"])


def udp60(case):
    udp(case, "udp60", 60)


def udp_both(case):
    udp60(case)
    udp(case, "udp1400", 1400)


def ping_median(case, count, interval):
    text = case.client(f"ping -c {count} -i {interval} -w 10 {OUTSIDE}; true")
    times = sorted(float(t) for t in re.findall(r"time=([0-9.]+) ms", text))
    if len(times) < count // 2:
        raise BenchError(f"{len(times)} answers to {count} pings")
    return times[len(times) // 2]


def ping(case):
    case.row["ping_ms"] = ping_median(case, 20, 0.2)


def packets_cost(case, key):
    """Instructions per packet over a while in which some churn guests flood."""
    packets_before, before = case.uplink_packets(), case.counter.read()
    time.sleep(FLOOD_SECONDS)
    packets_after, after = case.uplink_packets(), case.counter.read()
    guest, xen = difference(before, after)
    sent, received = difference(packets_before, packets_after)
    if sent < 100:
        raise BenchError(f"{key}: the domain passed {sent} packets only")
    case.row[f"{key}_guest"] = guest / (sent + received)
    case.row[f"{key}_xen"] = xen / (sent + received)
    return sent / FLOOD_SECONDS


def start_churn(case, configs):
    case.bench.create_all(configs)
    for config in configs:
        case.bench.wait_console(config["name"], r"\d+ answers", 30)


def with_churn(case, configs, function):
    try:
        start_churn(case, configs)
        return function()
    finally:
        case.bench.destroy_these([config["name"] for config in configs])


def many_flows(case):
    """One client, echo requests and answers of many flows."""
    with_churn(case, [case.churn_config(40, FLOWS_BURST, FLOWS)],
               lambda: packets_cost(case, "flows"))


def many_clients(case):
    """As many packets, from many clients."""
    with_churn(case, [case.churn_config(40 + i, 1, 1) for i in range(CLIENTS)],
               lambda: packets_cost(case, "clients"))


def ping_beside_flood(case):
    """Ping of the Linux client while its neighbour sends as fast as it may."""
    if "ping_ms" not in case.row:
        ping(case)
    flooded = with_churn(case, [case.churn_config(40, 32, 1)],
                         lambda: ping_median(case, 20, 0.2))
    case.row["flooded_ping"] = flooded / case.row["ping_ms"]


# name (for --only), function, does it need the Linux client
FIREWALL_PARTS = [("ping", ping, True), ("tcp", tcp_both, True), ("gso", tcp_without_gso, True),
                  ("udp", udp_both, True), ("flood", ping_beside_flood, True),
                  ("flows", many_flows, False), ("clients", many_clients, False)]
# Only when asked for by name: creating so many domains takes minutes under emulation,
# and the relay without rules is what the bridge is to be compared with.
EXTRA_PARTS = ["clients", "ruled-tcp", "ruled-udp"]
RELAY_PARTS = [("relay-tcp", tcp_both, True), ("relay-udp", udp60, True)]
END_PARTS = [("end-tcp", tcp_both, True)]
RULED_RELAY_PARTS = [("ruled-tcp", tcp_both, True), ("ruled-udp", udp60, True)]


def run_parts(case, parts, deadline, profiler=None):
    """Boots, measures and removes a case. What failed, as texts."""
    failed = []
    what = f"{case.kind} {case.mode}"
    try:
        case.start_server()
        case.boot()
        if any(needs_client for _, _, needs_client in parts):
            case.start_client()
        for name, function, needs_client in parts:
            start = time.monotonic()
            if start > deadline:
                failed.append(f"{what} {name}: no time left")
                continue
            try:
                if profiler:
                    profiler.begin()
                function(case)
                if profiler:
                    profiler.end(case, name)
                case.bench.say(f"{what} {name}: {time.monotonic() - start:.0f} s")
            except BenchError as error:
                failed.append(f"{what} {name}: {error}")
                case.bench.upload_logs(f"{what} {name}")
                if needs_client:
                    case.client("pkill -9 iperf3; true")
                    case.start_server()
    except BenchError as error:
        failed.append(f"{what}: {error}")
        case.bench.upload_logs(what)
    case.bench.destroy_all()
    return failed
