# SPDX-License-Identifier: ISC
"""Starts, restarts and churn of QubesOS's firewall qube, for qubes.py."""
import os
import random
import re
import time

from bench import OUTSIDE, UPLINK_GATEWAY
from qubes_base import EVERYTHING, Qube, QubesBase
from qubes_dom0 import ACCEPT, DEFAULT_CMDLINE, FIREWALL_IP, MAC, OUTSIDE2

# A full one takes ten minutes: QUBES_MINUTES=10 make test-xen
MINUTES = float(os.environ.get("QUBES_MINUTES", "0.4"))
CHURN_QUBES = 50
CHURN_PATIENCE = 20  # s, in which a client that is allowed boots and comes through
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


class QubesLife(QubesBase):
    """Scenes of their own."""

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
        """Our own address is arbitrary (211); for us a fake one, which the net VM translates,
        is the same: what QubesDB says."""
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
        for cmdline, memory in (("", 32), (DEFAULT_CMDLINE, 16)):
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
        return self.sibling(qube.name, image="churn", memory=12, cpus="2-3", watched=False,
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
        job = self.bench.begin(self.bench.create_command(self.pinger_of(qube)), 60)
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
                self.churn_for(choice, 3, 1, verdict)
            self.churn_settle()
            before = self.held()
            self.churn_for(choice, MINUTES * 60, 6)
            self.churn_settle()
            self.expect(not dom0.offences(), "nothing that dom0's daemons object to",
                        dom0.offences())
            self.settled(before, 40)
        finally:
            b.run(CHURN_DOWN, check=False)

    def churn_settle(self):
        """The same rules for all: what is held for each client's rules stays held."""
        self.dom0.db(*[line for qube in self.dom0.clients
                       for line in self.dom0.rule_lines(qube.ip, [ACCEPT])])

    def churn_for(self, choice, seconds, most, verdict=None):
        """Until `seconds` are over, with up to `most` clients at once, all with one verdict or
        any of them: True allowed, False forbidden, None nothing written at all."""
        end, counts = time.monotonic() + seconds, {"came": 0, "rules": 0, "looks": 0}
        passed = set()
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
            self.churn_judge(running, passed)
            counts["looks"] += len(running)
        print(f"    {counts['came']} clients came and went, rules of running ones changed "
              f"{counts['rules']} times, {counts['looks']} looks, {len(passed)} times packets of "
              "allowed ones", flush=True)

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

    def churn_judge(self, running, passed):
        """Adds those who had packets come through since their last rules to `passed`."""
        seen = self.churn_seen()
        for qube, (verdict, base, since) in running.items():
            count = seen.get(self.target_of(qube), 0)
            if not verdict:
                self.expect(count == base, f"no packet of {qube.name} since its rules forbid it",
                            f"{count - base}\n{self.bench.console('ringwall')[-2000:]}")
            elif count > base:
                passed.add((qube, since))
            else:
                self.expect(time.monotonic() - since < CHURN_PATIENCE,
                            f"packets of {qube.name}, which is allowed",
                            self.bench.console("ringwall")[-2000:])
