# SPDX-License-Identifier: ISC
"""An end point of ours (configs/iperf) and dom0's iperf3, each as server and as client of the
other, for integration.py.
"""
import json
import re

from bench import UPLINK_GATEWAY, UPLINK_IP, wait_for

SECONDS = 2
LEAST_BYTES = 1_000_000
# iperf3's options in dom0, against the server in the guest
TO_GUEST = ("", "-R", "--bidir -P 2", "-u -b 4M -l 1000", "-u -b 4M -l 1000 -R")


class EndTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def iperf_guest(self, words, memory):
        b = self.bench
        b.create(b.ringwall_config(
            self.iperf, name="iperf", mode=self.mode, memory=memory,
            cmdline=f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY} iperf={words}"))
        b.wait_console("iperf", r"iperf: ready in \d+ ms", 30)

    def iperf_ask(self, options):
        """Runs dom0's client; what it found."""
        out = self.bench.run(f"iperf3 -J -c {UPLINK_IP} -t {SECONDS} --connect-timeout 5000 "
                             f"{options}", 40, False).out
        self.expect("{" in out and '"error"' not in out, f"a result of iperf3 {options}", out[-1500:])
        end = json.loads(out[out.index("{"):])["end"]
        received = end.get("sum_received") or end["sum"]
        self.expect(received["bytes"] > LEAST_BYTES // 4, f"bytes by iperf3 {options}", received)
        return received["bits_per_second"] / 1e6

    def test_iperf_server(self):
        """iperf3 in dom0 against our server, with 32 MB: TCP, UDP, both ways and both at once."""
        self.iperf_guest("-s", 32)
        for options in TO_GUEST:
            rate = self.iperf_ask(options)
            print(f"    iperf3 {options or 'up'}: {rate:.0f} Mbit/s", flush=True)
        _, text = self.stats("iperf")
        found = re.search(r"iperf: tests (\d+), refused 0, failed 0", text)
        self.expect(found and int(found.group(1)) == len(TO_GUEST), "all tests went well", text)
        self.expect(re.search(r"sockets: tcp 0 of", text), "no connection is left", text)
        self.bench.run("xl shutdown -w iperf", 40)

    def test_iperf_client(self):
        """Our client against iperf3 in dom0, with 16 MB; it powers off when it is done."""
        b = self.bench
        b.run("pkill -9 iperf3; sleep 0.2; iperf3 -s -D; sleep 0.5")
        try:
            for words in (f"-c,{UPLINK_GATEWAY},-t,{SECONDS}",
                          f"-c,{UPLINK_GATEWAY},-t,{SECONDS},-R,-P,4"):
                self.iperf_guest(words, 16)
                b.wait_console("iperf", r"iperf: ended: status 0", 40)
                found = re.findall(r"([0-9.]+ \w)bits/sec.*receiver", b.console("iperf"))
                self.expect(found, "the receiver's line", b.console("iperf")[-1500:])
                print(f"    {words}: {found[-1]}bit/s", flush=True)
                wait_for("the domain to go", lambda: b.state("iperf") is None, 20)
        finally:
            b.run("pkill -9 iperf3; true")
