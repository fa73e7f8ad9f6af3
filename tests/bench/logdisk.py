# SPDX-License-Identifier: ISC
"""The firewall with disks, for integration.py: its log on one of them, read with ringwall-log
and tshark on the host after the firewall was destroyed in mid-traffic, and its rules on
another, with everything that can be wrong with that.
"""
import os
import re
import subprocess

from bench import OUTSIDE, UPLINK_GATEWAY, UPLINK_IP, wait_for

FOLDER = "/tmp/logdisk"  # in dom0
LOG, RULES_DISK = f"{FOLDER}/log.img", f"{FOLDER}/rules.img"
LOG_MIB = 4
WORDS = f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY} log=info"
PASSED_NET = "198.51.100.0/24"
DISK_RULES = f"""
set block-policy drop
block log all label "default"
pass in log on clients proto icmp to {PASSED_NET} icmp-type echoreq label "pings"
pass out on uplink
"""
END = "# end\n"
WAIT_S = 8  # the firewall says so after 5 s


class LogDiskTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    # ---- dom0's side ----

    def rules_put(self, text, cut=None):
        """Makes rules.img of the text with NULs up to whole sectors, or of the first bytes."""
        path = self.bench.put_text("disk.rules", text)
        size = "%512" if cut is None else cut
        self.bench.run(f"mkdir -p {FOLDER}; cp {path} {RULES_DISK}.new; "
                       f"truncate -s {size} {RULES_DISK}.new; cat {RULES_DISK}.new >{RULES_DISK}")

    def rules_disk(self):
        return self.bench.disk(RULES_DISK, "xvdb", "ro")

    def disks_firewall(self, words="logdisk=xvda rules=xvdb", rules=None, disks=("log", "rules"),
                       memory=32):
        """The firewall's settings; `rules` is a ramdisk's text."""
        config = self.firewall(cmdline=f"{WORDS} {words}", rules=rules, memory=memory)
        known = {"log": self.bench.disk(LOG), "rules": self.rules_disk()}
        config["disk"] = [known[name] for name in disks]
        return config

    def disks_start(self, pattern, **options):
        self.bench.create(self.disks_firewall(**options))
        return self.bench.wait_console("ringwall", pattern, 30)

    def flushed(self):
        """Records that the firewall says are on the disk."""
        _, text = self.stats()
        found = re.search(r"logdisk: .*flushed (\d+)", text)
        self.expect(found, "what is flushed in the stats", text)
        return int(found.group(1))

    # ---- the host's side ----

    def log_program(self, *words):
        program = os.path.join(os.path.dirname(self.kernel), "ringwall-log")
        result = subprocess.run([program, *words], capture_output=True, text=True, check=False,
                                errors="replace")
        self.expect(result.returncode == 0, f"ringwall-log {' '.join(words)}",
                    result.stdout[-2000:] + result.stderr)
        return result.stdout

    def log_fetch(self):
        """The log disk as it is now, on the host; its path."""
        self.bench.run(f"cp {LOG} /share/log.img")
        return os.path.join(self.bench.share, "log.img")

    def log_lines(self):
        """A line for each record."""
        return self.log_program("tail", "-n", "1000000", self.log_fetch()).splitlines()

    def check_capture(self, least):
        """What ringwall-log exports is a capture to tshark, with blocked packets in it."""
        capture = os.path.join(self.bench.share, "log.pcapng")
        self.log_program("export", "-o", capture, self.log_fetch())
        result = subprocess.run(
            ["tshark", "-r", capture, "-T", "fields", "-e", "ip.src", "-e", "ip.dst",
             "-e", "pkt_comment", "-e", "frame.comment"], capture_output=True, text=True,
            check=False)
        rows = result.stdout.splitlines()
        blocked = [row for row in rows if UPLINK_IP in row and "default" in row and
                   "block" in row]
        passed = [row for row in rows if OUTSIDE in row and "pings" in row and "pass" in row]
        self.expect(result.returncode == 0 and len(blocked) >= least and passed,
                    f"{least} blocked packets and one that passed",
                    "\n".join(rows[:40]) + result.stderr)
        table = self.log_program("list", self.log_fetch())
        self.expect(f"{LOG_MIB * 16 - 1} segments" in table, "its segments", table)
        print(f"    {len(rows)} packets, {len(blocked)} of them blocked", flush=True)

    # ---- tests ----

    def test_logdisk(self):
        """The log on a disk: what was flushed outlives a destruction; rules from a disk."""
        b = self.bench
        try:
            b.run(f"mkdir -p {FOLDER}; rm -f {LOG}; truncate -s {LOG_MIB}M {LOG}")
            self.rules_put(DISK_RULES + END)
            self.disks_start(r"ready in \d+ ms.*rules loaded")
            self.check_client()
            flushed = self.check_destroyed()
            self.check_second(flushed)
            self.check_capture(20)
        finally:
            b.run(f"pkill ping; rm -rf {FOLDER}; true")

    def check_client(self):
        """A client's pings pass and are logged."""
        b = self.bench
        b.create({"name": "churner", "type": self.mode, "memory": 16, "vcpus": 1, "cpus": "3",
                  "kernel": b.put(self.churn, "churn.kernel"), "watched": False,
                  "cmdline": f"ip=10.137.1.20/32 gw={UPLINK_IP} target={OUTSIDE} flows=8",
                  "vif": ["mac=00:16:3e:00:20:14,ip=10.137.1.20,backend=ringwall"]})
        b.wait_console("churner", r"(\d+) answers", 30)
        b.destroy("churner")

    def check_destroyed(self):
        """Destroyed while packets that are blocked keep coming."""
        b = self.bench
        job = b.begin(f"ping -i 0.01 -c 3000 -q {UPLINK_IP} >/dev/null; true", 60)
        before = self.flushed()
        flushed = wait_for("records to be flushed", lambda: (
            lambda now: now if now > before + 60 else None)(self.flushed()), 15, 0.3)
        b.destroy("ringwall")
        b.run("pkill ping; true")
        b.finish(job, False)
        lines = self.log_lines()
        self.expect(len(lines) >= flushed, f"{flushed} records", "\n".join(lines[-40:]))
        text = "\n".join(lines)
        for word in ("ready in", "default", "pings"):
            self.expect(word in text, f"{word} in the log", text[:4000])
        print(f"    {flushed} records said to be flushed, {len(lines)} there", flush=True)
        return flushed

    def check_second(self, flushed):
        """The next run, with half the memory, goes on behind it, and ends cleanly."""
        b = self.bench
        self.disks_start(r"ready in \d+ ms.*rules loaded", memory=16)
        b.run("xl shutdown -w ringwall", 40)
        text = "\n".join(self.log_lines())
        self.expect(text.count("ready in") == 2 and text.count("\n") > flushed, "both runs", text)
        self.expect("poweroff requested" in text.rsplit("ready in", 1)[1], "the end of the second",
                    text[-2000:])

    def closed_disks(self, pattern, **options):
        """The firewall says why it is closed, and goes on."""
        b = self.bench
        b.create(self.disks_firewall(**options))
        match = b.wait_console("ringwall", pattern, WAIT_S + 12)
        b.wait_console("ringwall", "CLOSED", WAIT_S + 12)
        b.destroy("ringwall")
        print("    " + match.group(0))

    def test_rulesdisk(self):
        """Wrong rules on a disk, a cut file, no disk: closed; a disk that comes late opens."""
        b = self.bench
        whole = DISK_RULES + "#" * (611 - len(DISK_RULES + END)) + "\n" + END
        try:
            b.run(f"mkdir -p {FOLDER}; truncate -s {LOG_MIB}M {LOG}")
            self.rules_put(whole, len(whole))  # dom0's loop device cuts it to a sector
            self.closed_disks("rules: xvdb: .*cut.*", disks=("rules",), words="rules=xvdb")
            self.rules_put("block all\npass in on clients proto tcp to any port 99999\n" + END)
            self.closed_disks(r"rules: 2:\d+: .*", disks=("rules",), words="rules=xvdb")
            self.closed_disks(r"rules=xvdb and a ramdisk.*", disks=("rules",), words="rules=xvdb",
                              rules="pass all\n")
            self.check_late()
        finally:
            b.run(f"rm -rf {FOLDER}; true")

    def check_late(self):
        """A disk that comes when nobody waits for it; then other rules, good and bad."""
        b = self.bench
        self.disks_start("CLOSED: nothing passes until xvdb.*", disks=(),
                         words="rules=xvdb logdisk=xvda")
        b.wait_console("ringwall", "logdisk: xvda is not there yet", 10)
        out = b.run(f"ping -c 1 -W 1 {UPLINK_IP}", check=False).out
        self.expect(" 0 received" in out, "no answer while it is closed", out)
        self.rules_put("pass in proto icmp\n" + END)
        start = len(b.console("ringwall"))
        b.run(f"xl block-attach ringwall {self.rules_disk()}")
        b.wait_console("ringwall", "rules loaded from xvdb", 20, start)
        self.expect_pings(True)
        for text, pattern, answered in (("pass in proto icmp\nblock al\n" + END,
                                         "the rules stay as they were", True),
                                        ("block all\n" + END, "rules loaded from xvdb", False)):
            self.rules_put(text)
            start = len(b.console("ringwall"))
            b.type("ringwall", "rules")
            b.wait_console("ringwall", pattern, 20, start)
            self.expect_pings(answered)

    def expect_pings(self, wanted):
        out = self.bench.run(f"ping -c 2 -i 0.2 -W 1 {UPLINK_IP}", check=False).out
        self.expect(f" {2 if wanted else 0} received" in out,
                    f"{'answers' if wanted else 'no answer'} to pings", out)
