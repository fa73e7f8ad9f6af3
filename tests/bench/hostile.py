# SPDX-License-Identifier: ISC
"""The tests with the hostile guest (configs/hostile) as the firewall's neighbour, for
integration.py: once as one client among others, once as the net VM.

What the guest thinks of its victim is in its last line: attacks that a sound driver
ends a connection for, or not, and did otherwise, are unexpected.
"""
import re
import time

from bench import OUTSIDE, UPLINK_GATEWAY, UPLINK_IP

ATTACKS_LIMIT = 240
TRANSFER_MEGABYTES = 40
UPLINK_VIF = "mac=00:16:3e:00:10:05"
ATTACKER_CPU = "3"


class HostileTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def hostile_config(self, cmdline, vifs):
        return {"name": "hostile", "type": self.mode, "memory": 16, "vcpus": 1,
                "cpus": ATTACKER_CPU, "on_crash": "preserve", "vif": vifs, "cmdline": cmdline,
                "kernel": self.bench.put(self.hostile, "hostile.kernel")}

    def hostile_client(self, attack, seed):
        self.bench.create(self.hostile_config(
            f"role=frontend attack={attack} seed={seed} ip=10.137.1.66 target={OUTSIDE}",
            ["mac=00:16:3e:00:20:42,ip=10.137.1.66,backend=ringwall"]))

    def attacks_done(self):
        """Waits for the last attack; none may have gone otherwise than it should."""
        match = self.bench.wait_console(
            "hostile", r"all done, (\d+) attacks, (\d+) unexpected", ATTACKS_LIMIT)
        text = self.bench.console("hostile")
        self.expect(match.group(2) == "0", "no attack with an unexpected outcome",
                    "\n".join(re.findall(r".*UNEXPECTED.*", text)))
        self.expect(int(match.group(1)) > 40, "more than 40 attacks", match.group(0))
        print(f"    {match.group(0)}", flush=True)

    def firewall_is_well(self):
        state = self.bench.state("ringwall")
        self.expect(state is not None and "c" not in state, "a running firewall",
                    self.bench.console("ringwall")[-2000:])

    # ---- a client among others ----

    def test_hostile_client(self):
        """One client breaks every rule; the other's transfer goes on and is complete."""
        b = self.bench
        self.start_firewall()
        b.run("pkill iperf3; iperf3 -s -D; sleep 0.3")
        self.start_client("honest", 10)
        b.guest("honest", f"ping -c 2 {OUTSIDE}")
        before = self.held()
        mapped, _ = self.foreign_mappings(self.domid("ringwall"))
        job = b.guest_begin("honest", f"iperf3 -f m -c {OUTSIDE} -b 6M "
                            f"-n {TRANSFER_MEGABYTES}M -i 10", ATTACKS_LIMIT)
        self.hostile_client("all", 1)
        self.attacks_done()
        self.firewall_is_well()
        out = b.finish(job, check=False).out
        sizes = re.findall(r"([0-9.]+) MBytes.*receiver", out)
        self.expect(sizes and float(sizes[-1]) >= TRANSFER_MEGABYTES - 1,
                    f"{TRANSFER_MEGABYTES} MBytes at the receiver", out)
        b.destroy("hostile")
        self.hostile_killed()
        self.settled(before)
        after, text = self.foreign_mappings(self.domid("ringwall"))
        self.expect(after == mapped, f"{mapped} grants mapped by the firewall",
                    f"{after}\n{text[-3000:]}")
        out = b.guest("honest", f"ping -c 3 -i 0.3 {OUTSIDE}", check=False).out
        self.expect("3 packets received" in out, "the honest client is served as before", out)
        self.firewall_is_well()

    def hostile_killed(self):
        """The attacker's domain dies in the midst of its attack."""
        for seed in (2, 3):
            self.hostile_client("at_random", seed)
            self.bench.wait_console("hostile", "at_random begins", 30)
            time.sleep(1)
            self.bench.destroy("hostile")

    # ---- the net VM ----

    def uplink_detach(self):
        """Away with the uplink, also where its backend has removed its half already."""
        domid = self.domid("ringwall")
        self.bench.run("xl network-detach ringwall 0", 60, False)
        self.bench.run(f"xenstore-rm /libxl/{domid}/device/vif/0; "
                       f"xenstore-rm /local/domain/{domid}/device/vif/0; true")

    def uplink_attach(self, options):
        start = len(self.bench.console("ringwall"))
        self.bench.run(f"xl network-attach ringwall {UPLINK_VIF} {options}", 60)
        self.bench.wait_console("ringwall", "connected to domain", 30, start)

    def test_hostile_uplink(self):
        """The net VM breaks every rule; then another one takes its place."""
        b = self.bench
        self.start_firewall()
        self.start_client("honest", 10)
        b.guest("honest", f"ping -c 2 {OUTSIDE}")
        before = self.held()
        b.create(self.hostile_config(
            f"role=backend attack=all seed=1 ip={UPLINK_GATEWAY} target={UPLINK_IP}", []))
        self.uplink_detach()
        job = b.guest_begin("honest", f"ping -q -i 0.05 -w {ATTACKS_LIMIT} {OUTSIDE} & "
                            "echo $! >/tmp/ping.pid; wait", ATTACKS_LIMIT + 20)
        self.uplink_attach("backend=hostile")
        time.sleep(5)
        self.stats()
        self.attacks_done()
        self.stats()
        self.firewall_is_well()
        b.guest("honest", "kill $(cat /tmp/ping.pid)", check=False)
        b.finish(job, check=False)
        self.uplink_detach()
        b.destroy("hostile")
        self.uplink_attach("script=vif-bench")
        out = b.guest("honest", f"ping -c 3 -i 0.3 {OUTSIDE}", check=False).out
        self.expect("3 packets received" in out, "the way through the new net VM", out)
        self.settled(before)
        self.firewall_is_well()
