#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The integration tests: Ringwall between real Linux guests and dom0, on real Xen,
in both modes on one boot of the bench. `make test-xen` runs them.

    integration.py KERNEL CHURN_KERNEL SELFTEST_KERNEL [--hostile KERNEL] [--relay KERNEL]
                   [--vchan KERNEL PEER] [--qubes FOLDER] [--iperf KERNEL] [--httpd KERNEL]
                   [--blktest KERNEL] [--ramdisk KERNEL] [--trap KERNEL] [--mode pv|pvh]
                   [--only WORD]

With --trap a kernel whose undefined behaviour traps is put through the main job too,
with --hostile the firewall is attacked by its neighbours (hostile.py), with --relay the
relay is tried (relay.py), with --vchan vchans against libxenvchan (vchan.py), with --qubes
and the folder of tests/qubes' programs the firewall is one of QubesOS (qubes.py), with
--iperf end points are tried (ends.py), with --httpd its pages (web.py), with --blktest our
disks against Linux's backend (disks.py), with --ramdisk the disks that we serve (ramdisk.py).

Prints a line a test, what was expected and seen where one fails, and at the end
`N passed, N failed`. A failed test leaves the consoles of all domains in
build/bench-logs/.
"""
import argparse
import re
import sys
import time
import traceback

import bench as bench_module
from bench import Bench, BenchError, OUTSIDE, UPLINK_GATEWAY, UPLINK_IP
from disks import DisksTests
from ends import EndTests
from hostile import HostileTests
from logdisk import LogDiskTests
from qubes import QubesTests
from ramdisk import RamdiskTests
from relay import RelayTests
from stack import StackTests
from storm import StormTests
from uplinks import UplinkTests
from vchan import VchanTests
from web import WebTests

RULES = f"""
set block-policy return
block log all label "default"
pass in on clients proto icmp icmp-type echoreq
pass in on clients proto udp from any to any port {{ domain 5201 33434:33534 }}
pass in on clients proto tcp from any to any port 5201
pass out on uplink
block drop in on clients proto tcp from any to any port 7777 label "telnet"
"""
FAULTS = {"null": "page fault", "text": "page fault", "data": "page fault",
          "ud": "ud2: undefined behaviour", "div": "divide error", "panic": "PANIC",
          "canary": "stack protector"}
CHURNS = 20
LINUX_CHURNS = 2
CHURN_LIMIT = 400
TRANSFER = "60M"


class Failure(Exception):
    """A test's expectation that was not met."""


def expect(condition, expected, seen):
    if not condition:
        raise Failure(f"expected: {expected}\nseen: {seen}")


def megabits(text, side):
    """The rate in the last line of iperf3's text output for sender or receiver."""
    found = re.findall(r"([0-9.]+) ([KMG])bits/sec.*" + side, text)
    expect(found, f"iperf3's {side} line", text)
    value, unit = found[-1]
    return float(value) * {"K": 0.001, "M": 1.0, "G": 1000.0}[unit]


class Suite(DisksTests, EndTests, HostileTests, LogDiskTests, QubesTests, RamdiskTests, RelayTests,
            StackTests, StormTests, UplinkTests, VchanTests, WebTests):
    expect = staticmethod(expect)

    def __init__(self, bench, kernels, mode):
        self.bench = bench
        self.kernel = kernels.kernel
        self.churn = kernels.churn
        self.selftest = kernels.selftest
        self.trap = kernels.trap
        self.hostile = kernels.hostile
        self.qubes = kernels.qubes
        self.relay = kernels.relay
        self.vchan = kernels.vchan
        self.iperf = kernels.iperf
        self.httpd = kernels.httpd
        self.blktest = kernels.blktest
        self.ramdisk = kernels.ramdisk
        self.mode = mode

    # ---- helpers ----

    def firewall(self, **options):
        options.setdefault("rules", RULES)
        return self.bench.ringwall_config(self.kernel, mode=self.mode, **options)

    def start_firewall(self, **options):
        self.bench.create(self.firewall(**options))
        return self.bench.wait_console("ringwall", r"ready in (\d+) ms", 30)

    def start_client(self, name, number, **options):
        self.bench.create(self.bench.client_config(name, number, **options))
        self.bench.wait_ready(name)

    def stats(self, name="ringwall"):
        """The firewall's stats as {name: value} for every 'name NUMBER' in them."""
        start = len(self.bench.console(name))
        self.bench.type(name, "stats")
        self.bench.wait_console(name, r"^stats: end", 15, start)
        text = self.bench.console(name)[start:]
        lines = {}
        for line in re.findall(r"^stats: (.*)$", text, re.M):
            lines[line.split(":")[0]] = line
        return lines, text

    def held(self, name="ringwall"):
        """What must be the same before a client came and after it went."""
        lines, text = self.stats(name)
        xen = re.search(r"granted (\d+) mapped (\d+) ports (\d+) watches (\d+) fibers (\d+)",
                        lines["xen"])
        pool = re.search(r"packets-free (\d+) of (\d+).*quarantined (\d+)", lines["pool"])
        memory = re.search(r"pages-free (\d+) heap-used (\d+)", lines["memory"])
        expect(xen and pool and memory, "stats lines xen, pool and memory", text)
        names = ["granted", "mapped", "ports", "watches", "fibers", "packets-free", "packets",
                 "quarantined", "pages-free"]
        held = dict(zip(names, map(int, xen.groups() + pool.groups() + memory.groups()[:1])))
        held["heap-used"] = int(memory.group(2))
        return held

    def foreign_mappings(self, domid):
        """Entries of other domains' grant tables that Xen shows as in use by `domid`."""
        self.bench.run("xl dmesg -c >/dev/null; xl debug-keys g; sleep 0.5")
        text = self.bench.run("xl dmesg -c").out
        # [0xREF] DOMID 0xMFN 0xPIN ...: who uses the entry, which page, how often
        users = re.findall(r"\[0x[0-9a-f]+\]\s+(\d+) 0x[0-9a-f]+ 0x[0-9a-f]+ ", text)
        return users.count(str(domid)), text

    def domid(self, name):
        return self.bench.domid(name)

    # ---- tests ----

    def test_boot(self):
        """xl create succeeds and a ready line follows, with 32 and with 16 MB."""
        for memory in (16, 32):
            match = self.start_firewall(memory=memory)
            expect(int(match.group(1)) < 10000, "ready within 10 s of entry", match.group(0))
            self.bench.destroy("ringwall")
        expect(self.bench.state("ringwall") is None, "no domain after destroy", "one")

    def test_selftest(self):
        """The lower layers tried from inside: events, grants, fibers, time, store, console."""
        b = self.bench
        b.create({"name": "selftest", "type": self.mode, "memory": 32, "vcpus": 1, "cpus": "1",
                  "kernel": b.put(self.selftest, "selftest.kernel"), "on_crash": "preserve"})
        # What a guest's quota does not let it write itself: a listing of several messages.
        large = f"/local/domain/{self.domid('selftest')}/data/large"
        b.run(f"for i in $(seq 100 249); do echo {large}/a-name-of-some-length-for-child-"
              f"$((i - 100)) x; done | xargs -n 100 xenstore-write; "
              f"xenstore-write {large}-is-ready 1")
        match = b.wait_console("selftest", r"selftest: (\d+) passed, (\d+) failed", 60)
        expect(match.group(2) == "0" and int(match.group(1)) > 100, "no check to fail",
               "\n".join(re.findall(r".*selftest: .*", b.console("selftest"))))
        print("    " + match.group(0), flush=True)
        bench_module.wait_for("the domain to end", lambda: b.state("selftest") is None, 20)

    def test_client(self):
        """The main job: ping, TCP, UDP, DNS, address translation, traceroute, a blocked port."""
        b = self.bench
        self.start_firewall()
        self.start_client("client", 10)
        try:
            self.check_ping()
            self.check_address()
            self.check_tcp()
            self.check_udp()
            self.check_dns()
            self.check_traceroute()
            self.check_blocked()
        finally:
            b.run("pkill iperf3; pkill tcpdump; true")

    def check_ping(self):
        out = self.bench.guest("client", f"ping -c 5 -i 0.3 {OUTSIDE}", check=False).out
        expect(re.search(r"5 packets received", out), "5 answers to 5 pings", out)
        out = self.bench.guest("client", f"ping -c 1 -s 1400 {UPLINK_GATEWAY}", check=False).out
        expect("1 packets received" in out, "an answer to a large ping", out)

    def check_address(self):
        b = self.bench
        job = b.begin("timeout 8 tcpdump -n -i xenbr0 -c 4 icmp 2>/dev/null", 30)
        time.sleep(2)
        b.guest("client", f"ping -c 3 -i 0.3 {OUTSIDE}", check=False)
        out = b.finish(job, check=False).out
        expect(UPLINK_IP in out and "10.137.1." not in out,
               f"dom0 sees {UPLINK_IP} and no client's address", out)

    def check_tcp(self):
        b = self.bench
        b.run("pkill iperf3; iperf3 -s -D --logfile /tmp/iperf3.log; sleep 0.5")
        for direction in ("", "-R"):
            out = b.guest("client", f"iperf3 -f m -c {OUTSIDE} -n {TRANSFER} {direction}", 120,
                          False).out
            rate = megabits(out, "receiver")
            size = re.findall(r"([0-9.]+) MBytes", out)[-1]
            expect(float(size) >= 50, f"{TRANSFER} through iperf3", out)
            print(f"    TCP {'down' if direction else 'up'}: {rate:.0f} Mbit/s", flush=True)
        log = b.run("cat /tmp/iperf3.log").out
        expect(f"Accepted connection from {UPLINK_IP}" in log and "10.137.1." not in log,
               "iperf3's server sees the firewall's address only", log[-500:])

    def check_udp(self):
        # To the bridge's own address: iperf3 answers UDP from the address of the route.
        out = self.bench.guest("client", f"iperf3 -u -b 5M -l 512 -t 2 -c {UPLINK_GATEWAY}", 60,
                               False).out
        lost = re.findall(r"(\d+)/(\d+) \(", out)
        expect(lost and int(lost[-1][1]) > 500, "some thousand UDP packets", out)
        expect(int(lost[-1][0]) * 5 < int(lost[-1][1]), "less than a fifth of them lost", out)

    def check_dns(self):
        out = self.bench.guest("client", f"nslookup server.test {UPLINK_GATEWAY}", check=False).out
        expect(OUTSIDE in out, f"server.test resolves to {OUTSIDE}", out)

    def check_traceroute(self):
        out = self.bench.guest("client", f"traceroute -n -q 1 -w 3 -m 4 {OUTSIDE}", 60,
                               False).out
        expect(re.search(r"^ ?1\s+" + re.escape(UPLINK_IP), out, re.M),
               f"hop 1 is {UPLINK_IP}", out)
        expect(re.search(r"^ ?2\s+" + re.escape(OUTSIDE), out, re.M), f"hop 2 is {OUTSIDE}", out)

    def check_blocked(self):
        b = self.bench
        b.run("(while true; do nc -l -p 7777 </dev/null; done) >/dev/null 2>&1 & sleep 0.3")
        before = self.drops("blocked")
        out = b.guest("client", f"nc -w 2 {OUTSIDE} 7777 </dev/null; echo status $?", 30).out
        expect("status 1" in out, "a connection to port 7777 fails", out)
        out = b.guest("client", f"nc -w 5 {OUTSIDE} 7778 </dev/null; echo status $?", 30).out
        expect("status 1" in out, "a connection to port 7778 is refused", out)
        after = self.drops("blocked")
        expect(after > before, f"more than {before} blocked packets are counted", after)

    def drops(self, name, domain="ringwall"):
        _, text = self.stats(domain)
        match = re.search(rf"\b{name}\b\D*(\d+)", text)
        return int(match.group(1)) if match else 0

    def test_stop(self):
        """xl shutdown, reboot and destroy; unknown requests; nothing is left in dom0."""
        b = self.bench
        self.start_firewall()
        before = self.domid("ringwall")
        b.run("xenstore-write /local/domain/%d/control/shutdown nonsense" % before)
        b.wait_console("ringwall", 'request "nonsense" is not supported', 10)
        expect(b.run(f"xenstore-read /local/domain/{before}/control/shutdown").out.strip() == "",
               "the unknown request is acknowledged", "it is not")
        b.run("xl reboot ringwall", 60)
        bench_module.wait_for("the domain to come again", lambda: self.new_domid(before), 40)
        b.wait_console("ringwall", r"ready in \d+ ms[\s\S]*ready in \d+ ms", 30)
        expect("reboot requested" in b.console("ringwall"), "a clean reboot",
               b.console("ringwall")[-800:])
        b.run("xl shutdown -w ringwall", 60)
        expect("poweroff requested" in b.console("ringwall"), "a clean shutdown",
               b.console("ringwall")[-800:])
        bench_module.wait_for("the domain to go", lambda: b.state("ringwall") is None, 20)
        self.start_firewall()
        b.destroy("ringwall")
        self.nothing_left()

    def new_domid(self, old):
        return self.bench.domid("ringwall", False) not in (None, old)

    def nothing_left(self, name="ringwall"):
        b = self.bench
        out = b.run("ls /sys/class/net; xenstore-ls /local/domain/0/backend 2>/dev/null; "
                    "true").out
        expect("vif" not in out, "no vif in dom0", out)
        out = b.run(f"cat /var/log/xen/xl-{name}*.log 2>/dev/null", check=False).out
        expect("error" not in out.lower() and "timed out" not in out, "no error from libxl", out)

    def closed_firewall(self, pattern, **options):
        b = self.bench
        b.create(self.firewall(**options))
        match = b.wait_console("ringwall", pattern, 20)
        b.wait_console("ringwall", "CLOSED", 20)
        state = b.state("ringwall")
        expect(state is not None and "c" not in state, "a running domain", state)
        b.destroy("ringwall")
        return match.group(0)

    def test_mistakes(self):
        """A wrong rule file, command line, no ramdisk, no uplink: a message, and closed."""
        bad_rules = "block all\npass in on clients proto tcp to any port 99999\n"
        print("    " + self.closed_firewall(r"rules: 2:\d+: .*", rules=bad_rules))
        print("    " + self.closed_firewall(r"no rules: .*", rules=None))
        print("    " + self.closed_firewall(r"cmdline: 1:4: .*", cmdline="ip=10.137.0.555 gw=x"))
        print("    " + self.closed_firewall(r'cmdline: 1:\d+: unknown word "colour=blue"',
                                            cmdline="ip=10.137.0.5/24 gw=10.137.0.1 colour=blue"))
        self.bench.create(self.firewall(vifs=[]))
        print("    " + self.bench.wait_console("ringwall", "no uplink yet.*", 20).group(0))
        state = self.bench.state("ringwall")
        expect(state and "c" not in state, "a running domain without uplink", state)
        self.bench.destroy("ringwall")

    def test_closed_blocks(self):
        """A firewall without rules lets nothing of a client through."""
        self.bench.create(self.firewall(rules=None))
        self.bench.wait_console("ringwall", "ready in", 30)
        self.start_client("client", 10)
        out = self.bench.guest("client", f"ping -c 2 -W 2 {OUTSIDE}", check=False).out
        expect("0 packets received" in out, "no answer to pings", out)
        expect(self.drops("no-rules") > 0, "drops counted as no-rules", self.stats()[1])

    def test_fault(self):
        """Each forced fault: a backtrace with names, and the domain's state c."""
        for fault, words in FAULTS.items():
            self.bench.create(self.firewall(
                cmdline=f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY} fault={fault}"))
            self.bench.wait_console("ringwall", words, 20)
            # The overrun that the canary finds has also eaten the way back to main.
            caller = "fault_canary" if fault == "canary" else "guest_main"
            self.bench.wait_console("ringwall", rf"[0-9a-f]{{16}} {caller}\+0x", 20)
            bench_module.wait_for(f"state c after fault={fault}",
                                  lambda: "c" in (self.bench.state("ringwall") or ""), 20)
            self.bench.destroy("ringwall")
        if self.mode == "pvh":  # in PV mode Xen itself ends a guest that has no stack left
            self.bench.create(self.firewall(
                cmdline=f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY} fault=stack"))
            self.bench.wait_console("ringwall", "double fault", 20)
            self.bench.destroy("ringwall")

    def test_trap(self):
        """The main job with the kernel that traps on undefined behaviour."""
        kernel, self.kernel = self.kernel, self.trap
        try:
            self.test_client()
            expect("c" not in (self.bench.state("ringwall") or "c"), "a running domain",
                   self.bench.console("ringwall")[-1000:])
        finally:
            self.kernel = kernel

    def test_churn(self):
        """One client dies in mid-transfer again and again; the other's transfer goes on."""
        b = self.bench
        self.start_firewall()
        b.run("pkill iperf3; rm -f /tmp/steady.log; iperf3 -s -D --logfile /tmp/steady.log; "
              "sleep 0.3")
        self.start_client("steady", 10)
        b.guest("steady", f"ping -c 2 {OUTSIDE}")
        before = self.held()
        mapped_before, text = self.foreign_mappings(self.domid("ringwall"))
        expect(mapped_before == before["mapped"],
               f"Xen's table agrees: {before['mapped']} grants mapped by the firewall",
               f"{mapped_before}\n{text[-3000:]}")
        # It lasts as long as the deaths take, and is told to stop after them.
        job = b.guest_begin("steady", f"iperf3 -c {OUTSIDE} -b 8M -t {CHURN_LIMIT} -i 10 & "
                            "echo $! >/tmp/transfer; wait", CHURN_LIMIT + 60)
        begin = time.monotonic()
        for number in range(CHURNS - LINUX_CHURNS):
            self.churn_once(number)
        for _ in range(LINUX_CHURNS):
            self.start_client("dying", 11)
            b.guest_begin("dying", f"ping -i 0.01 -c 3000 {OUTSIDE} | tail -2", 60)
            time.sleep(2)
            b.destroy("dying")
        seconds = time.monotonic() - begin
        b.guest("steady", "kill $(cat /tmp/transfer)")
        self.check_steady(b.finish(job, check=False).out, seconds)
        self.settled(before)
        mapped_after, text = self.foreign_mappings(self.domid("ringwall"))
        expect(mapped_after == mapped_before,
               f"{mapped_before} grants mapped by the firewall in Xen's table",
               f"{mapped_after}\n{text[-3000:]}")
        self.start_client("dying", 11)
        out = b.guest("dying", f"ping -c 2 {OUTSIDE}").out
        expect("2 packets received" in out, "the client that came again works", out)

    def check_steady(self, out, seconds):
        """`out` is iperf3's in the steady client, which was stopped after that many seconds."""
        expect("the client has terminated" in out, "a transfer until it was stopped", out)
        rows = [(float(end) - float(start), float(size)) for start, end, size in re.findall(
            r"\] +([0-9.]+)-([0-9.]+) +sec +([0-9.]+) [KMG]?Bytes.*(?<!sender)(?<!receiver)$",
            out.replace(" \n", "\n"), re.M)]
        whole = [size for length, size in rows if length > 9]
        expect(len(whole) >= seconds // 10 - 1, f"the intervals of {seconds:.0f} s", out)
        expect(all(whole), "no interval of 10 s without data", out)
        # What the server has had at the end of each of its seconds.
        log = self.bench.run("cat /tmp/steady.log").out
        sent, had = (re.findall(r"0\.00-[0-9.]+ +sec +([0-9.]+) MBytes.*" + side, text)
                     for side, text in (("sender", out), ("receiver", log)))
        expect(sent and had and float(had[-1]) > float(sent[-1]) - 4,
               "the server to have had what was sent", f"{out}\n{log[-1500:]}")
        print(f"    {had[-1]} of {sent[-1]} MBytes in {seconds:.0f} s", flush=True)

    def settled(self, before, limit=20):
        """Waits until everything that the firewall holds is as it was."""
        try:
            after = bench_module.wait_for("the counters to come back",
                                          lambda: self.same(before), limit, 1.0)
        except BenchError as error:
            raise Failure(f"expected: {before}\nseen: {self.held()} ({error})") from error
        print(f"    held before and after: {after}", flush=True)

    def same(self, before):
        now = self.held()
        # The transfer's last packets and the heap's rounding may differ by little.
        loose = {"heap-used", "packets-free"}
        equal = all(now[k] == before[k] for k in before if k not in loose)
        near = abs(now["heap-used"] - before["heap-used"]) < 4096 and \
            abs(now["packets-free"] - before["packets-free"]) <= 300
        return now if equal and near else None

    def churn_once(self, number):
        b = self.bench
        name = "churner"
        config = {"name": name, "type": self.mode, "kernel": b.put(self.churn, "churn.kernel"),
                  "memory": 16, "vcpus": 1, "cpus": "3", "on_crash": "preserve",
                  "watched": False, "cmdline": f"ip=10.137.1.20/32 gw={UPLINK_IP} target={OUTSIDE}",
                  "vif": ["mac=00:16:3e:00:20:14,ip=10.137.1.20,backend=ringwall"]}
        b.create(config)
        b.wait_console(name, r"(\d+) answers", 30)
        b.destroy(name)


# Those that show the drivers more than the way they are booted run in one mode only.
BOTH = ("pv", "pvh")
TESTS = {"boot": BOTH, "selftest": BOTH, "client": BOTH, "stop": BOTH, "mistakes": BOTH,
         "closed_blocks": BOTH, "fault": BOTH, "trap": BOTH, "churn": BOTH,
         "qubes_start": BOTH, "qubes": ("pvh",), "qubes_churn": ("pvh",), "qubes_netvm": ("pvh",),
         "uplink_returns": BOTH, "relay": ("pv",), "relay_rules": ("pvh",),
         "relay_fronts": ("pv",), "hostile_client": ("pv",),
         "hostile_uplink": ("pvh",), "storm": ("pvh",), "storm_relay": ("pv",), "storm_linux": ("pvh",),
         "queues": ("pvh",), "stack": ("pv",), "uplink_told": ("pvh",), "flows": ("pvh",),
         "second_vif": ("pv",), "cycles": ("pv",), "many": ("pvh",),
         "vchan": ("pvh",), "vchan_nonsense": ("pv",),
         "iperf_server": BOTH, "iperf_client": BOTH, "httpd": ("pvh",), "manage": ("pv",),
         "logdisk": BOTH, "rulesdisk": ("pv",),
         "blktest": BOTH, "blk_sizes": ("pv",), "blk_variants": ("pvh",), "blk_resize": ("pvh",),
         "blk_plug": ("pvh",), "blk_backend_dies": ("pv",), "blk_power": ("pv",),
         "ramdisk": BOTH}


def check_names():
    """Of two parts of the suite with a method of one name, one would call the other's."""
    found = {}
    for part in Suite.__mro__[1:-1]:
        for name in vars(part):
            if not name.startswith("__") and found.setdefault(name, part) is not part:
                raise SystemExit(f"{part.__name__} and {found[name].__name__} both have {name}")


def run_mode(bench, arguments, mode):
    passed = failed = 0
    for test, modes in TESTS.items():
        if mode not in modes and arguments.mode != mode:
            continue  # --mode runs all of them in that mode
        if arguments.only and not re.search(arguments.only, test):
            continue
        if test == "trap" and not arguments.trap:
            continue
        if test == "ramdisk" and not arguments.ramdisk:
            continue
        if test.startswith("relay") and not arguments.relay:
            continue
        if test.startswith("vchan") and not arguments.vchan:
            continue
        if test.startswith("iperf") and not arguments.iperf:
            continue
        if test == "httpd" and not arguments.httpd:
            continue
        if test.startswith("blk") and not arguments.blktest:
            continue
        if test.startswith("hostile") and not arguments.hostile:
            continue
        if test.startswith("qubes") and not arguments.qubes:
            continue
        suite = Suite(bench, arguments, mode)
        method = getattr(suite, "test_" + test)
        start = time.monotonic()
        try:
            method()
            passed += 1
            print(f"ok   {mode} {test} ({time.monotonic() - start:.0f} s): {method.__doc__}",
                  flush=True)
        except (Failure, BenchError) as error:
            failed += 1
            path, text = bench.upload_logs(f"{mode}-{test}")
            print(f"FAIL {mode} {test}: {method.__doc__}\n{error}\n--- consoles (all in {path})")
            print(text[:6000], flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {mode} {test}: the test itself broke\n{traceback.format_exc()}",
                  flush=True)
        try:
            bench.destroy_all()
        except BenchError as error:
            print(f"    domains are left: {error}", flush=True)
    return passed, failed


def main():
    check_names()
    parser = argparse.ArgumentParser()
    parser.add_argument("kernel")
    parser.add_argument("churn")
    parser.add_argument("selftest")
    parser.add_argument("--trap")
    parser.add_argument("--hostile")
    parser.add_argument("--relay")
    parser.add_argument("--qubes")
    parser.add_argument("--vchan", nargs=2, metavar=("KERNEL", "PEER"))
    parser.add_argument("--iperf")
    parser.add_argument("--httpd")
    parser.add_argument("--blktest")
    parser.add_argument("--ramdisk")
    parser.add_argument("--mode", choices=["pv", "pvh"])
    parser.add_argument("--only")
    arguments = parser.parse_args()
    passed = failed = 0
    try:
        with Bench() as bench:
            for mode in [arguments.mode] if arguments.mode else ["pv", "pvh"]:
                p, f = run_mode(bench, arguments, mode)
                passed += p
                failed += f
    except BenchError as error:
        print(f"FAIL the bench itself: {error}")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
