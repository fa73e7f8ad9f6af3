# SPDX-License-Identifier: ISC
"""Services, lost connections and bad input, for the scene in qubes.py."""
import re
import time

import bench as bench_module
from bench import BenchError
from qubes_base import EVERYTHING, QubesBase
from qubes_dom0 import ACCEPT


class QubesServices(QubesBase):
    """Rows of qubes.py."""

    # ---- services ----

    def qubes_held(self):
        """What is held before the calls and the bad input; compared after them. Memory that
        is kept for the next time has been taken when as much was asked for once."""
        self.dom0.calls(*["qubes.WaitForSession"] * 16)
        self.huge()
        self.before = self.held()

    def huge(self):
        self.dom0.db(*[f"huge /vm-config/huge{i} 3071" for i in range(20)])
        self.dom0.db("rm /vm-config/huge1", "rm /vm-config/huge1",
                     *[f"rm /vm-config/huge{i}" for i in range(20) if i != 1])

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
        """Calls whose dom0 side lies, floods, vanishes or breaks the ring: that call ends. One
        that was killed leaves its nodes in xenstore for the next call of its port."""
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
        for line in ("header 0x300 4 1234", "header 0x200 4294967295 x", "raw " + "ff" * 300,
                     "corrupt prod", "corrupt all"):
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
            "8 0 /x", "11 2 /x ab", "2 0 /", "4 3 /x aaa")])
        # Each of them costs the connection, which is made again later every time.
        for line in ("message 1 4294967295 /x", "garbage 300 1", "corrupt all"):
            dom0.db(line, "drop 50")
        self.well("wrong messages")
        dom0.forgive()
        self.huge()
        dom0.db("huge /x 0", "rm-unknown /qubes-firewall/10.137.1.200/", "rm-unknown /never",
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
        """Calls and bad input have left nothing behind; the heap holds less at most, for the
        entries of addresses of before have gone."""
        def no_more():
            now = self.held()
            same = all(now[key] == self.before[key] for key in now
                       if key not in ("heap-used", "packets-free"))
            return same and now["heap-used"] < self.before["heap-used"] + 4096 and \
                now["packets-free"] >= self.before["packets-free"] - 300
        try:
            bench_module.wait_for("what is held to be as before", no_more, 30, 1)
        except BenchError as error:
            raise BenchError(f"{error}\n{self.before}\n{self.held()}") from error

    def qubes_shutdown(self):
        """xl shutdown -F: the request is acknowledged before the domain ends."""
        seen = self.dom0.shut_down()
        self.expect("" in seen, "control/shutdown to become empty", seen)
        self.expect(self.bench.state("ringwall") is None, "the domain to have gone",
                    self.bench.state("ringwall"))
