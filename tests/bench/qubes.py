# SPDX-License-Identifier: ISC
"""Ringwall as QubesOS's firewall qube, for integration.py. dom0's part is played by
qubes_dom0.py and the programs of tests/qubes; Linux domains are the clients, and in one
scene the net VM. The rows are those of QubesOS's own integration tests of networking:
tests/qubes/README.md says which row is shown where.
"""
import re
import time

import bench as bench_module
from bench import OUTSIDE
from qubes_base import EVERYTHING, EVERYTHING6, Qube
from qubes_dom0 import (ACCEPT, FIREWALL_IP, LIVE, NAME, OPEN, OUTSIDE2, OUTSIDE6, OUTSIDE62)
from qubes_life import QubesLife
from qubes_services import QubesServices


class QubesTests(QubesLife, QubesServices):
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    # ---- one firewall, two Linux clients, dom0 the net VM ----

    def test_qubes(self):
        """As QubesOS's firewall qube: its own tests of networking, rules and services."""
        self.in_qubes(self.qubes_scene)

    def qubes_scene(self):
        self.a, self.b = Qube("work", 10), Qube("personal", 11)
        self.dom0.clients = [self.a, self.b, Qube("off", 12)]
        for qube in self.dom0.clients[:2]:
            for address in qube.addresses():
                self.dom0.rules[address] = ([ACCEPT], {})
        # The clients are created while the firewall boots, as when dom0 starts them in a row.
        self.dom0.start(self.qubes_config())
        agents, ready = self.dom0.started()
        print(f"    agents connected in {agents} ms, ready in {ready} ms", flush=True)
        self.dom0.wait_agent()
        self.rows(self.qubes_start)
        self.start_qubes(self.a, self.b)
        self.rows(self.qubes_000_simple_networking, self.qubes_500_simple_networking,
                  self.qubes_030_firewall, self.qubes_530_firewall, self.qubes_rule_mistakes,
                  self.qubes_rule_gaps, self.qubes_dsthost, self.qubes_031_dynamic_block,
                  self.qubes_040_inter_vm, self.qubes_050_spoof, self.qubes_no_leak,
                  self.qubes_110_attach, self.qubes_001_paused, self.qubes_200_fake_ip,
                  self.qubes_202_fake_ip_firewall, self.qubes_210_custom_ip,
                  self.qubes_newest_vif, self.qubes_held, self.qubes_services,
                  self.qubes_services_many, self.qubes_daemon_again, self.qubes_bad_calls,
                  self.qubes_bad_qrexec, self.qubes_database_again,
                  self.qubes_bad_database, self.qubes_nothing_left, self.qubes_shutdown)

    def qubes_start(self):
        """What dom0 sees of a start."""
        dom0 = self.dom0
        path = f"/local/domain/{dom0.domid}"
        bench_module.wait_for("the features to be requested", lambda: re.search(
            r"trigger \w+ service qubes.FeaturesRequest", dom0.log("qrexec")), 15, 0.5)
        self.expect(dom0.get("/features-request/qubes-firewall") == "1",
                    "/features-request/qubes-firewall to be 1", dom0.db("list /features"))
        bench_module.wait_for("FeaturesRequest to be served", lambda: re.search(
            r"call: \S+ served", dom0.log("qrexec")), 15, 0.5)
        out = self.bench.run(f"xenstore-read {path}/control/feature-poweroff; "
                             f"xenstore-read {path}/memory/meminfo", check=False).out
        self.expect(out.startswith("1\n") and "ENOENT" in out or "couldn't" in out,
                    "feature-poweroff 1, and no meminfo", out)

    def qubes_000_simple_networking(self):
        self.expect_probe(self.a, EVERYTHING + " +gateway")
        self.expect_probe(self.b, EVERYTHING)

    def qubes_500_simple_networking(self):
        self.expect_probe(self.a, EVERYTHING6 + " +name6")

    def ladder(self, qube, address, six="", target=f"dst4={OUTSIDE}/32"):
        """QubesOS's ladder of rules. Each takes effect before the counter counts."""
        dom0 = self.dom0
        icmp, tcp = "action=accept proto=icmp", f"proto=tcp dstports={OPEN}-{OPEN}"
        steps = [
            ("nothing", [], "-ip -name -open -closed"),
            ("icmp", [icmp], "+ip -name -open -closed"),
            ("icmp and dns", [icmp, "action=accept specialtarget=dns"],
             "+ip +name -open -closed"),
            ("one port", [f"action=accept {target} {tcp}"], "-ip -name +open -closed"),
            ("all but one port", [f"action=drop {target} {tcp}", ACCEPT],
             "+ip +name -open +closed")]
        slowest = 0
        for what, rules, wanted in steps:
            if six:
                # The resolvers are IPv4: that a name is asked for goes by the other tree.
                wanted = " ".join(word + "6" for word in wanted.split() if "name" not in word)
            slowest = max(slowest, dom0.set_rules(address, rules))
            self.expect_probe(qube, wanted, what)
        dom0.set_rules(address, [ACCEPT])
        print(f"    the slowest change took effect after {slowest:.1f} s", flush=True)
        self.expect(slowest < 3, "each change within 3 s", slowest)

    def qubes_030_firewall(self):
        self.ladder(self.a, self.a.ip)

    def qubes_530_firewall(self):
        self.ladder(self.a, self.a.ip6, "6", f"dst6={OUTSIDE6}/128")

    def qubes_rule_mistakes(self):
        """A tree with any mistake closes that source, and no other."""
        dom0 = self.dom0
        for what, rules, options in (
                ("no policy", [ACCEPT], {"policy": None}),
                ("an unknown key", ["action=accept dpi=http"], {}),
                ("no action", [ACCEPT, "proto=tcp"], {}),
                ("the other family", ["action=accept dst6=fd00::/8"], {}),
                ("a wrong port", ["action=accept proto=tcp dstports=1-99999"], {}),
                ("a wrong policy", [ACCEPT], {"policy": "maybe"})):
            start = len(self.bench.console("ringwall"))
            dom0.set_rules(self.a.ip, rules, **options)
            said = self.bench.wait_console(
                "ringwall", rf"rules of {re.escape(self.a.ip)}: closed: (.*)", 10, start)
            print(f"    {what}: {said.group(1)}", flush=True)
        self.expect_probe(self.a, "-ip -open +open6", "the last of them")
        dom0.set_rules(self.a.ip, [ACCEPT], policy=None)
        self.expect_probe(self.a, "-ip -open +open6", "no policy")
        self.expect_probe(self.b, EVERYTHING)
        dom0.set_rules(self.a.ip, [], policy="accept")
        self.expect_probe(self.a, "+ip +open", "policy accept")
        dom0.set_rules(self.a.ip, [ACCEPT])

    def qubes_rule_gaps(self):
        """Rules that expired leave holes in the numbers; those after them hold."""
        tcp = f"proto=tcp dstports={OPEN}-{OPEN}"
        self.dom0.set_rules(self.a.ip, [f"action=drop {tcp}", ACCEPT], numbers=[0, 1])
        self.expect_probe(self.a, "+ip -open +closed", "before the first rule expires")
        self.dom0.set_rules(self.a.ip, ["action=accept proto=icmp", f"action=accept {tcp}"],
                            numbers=[3, 1000])
        self.expect_probe(self.a, "+ip +open -closed", "with holes")
        self.dom0.set_rules(self.a.ip, [ACCEPT], numbers=[9999])
        self.expect_probe(self.a, "+ip +open +closed", "the last number alone")

    def qubes_dsthost(self):
        """A name opens what it resolves to, in either family by its tree; and follows it."""
        dom0 = self.dom0
        dom0.serve_names(ttl=2)
        rule = f"action=accept dsthost={NAME} proto=tcp dstports={OPEN}-{OPEN}"
        dom0.set_rules(self.a.ip, [rule])
        dom0.set_rules(self.a.ip6, [rule])
        self.expect_probe(self.a, "+open -closed -other -ip +open6 -closed6 -other6 -ip6",
                          "the name", within=5)
        dom0.serve_names(address=OUTSIDE2, address6=OUTSIDE62, ttl=2)
        self.expect_probe(self.a, "-open +other -open6 +other6", "the name moves", within=25)
        dom0.serve_names()
        for address in self.a.addresses():
            dom0.set_rules(address, [ACCEPT])

    def qubes_031_dynamic_block(self):
        """Two live connections: the rule ends one of them at once, without a FIN."""
        dom0 = self.dom0
        line = "(while sleep 0.2; do echo x; done) | /usr/bin/nc -n {host} {port} >/dev/null &"
        ends = (f"{OPEN} end", f"{LIVE} end")
        before = [self.peer_log(end) for end in ends]
        self.bench.guest(self.a.name, " ".join(
            line.format(host=OUTSIDE, port=port) for port in (OPEN, LIVE)) + " sleep 1.5", 20)
        dom0.set_rules(self.a.ip, [f"action=drop proto=tcp dstports={OPEN}-{OPEN}", ACCEPT])
        time.sleep(0.5)
        first = [self.peer_log(f"^{port} data") for port in (OPEN, LIVE)]
        time.sleep(2.5)
        second = [self.peer_log(f"^{port} data") for port in (OPEN, LIVE)]
        self.expect(first[0] > 1 and first[0] == second[0], "the blocked connection to stop",
                    f"{first} {second}")
        self.expect(second[1] - first[1] >= 3, "the other one to go on", f"{first} {second}")
        self.expect(self.peer_log(ends[0]) == before[0], "no end to reach the server",
                    self.bench.run("tail -n 20 /tmp/qubes-peer.log").out)
        self.bench.guest(self.a.name, "pkill nc; true")
        dom0.set_rules(self.a.ip, [ACCEPT])

    def qubes_040_inter_vm(self):
        """Clients never reach each other, whatever the rules say."""
        a, b = self.a, self.b
        self.dom0.set_rules(a.ip, [f"action=accept dst4={b.ip}/32", ACCEPT])
        out = self.bench.guest(
            a.name, f"/usr/bin/ping -4 -n -c 1 -W 2 {b.ip} & /usr/bin/ping -6 -n -c 1 -W 2 "
            f"{b.ip6} & /usr/bin/nc -n -z -w 2 {b.ip} 5201 && echo reached; wait", 30, False).out
        self.expect(out.count(" 0 received") == 2 and "reached" not in out, "no answer", out)
        self.dom0.set_rules(a.ip, [ACCEPT])

    def uplink_vif(self):
        return f"vif{self.dom0.domid}.0"

    def watched(self, filters, script, qube):
        """What of a client's packets tcpdump sees on our uplink."""
        job = self.bench.begin(f"timeout 4 tcpdump -n -i {self.uplink_vif()} {filters} "
                               "2>/dev/null; true", 30)
        time.sleep(0.8)
        self.bench.guest(qube.name, script, 30, False)
        return self.bench.finish(job, check=False).out.strip()

    def qubes_050_spoof(self):
        """Another source address than its own (either family) passes nowhere; and packets to
        a client that is off do not go upstream."""
        forged, forged6, off = "10.137.1.128", "fd09:24ef:4179::a89:180", self.dom0.clients[2].ip
        seen = self.watched(
            "'icmp or icmp6 and (ip6[40] == 128 or ip6[40] == 129)'",
            f"/usr/sbin/ip address add {forged}/32 dev eth0; "
            f"/usr/sbin/ip -6 address add {forged6}/128 dev eth0 nodad; "
            f"/usr/bin/ping -4 -n -c 2 -i 0.3 -W 1 -I {forged} {OUTSIDE} & "
            f"/usr/bin/ping -4 -n -c 2 -i 0.3 -W 1 {off} & "
            f"/usr/bin/ping -6 -n -c 2 -i 0.3 -W 1 -I {forged6} {OUTSIDE6}; wait; "
            f"/usr/sbin/ip address del {forged}/32 dev eth0; "
            f"/usr/sbin/ip -6 address del {forged6}/128 dev eth0", self.a)
        self.expect(seen == "", "no packet upstream", seen)
        self.expect_probe(self.a, "+ip +ip6")

    def qubes_no_leak(self):
        """Packets from upstream that say that they come from a client are dropped."""
        before = self.stats()[1]
        self.bench.run(f"ip address add {self.b.ip}/32 dev outside; ip route add {self.a.ip}/32 "
                       f"via {FIREWALL_IP} dev {self.uplink_vif()} onlink; "
                       f"ping -c 2 -i 0.3 -W 1 -I {self.b.ip} {self.a.ip}; "
                       f"ip address del {self.b.ip}/32 dev outside; "
                       f"ip route del {self.a.ip}/32; true")
        after = self.stats()[1]
        counted = [sum(map(int, re.findall(r"\b(?:spoofed|downstream)\D*(\d+)", text)))
                   for text in (before, after)]
        self.expect(counted[1] >= counted[0] + 2, "a drop with a name for each", after[-2500:])

    # ---- net VM changes ----

    def qubes_110_attach(self):
        """us -> none -> us, of a running client: works within 10 s."""
        self.detach(self.b)
        start = time.monotonic()
        self.dom0.pre_spawn(self.b)
        self.attach(self.b)
        self.expect_probe(self.b, EVERYTHING + " +ip6 +open6", "attached", within=8)
        print(f"    {time.monotonic() - start:.1f} s", flush=True)

    def qubes_001_paused(self):
        """Its net VM changes while the client is paused: qubesd waits with the interface
        until it runs again, and then asks us for the uplink."""
        b = self.bench
        for netvm in (False, True):
            b.run(f"xl pause {self.b.name}")
            if netvm:
                self.dom0.pre_spawn(self.b)
            b.run(f"xl unpause {self.b.name}")
            if not netvm:
                self.detach(self.b)
                self.expect_probe(self.b, "-ip -name", "netvm none")
                continue
            self.attach(self.b)
            out = self.dom0.call("qubes.WaitForNetworkUplink")
            self.expect(out.code == 0, "qubes.WaitForNetworkUplink to succeed", out)
            self.expect_probe(self.b, EVERYTHING, "after a pause", within=8)

    def renumber(self, qube, change):
        """A client's addresses change: dom0 detaches it, writes the new entries, attaches."""
        self.detach(qube)
        old = qube.ip
        change()
        # The entries of an address that is gone stay in QubesDB; the hint of a fake one not.
        if not qube.visible_ip:
            self.dom0.remove(f"/mapped-ip/{old}/")
        self.dom0.pre_spawn(qube)
        self.attach(qube)

    def fake(self, qube, ip, gateway):
        def change():
            qube.visible_ip, qube.visible_gateway = ip, gateway
        self.renumber(qube, change)

    def qubes_200_fake_ip(self):
        """The client knows another address than ours; with and (201) without a gateway."""
        self.fake(self.a, "192.168.1.128", "192.168.1.1")
        self.expect_probe(self.a, EVERYTHING, "fake address", within=8)
        out = self.bench.guest(self.a.name, "/usr/bin/ping -c 1 -W 2 192.168.1.1", 20, False).out
        self.expect(" 1 received" in out, "the fake gateway to answer", out)
        self.expect_probe(self.b, EVERYTHING)
        self.fake(self.a, "192.168.1.128", FIREWALL_IP)
        self.expect_probe(self.a, EVERYTHING, "fake address, real gateway", within=8)

    def qubes_202_fake_ip_firewall(self):
        """Rules are kept under the real address."""
        self.dom0.set_rules(self.a.ip, [f"action=accept proto=tcp dstports={OPEN}-{OPEN}"])
        self.expect_probe(self.a, "-ip -name +open -closed", "one port")
        self.dom0.set_rules(self.a.ip, [ACCEPT])
        self.fake(self.a, None, None)
        self.expect_probe(self.a, EVERYTHING + " +ip6", within=8)

    def qubes_210_custom_ip(self):
        """Any address that the user likes (210), with rules (212), and both versions (710)."""
        def change():
            self.a.ip, self.a.ip6 = "192.168.1.1", "2000:abcd::1"
        self.renumber(self.a, change)
        self.expect_probe(self.a, EVERYTHING + " +ip6 +open6", within=8)
        self.dom0.set_rules(self.a.ip, ["action=accept proto=icmp"])
        self.dom0.set_rules(self.a.ip6, [f"action=accept proto=tcp dstports={OPEN}-{OPEN}"])
        self.expect_probe(self.a, "+ip -name -open -ip6 +open6 -closed6", "rules")
        for address in self.a.addresses():
            self.dom0.set_rules(address, [ACCEPT])

    def qubes_newest_vif(self):
        """Two vifs with one address (restart, stubdom): the newer has it while it is there."""
        b = self.bench
        twin = self.sibling("twin", image="churn", memory=12, cpus="3", watched=False,
                            cmdline=f"ip={self.b.ip}/32 gw={FIREWALL_IP} target={OUTSIDE} "
                                    "burst=1 pause=100", vif=[self.b.vif()])
        try:
            b.create(twin)
            b.wait_console("twin", r"\d+ answers", 20)
            b.destroy("twin")
            # One that never connects (Windows leaves one of its cards) changes nothing.
            b.run(b.create_command(twin, "-p"), 30)
            self.expect_probe(self.b, EVERYTHING, "beside one that never connects", within=8)
        finally:
            b.destroy("twin", check=False)
        self.expect_probe(self.b, EVERYTHING)
