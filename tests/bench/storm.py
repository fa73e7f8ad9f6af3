# SPDX-License-Identifier: ISC
"""The storms on real Xen, for integration.py: guests of this kernel (configs/storm) that
send each other as much as the rings take and compare every byte, directly and through
the relay; the same against Linux; and many clients at once.
"""
import os
import re
import time

import bench as bench_module
from bench import OUTSIDE, UPLINK_GATEWAY, UPLINK_IP

SHAPES = ["tiny", "large", "mixed"]
STORM_SECONDS = 4
# More of them take minutes under emulation: CLIENTS=64 CYCLES=1000 make test-xen
MANY_CLIENTS = int(os.environ.get("CLIENTS", "20"))
CYCLES = int(os.environ.get("CYCLES", "25"))
FLOWS_CLIENTS, FLOWS_EACH = 16, 1000
FLOWS_RULES = """
set timeout { icmp.first 300 icmp.error 300 }
pass in on clients proto icmp icmp-type echoreq
pass out on uplink
"""


class StormTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def sibling(self, name, **options):
        """The configuration of a guest from the same build."""
        kernel = os.path.join(os.path.dirname(self.kernel), options.pop("image"))
        return {"name": name, "type": self.mode, "vcpus": 1, "on_crash": "preserve",
                "kernel": self.bench.put(kernel, f"{name}.kernel"), **options}

    def storm_guest(self, role, shape, vifs, cpu):
        self.bench.create(self.sibling(
            role, image="storm", memory=32, cpus=cpu, vif=vifs,
            cmdline=f"role={role} shape={shape} seconds={STORM_SECONDS} seed=7"))

    def storm_result(self, role):
        text = self.bench.wait_console(
            role, r"done: sent (\d+) received (\d+) missing (\d+) wrong (\d+) next (\d+)",
            STORM_SECONDS + 60)
        names = ["sent", "received", "missing", "wrong", "next"]
        return dict(zip(names, map(int, text.groups())))

    def storm_check(self, shape, way):
        b = self.bench
        client, server = self.storm_result("client"), self.storm_result("server")
        seen = f"{client}\n{server}\n{b.console('client')[-800:]}\n{b.console('server')[-800:]}"
        self.expect(client["wrong"] == 0 and server["wrong"] == 0,
                    "every byte right, every flow in order", seen)
        self.expect(client["received"] > 200 and server["received"] > 200,
                    "frames both ways", seen)
        self.expect(client["next"] == server["sent"] and server["next"] == client["sent"],
                    "the frames after the storm all arrive", seen)
        print(f"    {shape}, {way}: {server['received']} of {client['sent']} up, "
              f"{client['received']} of {server['sent']} down", flush=True)

    def test_storm(self):
        """Small and 64 KiB frames between two guests: no stop, no disorder, no wrong byte."""
        for shape in SHAPES:
            self.storm_guest("server", shape, [], "3")
            self.storm_guest("client", shape, ["mac=00:16:3e:00:30:01,backend=server"], "2")
            self.storm_check(shape, "directly")
            self.bench.destroy("client")
            self.bench.destroy("server")

    def test_storm_relay(self):
        """The same through a relay, which has rings on both sides."""
        b = self.bench
        for shape in SHAPES:
            self.storm_guest("server", shape, [], "3")
            b.create(self.sibling("relay", image="relay", memory=32, cpus="1",
                                  vif=["mac=00:16:3e:00:30:02,backend=server"]))
            self.storm_guest("client", shape, ["mac=00:16:3e:00:30:01,backend=relay"], "2")
            self.storm_check(shape, "relayed")
            for name in ("client", "relay", "server"):
                b.destroy(name)

    def test_storm_linux(self):
        """The smallest datagrams and 64 KiB segments of Linux, both ways, none out of order."""
        b = self.bench
        self.start_firewall()
        self.start_client("client", 10)
        b.run("pkill iperf3; iperf3 -s -D; sleep 0.3")
        for direction in ("", "-R"):
            out = b.guest("client", f"iperf3 -u -b 0 -l 16 -t 3 -c {UPLINK_GATEWAY} {direction}",
                          60, False).out
            received = re.findall(r"(\d+)/(\d+) \(.*receiver", out)
            self.expect(received and int(received[-1][1]) - int(received[-1][0]) > 500,
                        "hundreds of datagrams to arrive", out)
            self.expect("OUT OF ORDER" not in out.upper(), "no datagram out of order", out)
            out = b.guest("client", f"iperf3 -P 4 -t 3 -c {OUTSIDE} {direction}", 60, False).out
            self.expect("receiver" in out, "four transfers to finish", out)
        out = b.guest("client", f"ping -c 5 -i 0.2 {OUTSIDE}", check=False).out
        self.expect("5 packets received" in out, "the way is free afterwards", out)

    def test_second_vif(self):
        """A guest's second vif that never connects, as an HVM guest's: the first one works."""
        b = self.bench
        self.start_firewall()
        before = self.held()
        config = self.pinger(1)
        b.create(config | {"vif": config["vif"] +
                           ["mac=00:16:3e:00:40:02,ip=10.137.2.1,backend=ringwall"]})
        b.wait_console("many1", r"\d+ answers", 60)
        path = f"/local/domain/{self.domid('ringwall')}/backend/vif/{self.domid('many1')}"
        states = b.run(f"xenstore-read {path}/0/state {path}/1/state").out.split()
        self.expect(states == ["4", "2"], "one vif Connected, one in InitWait", str(states))
        b.destroy("many1")
        self.settled(before, 30)

    def queues_of(self, name, vif):
        domid = self.domid(name)
        out = self.bench.run(f"xenstore-ls /local/domain/{domid}/device/vif/{vif}").out
        count = re.search(r'multi-queue-num-queues = "(\d+)"', out)
        return int(count.group(1)) if count else 1

    def test_queues(self):
        """Several rings to a client with two CPUs and to the uplink: used, in order, given back."""
        b = self.bench
        limit = "/sys/module/xen_netback/parameters/max_queues"
        usual = b.run(f"cat {limit}; echo 4 >{limit}").out.strip()
        try:
            self.start_firewall()
            b.wait_console("ringwall", "connected to domain 0", 20)
            before = self.held()
            b.create(b.client_config("client", 10) | {"vcpus": 2, "cpus": "2-3"})
            b.wait_ready("client")
            queues = self.queues_of("client", 0), self.queues_of("ringwall", 0)
            self.expect(queues == (2, 2), "two queues each", str(queues))
            b.run("pkill iperf3; iperf3 -s -D; sleep 0.3")
            for direction in ("", "-R"):
                out = b.guest("client", f"iperf3 -P 6 -t 3 -c {OUTSIDE} {direction}", 60, False).out
                self.expect("receiver" in out, "six transfers to finish", out)
                out = b.guest("client", f"iperf3 -u -P 6 -b 300k -l 60 -t 3 -c {UPLINK_GATEWAY} "
                              f"{direction}", 60, False).out
                self.expect("receiver" in out, "datagrams to arrive", out)
                self.expect("OUT OF ORDER" not in out.upper(), "no datagram out of order", out)
            shares = self.interrupts("client")
            self.expect(len(shares) >= 2 and all(n > 50 for n in shares),
                        "events of all of the client's queues", str(shares))
            b.destroy("client")
            self.settled(before, 30)
        finally:
            b.run(f"echo {usual} >{limit}; pkill iperf3; true")

    def interrupts(self, name):
        """How often each queue's receiving event came, from a Linux guest's own counts."""
        out = self.bench.guest(name, "cat /proc/interrupts").out
        rows = re.findall(r"^ *\d+: +((?:\d+ +)+).*vif0-q\d+-rx", out, re.M)
        return [sum(map(int, row.split())) for row in rows]

    # ---- many clients ----

    def pinger(self, number, pace="burst=1 pause=200"):
        address = f"10.137.2.{number}"
        return self.sibling(
            f"many{number}", image="churn", memory=12, cpus="2-3", watched=False,
            cmdline=f"ip={address}/32 gw={UPLINK_IP} target={OUTSIDE} {pace}",
            vif=[f"mac=00:16:3e:00:40:{number:02x},ip={address},backend=ringwall"])

    def test_many(self):
        """Many clients at once (CLIENTS=) are all served, and leave nothing."""
        b = self.bench
        # Xenstore's quota, 1,000 nodes a domain, ends at some 50 clients (README.md).
        b.run("xenstore-control quota set nodes 4000")
        self.start_firewall(memory=48)
        before = self.held()
        clients = [self.pinger(number) for number in range(1, MANY_CLIENTS + 1)]
        b.create_all(clients, 60 + 10 * MANY_CLIENTS)
        for client in clients:
            b.wait_console(client["name"], r"\d+ answers", 60)
        b.destroy_these([client["name"] for client in clients], 60 + 10 * MANY_CLIENTS)
        self.settled(before, 30)

    def test_flows(self):
        """16,000 flows of 16 clients at one time with 16 MB, and packets still pass."""
        b = self.bench
        self.start_firewall(memory=16, rules=FLOWS_RULES)
        b.create_all([self.pinger(number, f"burst=20 pause=400 flows={FLOWS_EACH}")
                      for number in range(1, FLOWS_CLIENTS + 1)], 180, paused=True)

        def full():
            lines, text = self.stats()
            used = int(re.search(r"flows: (\d+) of", lines["flows"]).group(1))
            return text if used >= FLOWS_CLIENTS * FLOWS_EACH else None

        text = bench_module.wait_for("16,000 flows", full, 150, 3)
        self.expect(re.findall(r"interface client\S+: .* (\d+) flows", text) ==
                    [str(FLOWS_EACH)] * FLOWS_CLIENTS, "the same for each client", text)
        self.expect(" 0 timed out, 0 evicted" in text, "no flow to go for another", text)
        time.sleep(3)
        later = self.stats()[1]
        sent, more = ([int(n) for n in re.findall(r"interface client\S+: .* tx (\d+)", seen)]
                      for seen in (text, later))
        self.expect(all(b > a for a, b in zip(sent, more)), "answers to each client", later)
        for line in re.findall(r"stats: ((?:flows|memory|pool): .*)", later):
            print(f"    {line}", flush=True)

    def test_cycles(self):
        """A vif comes and goes again and again (CYCLES= times) and leaves nothing."""
        b = self.bench
        self.start_firewall()
        b.create(self.pinger(1) | {"vif": []})
        before = self.held()
        state = f"/local/domain/{self.domid('many1')}/device/vif/0/state"
        for _ in range(CYCLES):
            b.run("xl network-attach many1 mac=00:16:3e:00:40:01 ip=10.137.2.1 backend=ringwall",
                  30)
            bench_module.wait_for("the client to connect", lambda: b.run(
                f"xenstore-read {state}", 10, False).out.strip() == "4", 20)
            b.run("xl network-detach many1 0", 30)
        print(f"    {CYCLES} cycles", flush=True)
        self.settled(before, 30)

    # ---- the net VM restarts ----

    def test_uplink_returns(self):
        """The uplink's backend goes and comes: a transfer that lasts longer goes on."""
        b = self.bench
        self.start_firewall()
        self.start_client("client", 10)
        b.run("pkill iperf3; iperf3 -s -D; sleep 0.3")
        job = b.guest_begin("client", f"iperf3 -b 4M -t 20 -c {OUTSIDE}", 90)
        b.wait_console("ringwall", "connected to domain 0", 20)
        for _ in range(2):
            time.sleep(3)
            start = len(b.console("ringwall"))
            b.run("xl network-detach ringwall 0", 30)
            b.run("xl network-attach ringwall mac=00:16:3e:00:10:05 script=vif-bench", 30)
            b.wait_console("ringwall", "connected to domain 0", 20, start)
        out = b.finish(job, check=False).out
        self.expect(re.search(r"20\.\d+ +sec.*receiver", out), "the transfer to finish", out)
