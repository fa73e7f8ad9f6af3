# SPDX-License-Identifier: ISC
"""The test of the relay (configs/relay) for integration.py: a Linux client that has an
address on dom0's own link, and nothing but the relay between.
"""
import json
import re

import bench as bench_module
from bench import OUTSIDE, UPLINK_GATEWAY

CLIENT_IP = "10.137.0.10"
CLIENT_MAC = "00:16:3e:00:30:10"
UDP_BYTES = 60
UDP_RATE = 1500 * UDP_BYTES * 8
SERVER_LOG = "/tmp/iperf3-relay.json"


class RelayTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def test_relay(self):
        """Client and uplink as one link: frames pass unchanged, in order, both ways."""
        b = self.bench
        b.create(b.ringwall_config(self.relay, name="relay", mode=self.mode, cmdline=""))
        b.wait_console("relay", "relay: started", 30)
        vif = f"vif{self.domid('relay')}.0"
        b.create(b.bridged_client_config("client", CLIENT_IP, "relay", CLIENT_MAC))
        b.wait_ready("client")
        try:
            self.relay_ping(vif)
            self.relay_tcp()
            self.relay_udp_up()
            self.relay_udp_down()
        finally:
            b.run("pkill iperf3; true")
        b.destroy("client")
        self.relay_holds_nothing()
        b.run("xl shutdown -w relay", 60)
        bench_module.wait_for("the domain to go", lambda: b.state("relay") is None, 20)
        self.nothing_left("relay")

    def relay_ping(self, vif):
        b = self.bench
        b.run("ip neigh flush dev xenbr0")
        out = b.guest("client", f"ping -c 5 -i 0.3 {UPLINK_GATEWAY}", check=False).out
        self.expect("5 packets received" in out, "5 answers to 5 pings", out)
        out = b.guest("client", f"ping -c 2 -s 1400 {OUTSIDE}", check=False).out
        self.expect("2 packets received" in out, "answers to large pings", out)
        out = b.run(f"ping -c 3 -i 0.3 {CLIENT_IP}", check=False).out
        self.expect(" 3 received" in out, "the client answers dom0's pings", out)
        out = b.run(f"ip neigh show {CLIENT_IP} dev xenbr0").out
        self.expect(f"lladdr {CLIENT_MAC}" in out, f"dom0 knows the client as {CLIENT_MAC}", out)
        out = b.run(f"bridge fdb show dev {vif}").out
        self.expect(re.search(rf"^{CLIENT_MAC} master xenbr0", out, re.M),
                    f"dom0's bridge has learned {CLIENT_MAC} on {vif}", out)
        seen = b.guest("client", f"ip neigh show {UPLINK_GATEWAY}").out
        mac = b.run("cat /sys/class/net/xenbr0/address").out.strip()
        self.expect(f"lladdr {mac}" in seen, f"the client knows dom0 as {mac}", seen)

    def relay_tcp(self):
        b = self.bench
        b.run("pkill iperf3; iperf3 -s -D; sleep 0.5")
        for direction in ("", "-R"):
            out = b.guest("client", f"iperf3 -J -c {OUTSIDE} -n 60M {direction}", 120, False).out
            received = self.iperf_end(out)["sum_received"]
            # What lies in the receiver's buffer when the sender is done is not counted.
            self.expect(received["bytes"] >= 50e6, "60 MB through iperf3", out[-2000:])
            print(f"    TCP {'down' if direction else 'up'}: "
                  f"{received['bits_per_second'] / 1e6:.0f} Mbit/s", flush=True)

    def relay_udp_up(self):
        """The server in dom0 receives; its own log says in what order."""
        b = self.bench
        b.run(f"pkill iperf3; sleep 0.3; rm -f {SERVER_LOG}; "
              f"iperf3 -s -1 -D -J --logfile {SERVER_LOG}; sleep 0.5")
        b.guest("client", f"iperf3 -u -b {UDP_RATE} -l {UDP_BYTES} -t 3 -c {UPLINK_GATEWAY}", 60,
                False)
        text = bench_module.wait_for(
            "the server's log", lambda: b.run(f"cat {SERVER_LOG} 2>/dev/null; true").out, 10)
        self.relay_in_order("up", text)

    def relay_udp_down(self):
        b = self.bench
        b.run("pkill iperf3; sleep 0.3; iperf3 -s -D; sleep 0.5")
        text = b.guest("client", f"iperf3 -J -u -R -b {UDP_RATE} -l {UDP_BYTES} -t 3 "
                       f"-c {UPLINK_GATEWAY}", 60, False).out
        self.relay_in_order("down", text)

    def relay_in_order(self, direction, text):
        """`text` is the JSON of the side that received."""
        udp = self.iperf_end(text)["streams"][0]["udp"]
        print(f"    UDP {direction}: {udp['packets']} packets, {udp['lost_packets']} lost, "
              f"{udp['out_of_order']} out of order", flush=True)
        self.expect(udp["packets"] > 1000, "more than 1000 UDP packets", text[-2000:])
        self.expect(udp["lost_packets"] * 5 < udp["packets"], "less than a fifth lost",
                    text[-2000:])
        self.expect(udp["out_of_order"] == 0, "no packet out of order", text[-2000:])

    def iperf_end(self, text):
        start, stop = text.find("{"), text.rfind("}")
        self.expect(start >= 0 and stop > start, "iperf3's JSON", text)
        value = json.loads(text[start:stop + 1])
        self.expect("error" not in value and value.get("end"), "no error of iperf3", text[-2000:])
        return value["end"]

    def relay_holds_nothing(self):
        """After its client has gone the relay maps no page of anybody."""
        b = self.bench
        start = len(b.console("relay"))
        b.type("relay", "stats")
        b.wait_console("relay", r"granted \d+ mapped 0 ", 15, start)
