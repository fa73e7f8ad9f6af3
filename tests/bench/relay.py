# SPDX-License-Identifier: ISC
"""The tests of the relay (configs/relay) for integration.py: a Linux client that has an
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
SECOND_BRIDGE = "xenbr1"
VIFS = ["mac=00:16:3e:00:10:05,script=vif-bench", "mac=00:16:3e:00:10:06,script=vif-bench"]
RULES = """
block drop all label "default"
pass in on clients proto icmp icmp-type echoreq
pass in on clients proto { tcp udp } to any port 5201 label "iperf"
block return in on clients proto tcp to any port 7778
pass out on uplink
"""
# A frame to everybody of a type for experiments (IEEE 802), which no rule can name.
SEND_OTHER = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("xenbr0", 0))
s.send(bytes.fromhex("ffffffffffff" "02000a890001" "88b5") + bytes(46))
"""
BAD_RULES = "pass\npass in on clients proto tcp to any port 99999\n"


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
        self.relay_stops()

    def test_relay_rules(self):
        """With a rule file: by state and by port; closed when the file is bad."""
        b = self.bench
        self.relay_bad_rules()
        b.create(b.ringwall_config(self.relay, name="relay", mode=self.mode, cmdline="",
                                   rules=RULES))
        b.wait_console("relay", "relay: started: .*; rules loaded", 30)
        b.create(b.bridged_client_config("client", CLIENT_IP, "relay", CLIENT_MAC))
        b.wait_ready("client")
        try:
            self.relay_filters_pings()
            self.relay_tcp()
            self.relay_udp_down()
            self.relay_filters_ports()
            self.relay_counts()
        finally:
            b.run("pkill iperf3; true")
        b.destroy("client")
        self.relay_holds_nothing()
        self.relay_stops()

    def test_relay_fronts(self):
        """Two vifs of its own, on two bridges of dom0, with and without rules."""
        b = self.bench
        # dom0 itself must not answer there for the addresses that it has on the first one.
        b.run(f"ip link add {SECOND_BRIDGE} type bridge && "
              f"echo 8 >/proc/sys/net/ipv4/conf/{SECOND_BRIDGE}/arp_ignore && "
              f"ip link set {SECOND_BRIDGE} up")
        try:
            self.relay_between_bridges(RULES, "rules loaded")
            self.relay_create_on_second_bridge(
                b.bridged_client_config("client", CLIENT_IP, "0", CLIENT_MAC,
                                        options=",script=vif-bench"), 0)
            b.wait_ready("client")
            self.relay_filters_pings()
            b.destroy("relay")
            self.relay_between_bridges(None, "no rules")
            self.relay_ping(f"vif{self.domid('relay')}.0")
            self.relay_tcp()
            self.relay_udp_up()
            self.relay_udp_down()
            b.destroy("client")
            self.relay_lets_go()
        finally:
            b.run(f"pkill iperf3; ip link del {SECOND_BRIDGE}; true")
        self.relay_stops()

    def relay_between_bridges(self, rules, said):
        b = self.bench
        self.relay_create_on_second_bridge(
            b.ringwall_config(self.relay, name="relay", mode=self.mode, cmdline="", vifs=VIFS,
                              rules=rules), 1)
        b.wait_console("relay", f"relay: started: device/vif/0 and device/vif/1; {said}", 30)
        b.wait_console("relay", "client1: connected", 10)

    def relay_create_on_second_bridge(self, config, index):
        """Paused until the vif is there: on one bridge both would make a loop."""
        b = self.bench
        name = config["name"]
        path = b.write_config(config)
        b.run(f"rm -f /var/log/xen/console/guest-{name}.log; xl create -p {path} && "
              f"ip link set vif$(xl domid {name}).{index} master {SECOND_BRIDGE} && "
              f"xl unpause {name}", 90)

    def relay_lets_go(self):
        """All packets are at home; an end that is taken away is granted no page any more."""
        b = self.bench
        before, (_, text) = self.held("relay"), self.stats("relay")
        for free, total in re.findall(r"packets-free (\d+) of (\d+)", text):
            self.expect(free == total, "all packets free in both pools", text)
        self.expect(text.count("packets-free") == 2, "two pools", text)
        b.run("xl network-detach relay 1")
        after = bench_module.wait_for("the grants to end", lambda: self.fewer_granted(before), 20)
        print(f"    granted with both ends {before['granted']}, with one {after['granted']}",
              flush=True)
        self.expect(after["quarantined"] == 0 and after["mapped"] == 0,
                    "no page lost and none mapped", after)

    def fewer_granted(self, before):
        now = self.held("relay")
        return now if now["granted"] * 2 == before["granted"] else None

    def relay_stops(self):
        b = self.bench
        b.run("xl shutdown -w relay", 60)
        bench_module.wait_for("the domain to go", lambda: b.state("relay") is None, 20)
        out = b.run("xl list").out
        self.expect("(null)" not in out, "no domain of which pages are still in use", out)
        self.nothing_left("relay")

    def relay_bad_rules(self):
        b = self.bench
        b.create(b.ringwall_config(self.relay, name="relay", mode=self.mode, cmdline="",
                                   rules=BAD_RULES))
        print("    " + b.wait_console("relay", r"rules: 2:\d+: .*", 30).group(0), flush=True)
        b.wait_console("relay", "relay: started: .*CLOSED", 20)
        b.destroy("relay")

    def relay_filters_pings(self):
        """Echo requests pass from the client, and their answers; not those of dom0."""
        b = self.bench
        out = b.guest("client", f"ping -c 3 -i 0.3 {OUTSIDE}", check=False).out
        self.expect("3 packets received" in out, "3 answers to 3 pings", out)
        out = b.run(f"ping -c 2 -i 0.3 -W 1 {CLIENT_IP}", check=False).out
        self.expect(" 0 received" in out, "no answer to dom0's pings", out)
        out = b.run(f"ip neigh show {CLIENT_IP} dev xenbr0").out
        self.expect(f"lladdr {CLIENT_MAC}" in out, "ARP passes", out)
        before = self.drops("drop bad-ethertype", "relay")
        b.run(f"python3 -c '{SEND_OTHER}'")
        after = self.drops("drop bad-ethertype", "relay")
        self.expect(after > before, "what is no IP is dropped, and counted",
                    self.stats("relay")[1])

    def relay_filters_ports(self):
        b = self.bench
        b.run("(while true; do nc -l -p 7777 </dev/null; done) >/dev/null 2>&1 & sleep 0.3")
        out = b.guest("client", f"nc -w 2 {OUTSIDE} 7777 </dev/null; echo status $?", 30).out
        self.expect("status 1" in out, "a connection to port 7777 fails", out)
        out = b.guest("client", f"nc -w 10 {OUTSIDE} 7778 </dev/null 2>&1; echo status $?", 30).out
        self.expect("status 1" in out and "refused" in out,
                    "a connection to port 7778 is refused", out)

    def relay_counts(self):
        """What has happened stands in the stats."""
        lines, text = self.stats("relay")
        self.expect(self.drops("drop blocked", "relay") > 1, "blocked packets are counted", text)
        hits = re.search(r"rule line 4 iperf: (\d+) hits", text)
        self.expect(hits and 3 <= int(hits.group(1)) < 50,
                    "some hits, one for each connection", text)
        self.expect(re.search(r"^stats: flows: \d+ of \d+, \d+ made", text, re.M), "flows", text)
        print("    " + lines["flows"], flush=True)

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
