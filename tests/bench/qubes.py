# SPDX-License-Identifier: ISC
"""Ringwall as QubesOS's firewall qube, for integration.py. dom0's part is played by
qubes_dom0.py and the programs of tests/qubes; Linux domains are the clients, and in one
scene the net VM. The rows are those of QubesOS's own integration tests of networking:
tests/qubes/README.md says which row is shown where.
"""
import os
import random
import re
import time
import traceback

import bench as bench_module
from bench import BenchError, OUTSIDE, UPLINK_GATEWAY
from qubes_dom0 import (ACCEPT, CLOSED, DEFAULT_CMDLINE, DNS, FIREWALL_IP, FIREWALL_IP6, GATEWAY6,
                        LIVE, MAC, NAME, NAME2, OPEN, OUTSIDE2, OUTSIDE6, OUTSIDE62, Dom0)

# A full one takes ten minutes: QUBES_MINUTES=10 make test-xen
MINUTES = float(os.environ.get("QUBES_MINUTES", "0.4"))
CHURN_QUBES = 50
CHURN_UP = """
ip route add local 198.51.100.128/25 dev outside
nft -f - <<'RULES'
table ip churn {
	set seen {
		type ipv4_addr
		flags dynamic
		counter
		size 256
	}
	chain prerouting {
		type filter hook prerouting priority filter
		icmp type echo-request ip daddr 198.51.100.128/25 update @seen { ip daddr }
	}
}
RULES
"""
CHURN_DOWN = "nft delete table ip churn; ip route del local 198.51.100.128/25 dev outside; true"
EVERYTHING = "+ip +name +open +closed"
EVERYTHING6 = "+ip6 +open6 +closed6"


class Qube:
    """A client, as dom0 knows it."""

    def __init__(self, name, number, ip6=True, ip=None):
        self.name = name
        self.ip = ip or f"10.137.1.{number}"
        self.ip6 = f"fd09:24ef:4179::a89:{0x100 + number:x}" if ip6 else None
        self.visible_ip = self.visible_gateway = None

    def addresses(self):
        return [self.ip] + ([self.ip6] if self.ip6 else [])

    def vif(self, backend="ringwall"):
        return f"mac={MAC},ip={' '.join(self.addresses())},backend={backend}"

    def network(self):
        """The script with which the qube sets up its network, as setup-ip does it."""
        ip, gateway = self.visible_ip or self.ip, self.visible_gateway or FIREWALL_IP
        text = f"""
            n=0; while [ ! -e /sys/class/net/eth0 ] && [ $n -lt 100 ]; do
                sleep 0.1; n=$((n + 1)); done;
            /usr/sbin/ip address add {ip}/32 dev eth0; /usr/sbin/ip link set eth0 up;
            /usr/sbin/ip route replace {gateway} dev eth0;
            /usr/sbin/ip route replace default via {gateway} dev eth0 onlink;
            (echo nameserver {DNS[0]}; echo nameserver {DNS[1]};
                echo options timeout:1 attempts:2) >/etc/resolv.conf;"""
        if self.ip6 and not self.visible_ip:
            text += f"""
            echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6;
            /usr/sbin/ip -6 address add {self.ip6}/128 dev eth0 nodad;
            /usr/sbin/ip -6 route replace {GATEWAY6} dev eth0;
            /usr/sbin/ip -6 route replace default via {GATEWAY6} dev eth0;"""
        return text + " true"


# Each prints +WORD or -WORD; all of them run at once.
PROBES = {
    "ip": f"/usr/bin/ping -4 -n -c 1 -W 2 {OUTSIDE}",
    "name": f"/usr/bin/ping -4 -n -c 1 -W 2 {NAME}",
    "open": f"/usr/bin/nc -n -z -w 2 {OUTSIDE} {OPEN}",
    "closed": f"/usr/bin/nc -n -z -w 2 {OUTSIDE} {CLOSED}",
    "other": f"/usr/bin/nc -n -z -w 2 {OUTSIDE2} {OPEN}",
    "ip6": f"/usr/bin/ping -6 -n -c 1 -W 2 {OUTSIDE6}",
    "name6": f"/usr/bin/ping -6 -n -c 1 -W 2 {NAME}",
    "open6": f"/usr/bin/nc -6 -n -z -w 2 {OUTSIDE6} {OPEN}",
    "closed6": f"/usr/bin/nc -6 -n -z -w 2 {OUTSIDE6} {CLOSED}",
    "other6": f"/usr/bin/nc -6 -n -z -w 2 {OUTSIDE62} {OPEN}",
    "gateway": f"/usr/bin/ping -4 -n -c 1 -W 2 {FIREWALL_IP}",
}


class QubesTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    # ---- helpers ----

    def qubes_config(self, cmdline="", memory=32, backend=None, ip=FIREWALL_IP, vif=True):
        """The domain as libvirt's template describes it; backend: a net VM beside dom0."""
        addresses = f"{ip} {FIREWALL_IP6}" if backend is None else ip
        end = f"backend={backend}" if backend else "script=vif-route-bench"
        return self.bench.ringwall_config(
            self.kernel, mode=self.mode, memory=memory, cmdline=cmdline,
            vifs=[f"mac={MAC},ip={addresses},{end}"] if vif else [])

    def qube_config(self, qube, cpu="2"):
        config = self.bench.client_config(qube.name, 1, cpu=cpu)
        config["vif"] = [qube.vif()]
        config["cmdline"] = config["cmdline"].split(" rw.ip=")[0]  # the script below does it
        return config

    def start_qubes(self, *qubes):
        """Clients whose entries are in QubesDB already, all at once."""
        for number, qube in enumerate(qubes):
            self.bench.create(self.qube_config(qube, str(2 + number % 2)))
        for qube in qubes:
            self.bench.wait_ready(qube.name)
            self.set_network(qube)

    def set_network(self, qube):
        self.bench.guest(qube.name, " ".join(qube.network().split()), 40)

    def probe(self, qube, *words):
        """What of PROBES works, in the order asked for: "+ip -name"."""
        script = " ".join(f"({PROBES[w]} >/dev/null 2>&1 && echo +{w} || echo -{w}) &"
                          for w in words)
        out = self.bench.guest(qube.name, f"{script} wait", 40, False).out
        got = {word[1:]: word for word in re.findall(r"^[+-]\w+$", out, re.M)}
        return " ".join(got.get(word, f"?{word}") for word in words)

    def expect_probe(self, qube, wanted, what="", within=0):
        """wanted: "+ip -name"; tried again until `within` seconds are over."""
        words = [word[1:] for word in wanted.split()]
        end = time.monotonic() + within
        seen = self.probe(qube, *words)
        while seen != wanted and time.monotonic() < end:
            seen = self.probe(qube, *words)
        self.expect(seen == wanted, f"{what} {qube.name}: {wanted}",
                    f"{seen}\n{self.bench.console('ringwall')[-1500:]}")

    def detach(self, qube, check=True):
        """Its net VM becomes none (or another one)."""
        self.bench.run(f"xl network-detach {qube.name} $(xenstore-list /local/domain/"
                       f"$(xl domid {qube.name})/device/vif | tail -n 1)", 40, check)

    def attach(self, qube, configure=True):
        self.bench.run(f"xl network-attach {qube.name} {self.words(qube.vif())}", 40)
        if configure:
            self.set_network(qube)

    @staticmethod
    def words(vif):
        return " ".join(f"'{word}'" for word in vif.split(","))

    def rows(self, *methods):
        """Runs all of them, also after one has failed; each is a row of the list."""
        failed = []
        for method in methods:
            name = method.__name__.removeprefix("qubes_")
            if not re.search(os.environ.get("QUBES_ROWS", ""), name):
                continue
            start = time.monotonic()
            try:
                method()
                offences = self.dom0.offences()
                self.expect(not offences, "nothing that dom0's daemons object to", offences)
                verdict = "ok  "
            except (AssertionError, BenchError, Exception) as error:  # pylint: disable=W0718
                failed.append(f"{name}: {type(error).__name__}: {error}")
                verdict = "FAIL"
                self.dom0.forgive()
                if os.environ.get("QUBES_TRACE"):
                    traceback.print_exc()
                print(f"    {name}: {str(error)[:1500]}", flush=True)
            print(f"    {verdict} {name} ({time.monotonic() - start:.1f} s)", flush=True)
        self.expect(not failed, "every row to hold", "\n".join(failed))

    def peer_log(self, pattern):
        return int(self.bench.run(f"grep -c '{pattern}' /tmp/qubes-peer.log", check=False)
                   .out.strip() or 0)

    def in_qubes(self, scene):
        """dom0's side up, the scene, and down again."""
        self.dom0 = Dom0(self.bench, self.qubes)
        self.dom0.up()
        try:
            scene()
        finally:
            for program in ("db", "qrexec"):
                path = os.path.join(self.bench.log_dir, f"{self.mode}-qubes-{program}.log")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(self.dom0.log(program))
            self.dom0.down()

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
                  self.qubes_040_inter_vm, self.qubes_050_spoof, self.qubes_no_leak_upstream,
                  self.qubes_110_attach, self.qubes_001_paused, self.qubes_200_fake_ip,
                  self.qubes_202_fake_ip_firewall, self.qubes_210_custom_ip,
                  self.qubes_newest_vif, self.qubes_held, self.qubes_services,
                  self.qubes_services_many, self.qubes_daemon_again, self.qubes_bad_calls,
                  self.qubes_bad_qrexec, self.qubes_database_again, self.qubes_bad_database, self.qubes_nothing_left,
                  self.qubes_shutdown)

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
        rule = f"action=accept dsthost={NAME} proto=tcp dstports={OPEN}-{OPEN}"
        dom0.set_rules(self.a.ip, [rule])
        dom0.set_rules(self.a.ip6, [rule])
        self.expect_probe(self.a, "+open -closed -other -ip +open6 -closed6 -other6 -ip6",
                          "the name", within=5)
        dom0.serve_names(address=OUTSIDE2, address6=OUTSIDE62)
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
            a.name, f"/usr/bin/ping -4 -n -c 1 -W 2 {b.ip}; /usr/bin/ping -6 -n -c 1 -W 2 {b.ip6};"
            f" /usr/bin/nc -n -z -w 2 {b.ip} 5201 && echo reached", 30, False).out
        self.expect(out.count(" 0 received") == 2 and "reached" not in out, "no answer", out)
        self.dom0.set_rules(a.ip, [ACCEPT])

    def uplink_vif(self):
        return f"vif{self.dom0.domid}.0"

    def watched(self, filters, script, qube):
        """What of a client's packets tcpdump sees on our uplink."""
        job = self.bench.begin(f"timeout 6 tcpdump -n -i {self.uplink_vif()} {filters} "
                               "2>/dev/null; true", 30)
        time.sleep(1.2)
        self.bench.guest(qube.name, script, 30, False)
        return self.bench.finish(job, check=False).out.strip()

    def qubes_050_spoof(self):
        """Another source address than its own (either family) passes nowhere."""
        forged, forged6 = "10.137.1.128", "fd09:24ef:4179::a89:180"
        seen = self.watched(
            f"'icmp or icmp6 and (ip6[40] == 128 or ip6[40] == 129)'",
            f"/usr/sbin/ip address add {forged}/32 dev eth0; "
            f"/usr/sbin/ip -6 address add {forged6}/128 dev eth0 nodad; "
            f"/usr/bin/ping -4 -n -c 2 -i 0.3 -W 1 -I {forged} {OUTSIDE}; "
            f"/usr/bin/ping -6 -n -c 2 -i 0.3 -W 1 -I {forged6} {OUTSIDE6}; "
            f"/usr/sbin/ip address del {forged}/32 dev eth0; "
            f"/usr/sbin/ip -6 address del {forged6}/128 dev eth0", self.a)
        self.expect(seen == "", "no packet upstream", seen)
        self.expect_probe(self.a, "+ip +ip6")

    def qubes_no_leak_upstream(self):
        """Packets to a client that is off do not go upstream, nor come from there."""
        off = self.dom0.clients[2]
        seen = self.watched(f"host {off.ip}",
                            f"/usr/bin/ping -4 -n -c 2 -i 0.3 -W 1 {off.ip}", self.a)
        self.expect(seen == "", f"nothing for {off.ip} upstream", seen)
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
        """none -> us, and none -> none -> us, of a running client: works within 10 s."""
        for _ in range(2):
            self.detach(self.b)
            start = time.monotonic()
            self.dom0.pre_spawn(self.b)
            self.attach(self.b)
            self.expect_probe(self.b, EVERYTHING, "attached", within=8)
            print(f"    {time.monotonic() - start:.1f} s", flush=True)
        self.expect_probe(self.b, EVERYTHING6)

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
            self.dom0.db(f"rm /mapped-ip/{old}/")
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
        old = self.a.ip, self.a.ip6

        def change(ip, ip6):
            self.a.ip, self.a.ip6 = ip, ip6
        self.renumber(self.a, lambda: change("192.168.1.1", "2000:abcd::1"))
        self.expect_probe(self.a, EVERYTHING + " +ip6 +open6", within=8)
        self.dom0.set_rules(self.a.ip, ["action=accept proto=icmp"])
        self.dom0.set_rules(self.a.ip6, [f"action=accept proto=tcp dstports={OPEN}-{OPEN}"])
        self.expect_probe(self.a, "+ip -name -open -ip6 +open6 -closed6", "rules")
        self.renumber(self.a, lambda: change(*old))
        self.expect_probe(self.a, EVERYTHING + " +ip6 +open6", within=8)

    def qubes_newest_vif(self):
        """Two vifs with one address (restart, stubdom): the newer has it while it is there."""
        b = self.bench
        twin = self.sibling("twin", image="churn", memory=12, cpus="3",
                            cmdline=f"ip={self.b.ip}/32 gw={FIREWALL_IP} target={OUTSIDE} "
                                    "burst=1 pause=100", vif=[self.b.vif()])
        try:
            b.create(twin)
            b.wait_console("twin", r"\d+ answers", 20)
            b.destroy("twin")
            # One that never connects (Windows leaves one of its cards) changes nothing.
            b.domains["twin"] = True
            b.run(f"xl create -p {b.write_config(twin)}", 30)
            self.expect_probe(self.b, EVERYTHING, "beside one that never connects", within=8)
        finally:
            b.destroy("twin", check=False)
        self.expect_probe(self.b, EVERYTHING)

    # ---- services ----

    def qubes_held(self):
        """What is held before the calls and the bad input; compared after them."""
        self.before = self.held()

    def qubes_services(self):
        """Every service that dom0 calls; and one that is unknown, by each form of command."""
        dom0 = self.dom0
        good = ["qubes.WaitForSession", "qubes.WaitForNetworkUplink", "qubes.SuspendPreAll",
                "qubes.SuspendPre", "qubes.SuspendPost", "qubes.SuspendPostAll",
                "ringwall.Status", "ringwall.Log"]
        results = dom0.calls(*good, ("qubes.SetDateTime", "", "2030-02-03T04:05:06+00:00\n"))
        for call in results:
            self.expect(call.result == "done" and call.code == 0 and not call.wrong,
                        "exit code 0", call)
        status, log = results[6].out, results[7].out
        self.expect("interface" in status and self.a.ip in status, "clients in Status", status)
        self.expect("agents connected" in log, "the log in Log", log[-1000:])
        self.bench.wait_console("ringwall", r"it is 2030-02-03.04:05", 10)
        now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00\n", time.gmtime())
        self.expect(dom0.call("qubes.SetDateTime", "", now).code == 0, "the time again", "no")
        for service, data in (("qubes.UpdatesProxy", "GET / HTTP/1.0\r\n\r\n"),
                              ("qubes.VMShell+argument", "reboot\n" * 5000)):
            call = dom0.call(service, "", data)
            self.expect(call.result == "done" and call.code == 127 and call.err.strip() and
                        not call.out.strip(), "127 and a text on stderr", call)
        self.expect(dom0.call("qubes.SetDateTime", "", "yesterday\n").code not in (0, -1),
                    "a wrong date refused", "it is taken")
        for name, line, codes in (("shell", "user:reboot", (127,)),
                                  ("nogui", "user:nogui:QUBESRPC qubes.WaitForSession dom0", (0,)),
                                  ("source", "user:QUBESRPC qubes.WaitForSession+ work name "
                                   "ringwall", (0,)),
                                  ("empty", "", (125, 126, 127)),
                                  ("colon", "user:", (125, 126, 127))):
            out = dom0.qrexec(f"command {name} {line}")
            self.expect(re.search(rf"{name} done code ({'|'.join(map(str, codes))}) ", out) and
                        "WRONG" not in out, f"{line!r} to end with {codes}", out)
        call = dom0.call("qubes.WaitForSession", "just")
        self.expect(call.result == "done" and call.code == 0, "JUST_EXEC to end with 0", call)
        self.terminated()

    def terminated(self):
        """Every port that dom0 gave away must have been given back."""
        try:
            bench_module.wait_for("all ports to be given back", lambda: self.dom0.status()
                                  .get("ports") == 0, 10, 0.5)
        except BenchError as error:
            raise BenchError(f"{error}: {self.dom0.status()}") from error

    def qubes_services_many(self):
        """A dozen calls at once, of versions 2 to 4, some with more input than is wanted."""
        options = ["", "version=2", "version=3", "mode=flood", "version=2 mode=flood", ""]
        wanted = [("ringwall.Status", option, None) for option in options] + \
                 [("qubes.WaitForSession", option, None) for option in options]
        for call in self.dom0.calls(*wanted):
            self.expect(call.result == "done" and call.code == 0 and not call.wrong,
                        "exit code 0", call)
        self.terminated()

    def qubes_daemon_again(self):
        """dom0's daemon restarts (the reference agent never notices), and speaks 2 and 3."""
        dom0 = self.dom0
        for version in (2, 3, 4):
            dom0.wait_agent(f"offer {version}", "vanish 200")
            call = dom0.call("ringwall.Status")
            self.expect(call.result == "done" and call.code == 0, f"a call of version {version}",
                        call)
        # Killed without a word, as by kill -9.
        self.bench.run(f"kill -9 $(cat /run/qubes/{dom0.name}.qrexec.pid)")
        dom0.start_qrexec()
        dom0.wait_agent()
        self.expect(dom0.call("qubes.WaitForSession").code == 0, "a call", "not")

    def well(self, what, *lines):
        """After bad input (lines to the daemon): services are as they were."""
        self.dom0.wait_agent(*lines)
        call = self.dom0.call("qubes.WaitForSession")
        self.expect(call.result == "done" and call.code == 0, f"after {what}: a call", call)

    def qubes_bad_calls(self):
        """Calls whose dom0 side lies, floods, vanishes or breaks the ring: that call ends."""
        dom0 = self.dom0
        modes = ["length", "length-max", "type", "short", "output", "vanish", "close",
                 "hello-type", "hello-length", "hello-version", "hello-none", "close-early",
                 "vanish-early", "orders", "after-end", "no-end", "deaf", "corrupt-prod",
                 "corrupt-cons", "corrupt-both", "corrupt-peer", "corrupt-live", "corrupt-all"]
        for group in (modes[:12], modes[12:]):
            results = dom0.calls(*[("ringwall.Status", f"mode={mode} limit=2500", None)
                                   for mode in group])
            print("    " + ", ".join(f"{mode}: {call.result} {call.code}"
                                     for mode, call in zip(group, results)), flush=True)
            self.well(group)
        dom0.forgive()

    def qubes_bad_qrexec(self):
        """The daemon itself lies: unknown messages are skipped, the impossible ends it."""
        dom0 = self.dom0
        skipped = ["header 0x2ff 5 hello", "header 0x203 3 abc", "header 0x200 2 xx",
                   "header 0x200 9 12345678x", "header 0x202 8 12345678"]
        dom0.qrexec(*skipped)
        self.well("messages that mean nothing")
        for line in ("header 0x300 4 1234", "header 0x200 4294967295 x", "header 0x200 70000 x",
                     "raw " + "ff" * 300, "corrupt prod", "corrupt both", "corrupt all"):
            self.well(line, line, "vanish 100")
        dom0.forgive()
        self.expect_probe(self.a, EVERYTHING)

    # ---- QubesDB ----

    def qubes_database_again(self):
        """dom0's QubesDB is lost and comes again: as it was, and empty, then rewritten."""
        dom0 = self.dom0
        dom0.db("drop 500")
        self.expect_probe(self.a, "+ip +open")
        dom0.set_rules(self.a.ip, ["action=accept proto=icmp"])
        self.expect_probe(self.a, "+ip -open", "rules after a reconnection")
        dom0.db("restart 200")
        self.expect_probe(self.a, "+ip -open", "what was known stays")
        dom0.write_all(dom0.entries)
        dom0.set_rules(self.b.ip, [ACCEPT])
        dom0.set_rules(self.a.ip, [ACCEPT])
        self.expect_probe(self.a, EVERYTHING)
        self.bench.run(f"kill -9 $(cat /run/qubes/{dom0.name}.db.pid)")
        dom0.start_programs()
        dom0.set_rules(self.a.ip, [ACCEPT])
        self.expect_probe(self.a, EVERYTHING, "after kill -9 of the daemon")

    def qubes_bad_database(self):
        """Garbage, huge values, wrong lengths, deletions in any order, a broken ring."""
        dom0 = self.dom0
        dom0.db(*[f"message {message}" for message in (
            "1 5 nopath aaaaa", "1 3 /x a\\x00b", "5 0 /x", "77 0 /x", "7 9 /x aaaaaaaaa",
            "8 0 /x", "11 2 /x ab", "2 0 /", "4 3 /x aaa")], "drop 50")
        # Each of them costs the connection, which is made again later every time.
        for line in ("message 1 4294967295 /x", "garbage 300 1", "corrupt prod", "corrupt all"):
            dom0.db(line, "drop 50")
        self.well("wrong messages")
        dom0.forgive()
        values = [f"huge /vm-config/huge{i} 3071" for i in range(20)]
        dom0.db(*values, "huge /x 0", "rm /vm-config/huge1", "rm /vm-config/huge1",
                "rm-unknown /qubes-firewall/10.137.1.200/", "rm-unknown /never",
                "rm /qubes-firewall/", "rm /vm-config/", "write /empty ")
        # All trees have gone: the clients are closed until dom0 writes them again.
        self.expect_probe(self.a, "-ip -open")
        self.dom0.db(*self.dom0.rule_lines(self.a.ip, ["action=accept proto=icmp"])[:-1])
        self.expect_probe(self.a, "-ip -open", "without a commit")
        for qube in (self.a, self.b):
            for address in qube.addresses():
                dom0.set_rules(address, [ACCEPT])
        self.expect_probe(self.a, EVERYTHING)

    def qubes_nothing_left(self):
        """Calls and bad input have left nothing behind."""
        self.settled(self.before, 30)

    def qubes_shutdown(self):
        """xl shutdown -F: the request is acknowledged before the domain ends."""
        seen = self.dom0.shut_down()
        self.expect("" in seen, "control/shutdown to become empty", seen)
        self.expect(self.bench.state("ringwall") is None, "the domain to have gone",
                    self.bench.state("ringwall"))

    # ---- a Linux net VM; it and we come and go under a running client ----

    def test_qubes_netvm(self):
        """A Linux domain as net VM: restarts of it and of us under running clients."""
        self.in_qubes(self.qubes_netvm_scene)

    def start_netvm(self):
        self.bench.create(self.bench.linux_config(
            "netvm", "pv", ["mac=00:16:3e:00:10:03,script=vif-bench"],
            f"rw.role=router rw.ip=10.137.0.3/24 rw.gw={UPLINK_GATEWAY}", 320, 3))

    def start_behind(self, ip=FIREWALL_IP):
        """The firewall behind the net VM; clients' vifs of before are attached anew."""
        self.firewall_ip = ip
        self.dom0.start(self.qubes_config(backend="netvm", ip=ip),
                        self.dom0.base_entries(ip6=False, gateway="10.137.0.3", ip=ip))
        self.dom0.started()
        self.dom0.wait_agent()

    def reattach(self, qube):
        """What qubesd does for each running client after the net VM has started."""
        self.detach(qube, False)
        self.dom0.pre_spawn(qube)
        self.attach(qube)

    def qubes_netvm_scene(self):
        self.a = Qube("work", 10, ip6=False)
        self.dom0.clients = [self.a]
        self.dom0.rules[self.a.ip] = ([ACCEPT], {})
        start = time.monotonic()
        self.start_netvm()
        self.bench.wait_ready("netvm")
        linux = time.monotonic() - start
        start = time.monotonic()
        self.start_behind()
        print(f"    from create to ready: the Linux net VM {linux:.1f} s, this one "
              f"{time.monotonic() - start:.1f} s with all that dom0 does", flush=True)
        self.start_qubes(self.a)
        self.rows(self.qubes_000_three_layers, self.qubes_010_proxyvm,
                  self.qubes_010_netvm_restarts, self.qubes_112_shutdown, self.qubes_113_kill,
                  self.qubes_204_fake_ip_proxy)

    def qubes_000_three_layers(self):
        self.expect_probe(self.a, EVERYTHING)

    def detach_uplink(self):
        self.bench.run("xl network-detach ringwall $(xenstore-list /local/domain/"
                       f"{self.dom0.domid}/device/vif | tail -n 1)", 40, False)

    def attach_uplink(self, vif=None):
        vif = vif or f"mac={MAC},ip={self.firewall_ip},backend=netvm"
        self.bench.run(f"xl network-attach ringwall {self.words(vif)}", 40)

    def qubes_010_proxyvm(self):
        """Our own net VM: none, another one, the same again, with other name servers."""
        dom0 = self.dom0
        self.detach_uplink()
        self.expect_probe(self.a, "-ip -name", "netvm none")
        dom0.serve_names(resolvers=(OUTSIDE, OUTSIDE2))
        entries = dom0.netvm_entries(False, UPLINK_GATEWAY, dns=(OUTSIDE2, OUTSIDE))
        dom0.write_all(entries)
        self.attach_uplink(f"mac={MAC},ip={FIREWALL_IP},script=vif-route-bench")
        start = time.monotonic()
        self.expect_probe(self.a, EVERYTHING, "dom0 as net VM, another resolver", within=8)
        print(f"    after {time.monotonic() - start:.1f} s", flush=True)
        self.detach_uplink()
        dom0.serve_names()
        dom0.write_all(dom0.netvm_entries(False, "10.137.0.3"))
        self.attach_uplink()
        self.expect_probe(self.a, EVERYTHING, "the Linux net VM again", within=8)

    def qubes_010_netvm_restarts(self):
        """The net VM is killed and comes again on another domid."""
        self.bench.destroy("netvm")
        self.start_netvm()
        self.detach_uplink()
        self.expect_probe(self.a, "-ip -name", "without a net VM")
        self.bench.wait_ready("netvm")
        self.dom0.write_all(self.dom0.netvm_entries(False, "10.137.0.3"))
        self.attach_uplink()
        self.expect_probe(self.a, EVERYTHING, within=10)

    def qubes_112_shutdown(self):
        """We are shut down and started under a running (and paused, 001) client."""
        seen = self.dom0.shut_down()
        self.expect("" in seen, "the request acknowledged", seen)
        self.bench.run(f"xl pause {self.a.name}")
        self.start_behind()
        self.bench.run(f"xl unpause {self.a.name}")
        self.reattach(self.a)
        self.expect_probe(self.a, EVERYTHING, within=8)

    def qubes_113_kill(self):
        """We are killed (or crash, 114) and started under a running client."""
        self.dom0.destroyed()
        self.start_behind()
        self.reattach(self.a)
        self.expect_probe(self.a, EVERYTHING, within=8)

    def qubes_204_fake_ip_proxy(self):
        """Our own address is another one than the net VM thinks, and arbitrary (211)."""
        self.dom0.destroyed()
        self.start_behind("192.168.7.9")
        self.a.visible_gateway = "192.168.7.9"
        self.reattach(self.a)
        self.expect_probe(self.a, EVERYTHING, within=8)

    # ---- the start ----

    def test_qubes_start(self):
        """Both command lines of QubesOS, 16 MB, a client that comes before us, no rules yet."""
        self.in_qubes(self.qubes_start_scene)

    def qubes_start_scene(self):
        for cmdline, memory in (("", 32), (DEFAULT_CMDLINE, 32), ("", 16)):
            self.dom0.start(self.qubes_config(cmdline, memory))
            agents, ready = self.dom0.started()
            print(f"    {self.mode}, {memory} MB{', default words' if cmdline else ''}: agents "
                  f"connected in {agents} ms, ready in {ready} ms", flush=True)
            self.dom0.wait_agent()
            self.expect(not self.dom0.offences(), "no offence", self.dom0.offences())
            if memory == 16:
                break
            self.dom0.destroyed()
        self.rows(self.qubes_closed_before_rules, self.qubes_100_late)

    @staticmethod
    def target_of(qube):
        """An address in the outside for each client."""
        return f"198.51.100.{qube.ip.split('.')[-1]}"

    def pinger_of(self, qube):
        return self.sibling(qube.name, image="churn", memory=12, cpus="2-3",
                            cmdline=f"ip={qube.ip}/32 gw={FIREWALL_IP} "
                                    f"target={self.target_of(qube)} burst=1 pause=20 flows=4",
                            vif=[qube.vif()])

    def answered(self, qube):
        found = re.findall(r"(\d+) answers", self.bench.console(qube.name))
        return int(found[-1]) if found else 0

    def qubes_closed_before_rules(self):
        """A client whose rules dom0 has not written passes nothing; then all."""
        qube = Qube("early", 1, ip6=False)
        self.dom0.clients = [qube]
        self.dom0.write_all(self.dom0.connected())
        self.bench.create(self.pinger_of(qube))
        try:
            time.sleep(3)
            self.expect(self.answered(qube) == 0, "no answer", self.bench.console(qube.name))
            self.dom0.set_rules(qube.ip, [ACCEPT])
            self.bench.wait_console(qube.name, r"\d+ answers", 20)
        finally:
            self.bench.destroy(qube.name)

    def qubes_100_late(self):
        """A client whose vif is there before we run."""
        qube = self.dom0.clients[0]
        self.dom0.destroyed()
        self.dom0.start(self.qubes_config(), unpause=False)
        job = self.bench.begin(f"xl create {self.bench.write_config(self.pinger_of(qube))}", 60)
        self.bench.domains[qube.name] = True
        try:
            time.sleep(2)
            self.dom0.unpause()
            self.bench.finish(job)
            self.bench.wait_console(qube.name, r"\d+ answers", 30)
        finally:
            self.bench.destroy(qube.name)

    # ---- churn ----

    def test_qubes_churn(self):
        """Clients come and go at random while rules change: none passes what it may not."""
        self.in_qubes(self.qubes_churn_scene)

    def qubes_churn_scene(self):
        """Each client pings an address of its own, by which dom0's counters tell whose packet
        came through: none of a client without rules or with forbidding ones, ever."""
        dom0, b, choice = self.dom0, self.bench, random.Random(50)
        b.run("xenstore-control quota set nodes 4000; " + CHURN_UP)
        try:
            dom0.clients = [Qube(f"churn{number}", 129 + number, ip6=False)
                            for number in range(CHURN_QUBES)]
            dom0.start(self.qubes_config(memory=48))
            dom0.started()
            dom0.wait_agent()
            # One of each kind, so that what is allocated once is.
            for verdict in (True, False):
                self.churn_for(choice, 8, 2, verdict)
            before = self.held()
            self.churn_for(choice, MINUTES * 60, 6)
            self.expect(not dom0.offences(), "nothing that dom0's daemons object to",
                        dom0.offences())
            self.settled(before, 40)
        finally:
            b.run(CHURN_DOWN, check=False)

    def churn_for(self, choice, seconds, most, verdict=None):
        """Until `seconds` are over, with up to `most` clients at once, all with one verdict or
        any of them: True allowed, False forbidden, None nothing written at all."""
        end, counts = time.monotonic() + seconds, {"came": 0, "rules": 0, "checks": 0}
        running = {}  # the client: (its verdict, packets of it until then, since when)
        verdicts = (True, True, False, None) if verdict is None else (verdict,)
        while time.monotonic() < end or running:
            late = time.monotonic() >= end
            idle = [q for q in self.dom0.clients if q not in running]
            if late or len(running) >= most:
                leaving = choice.choice(list(running))
                running.pop(leaving)
                self.bench.destroy(leaving.name)
            elif not running or choice.random() < 0.5:
                coming = choice.choice(idle)
                running[coming] = self.churn_rules(coming, choice.choice(verdicts))
                self.bench.create(self.pinger_of(coming))
                counts["came"] += 1
            else:
                qube = choice.choice(list(running))
                running[qube] = self.churn_rules(qube, choice.choice(verdicts))
                counts["rules"] += 1
            self.churn_judge(running)
            counts["checks"] += len(running)
        print(f"    {counts['came']} clients came and went, rules of running ones changed "
              f"{counts['rules']} times, {counts['checks']} looks", flush=True)

    def churn_rules(self, qube, verdict):
        if verdict is None:
            base = f"/qubes-firewall/{qube.ip}"
            self.dom0.db(f"rm {base}/", f"rm {base}")
            time.sleep(0.5)  # no counter tells of what is gone
        else:
            self.dom0.set_rules(qube.ip, [ACCEPT] if verdict else
                                ["action=accept proto=tcp", "action=drop"])
        time.sleep(0.2)  # what was on its way
        return verdict, self.churn_seen().get(self.target_of(qube), 0), time.monotonic()

    def churn_seen(self):
        """How many echo requests dom0 has seen for each address."""
        out = self.bench.run("nft list set ip churn seen").out
        return {address: int(count) for address, count in
                re.findall(r"(198\.51\.100\.\d+) counter packets (\d+)", out)}

    def churn_judge(self, running):
        seen = self.churn_seen()
        for qube, (verdict, base, since) in running.items():
            count = seen.get(self.target_of(qube), 0)
            if not verdict:
                self.expect(count == base, f"no packet of {qube.name} since its rules forbid it",
                            f"{count - base}\n{self.bench.console('ringwall')[-2000:]}")
            elif count == base and time.monotonic() - since > 1:
                bench_module.wait_for(f"packets of {qube.name}, which is allowed", lambda q=qube,
                                      n=base: self.churn_seen().get(self.target_of(q), 0) > n, 20)
