# SPDX-License-Identifier: ISC
"""An uplink that says what our addresses are, on real Xen, for integration.py: DHCP, router
advertisements, and rules with host names that the resolver told by DHCP answers for.
"""
import re

import bench as bench_module
from bench import OUTSIDE, UPLINK_GATEWAY
from stack import OUTSIDE6, UP, UPLINK_GATEWAY6, address6

RESOLVER, NAME = "10.137.0.2", "www.example.test"
HOSTS = [f"198.51.100.{number}" for number in (21, 22, 23)]
TTL = 5
MTU = 1400
UPLINK_RULES = f"""
set block-policy return
block all
pass in on clients inet proto icmp icmp-type echoreq
pass in on clients inet6 proto icmp6 icmp6-type echoreq
pass in on clients inet6 proto {{ tcp udp }}
pass in on clients proto tcp to {NAME} port {UP}
pass out on uplink
"""
SERVICES_UP = f"""
for dev in lo xenbr0 outside; do echo 0 >/proc/sys/net/ipv6/conf/$dev/disable_ipv6; done
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
ip address add {UPLINK_GATEWAY6}/64 dev xenbr0 nodad
ip address add {OUTSIDE6}/128 dev outside nodad
ip address add {RESOLVER}/32 dev xenbr0
for address in {' '.join(HOSTS)}; do ip address add $address/32 dev outside; done
rm -f /tmp/leases /tmp/dhcp.log
python3 /share/peer.py {' '.join(HOSTS)} {OUTSIDE6} >/tmp/peer.log 2>&1 &
echo $! >/tmp/peer.pid
dnsmasq -C /dev/null --listen-address={RESOLVER} --bind-interfaces --no-resolv --no-hosts \\
    --addn-hosts=/tmp/names --local-ttl={TTL} --pid-file=/tmp/names.pid
"""
SERVICES_DOWN = f"""
kill $(cat /tmp/peer.pid /tmp/names.pid /tmp/dhcp.pid)
ip address del {RESOLVER}/32 dev xenbr0
for address in {' '.join(HOSTS)}; do ip address del $address/32 dev outside; done
echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
for dev in lo xenbr0 outside; do echo 1 >/proc/sys/net/ipv6/conf/$dev/disable_ipv6; done
true
"""


class UplinkTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def serve_dhcp(self, address):
        """Leases of two minutes, of which a half is the least that is waited to renew one."""
        self.bench.run(
            f"test -e /tmp/dhcp.pid && kill $(cat /tmp/dhcp.pid); rm -f /tmp/leases; sleep 0.5; "
            f"dnsmasq -C /dev/null --port=0 --interface=xenbr0 --bind-interfaces --no-ping "
            f"--dhcp-range={address},{address},255.255.255.0,2m --dhcp-authoritative "
            f"--dhcp-option=option:dns-server,{RESOLVER} "
            f"--dhcp-option=option:router,{UPLINK_GATEWAY} --dhcp-leasefile=/tmp/leases "
            f"--enable-ra --dhcp-range=fd00:a89::,ra-only --ra-param=xenbr0,mtu:{MTU},10,600 "
            "--log-dhcp --log-facility=/tmp/dhcp.log --pid-file=/tmp/dhcp.pid")

    def name_is(self, *addresses):
        lines = "\\n".join(f"{address} {NAME}" for address in addresses)
        self.bench.run(f"printf '{lines}\\n' >/tmp/names; "
                       "test -e /tmp/names.pid && kill -HUP $(cat /tmp/names.pid); true")

    def acknowledged(self):
        return int(self.bench.run("grep -c DHCPACK /tmp/dhcp.log", check=False).out.strip() or 0)

    def allowed(self):
        """Which of HOSTS the client can connect to; the others must be refused at once."""
        out = self.bench.guest("client", "; ".join(
            f"echo x | /usr/bin/nc -v -n -N -w 10 {host} {UP}" for host in HOSTS), 40, False).out
        good = [host for host in HOSTS if f"Connection to {host} {UP} port [tcp/*] succeeded"
                in out]
        self.expect(out.count("refused") == len(HOSTS) - len(good), "the others refused", out)
        return good

    def test_uplink_told(self):
        """Addresses by DHCP and router advertisements, renewed and changed; rules with names."""
        b = self.bench
        self.put_peer()
        self.name_is(*HOSTS[:2])
        b.run(SERVICES_UP)
        try:
            self.serve_dhcp("10.137.0.100")
            self.start_firewall(cmdline="ip=dhcp ip6=auto log=info", rules=UPLINK_RULES)
            self.dual_client("client", 10)
            b.wait_console("ringwall", r"uplink: 10\.137\.0\.100/24 by 10\.137\.0\.1$", 20)
            ours = b.wait_console("ringwall", r"uplink: (fd00:a89:\S+)/64 by (fe80:\S+)$", 20)
            b.run(f"ip route add fd00:137:1::/64 via {ours.group(1)}")
            self.dual_ready("client", 10)
            self.check_told()
            self.check_names()
            self.check_lease()
        finally:
            b.run(SERVICES_DOWN, check=False)

    def check_told(self):
        self.pings(OUTSIDE, f"-6 {OUTSIDE6}")
        out = self.bench.guest("client", f"/usr/bin/ping -M do -c 2 -i 0.3 -W 3 -s {MTU} "
                               f"-6 {OUTSIDE6}", 30, False).out
        self.expect(f"mtu={MTU}" in out, f"packet too big, MTU {MTU}", out)
        self.transfers(OUTSIDE6, address6(10))

    def check_names(self):
        """What a name's addresses are is allowed; what they were ends, also what goes on."""
        b = self.bench
        good = self.allowed()
        self.expect(good == HOSTS[:2], f"{HOSTS[:2]} allowed", good)
        job = b.guest_begin("client", f"(echo a; sleep {TTL + 12}; echo b; sleep 1) | "
                            f"/usr/bin/nc -n -N -w 20 {HOSTS[0]} {UP}; echo status $?", 150)
        kept = b.guest_begin("client", f"(echo a; sleep {TTL + 12}; echo b) | "
                             f"/usr/bin/nc -n -N -w 20 {HOSTS[1]} {UP}; echo status $?", 150)
        bench_module.time.sleep(2)
        self.name_is(*HOSTS[1:])
        bench_module.wait_for("the name's new address to be allowed",
                              lambda: self.allowed() == HOSTS[1:], TTL + 12, 1)
        out = b.finish(job, check=False).out
        self.expect(" from " not in out, "the flow to the old address to end", out)
        out = b.finish(kept, check=False).out
        self.expect(" from " in out, "the flow to the address that stayed to go on", out)

    def check_lease(self):
        """The lease is renewed in time, another one taken, and given back at the end."""
        b = self.bench
        # A slow machine may be at the third acknowledgement by now.
        bench_module.wait_for("the lease to be renewed", lambda: self.acknowledged() >= 2, 120, 1)
        self.serve_dhcp("10.137.0.110")
        b.run("xl network-detach ringwall 0", 30)
        b.run("xl network-attach ringwall mac=00:16:3e:00:10:05 script=vif-bench", 30)
        b.wait_console("ringwall", r"uplink: 10\.137\.0\.110/24 by", 30)
        self.pings(OUTSIDE, f"-6 {OUTSIDE6}")
        self.expect(self.allowed() == HOSTS[1:], "names known as before", self.stats()[1])
        b.destroy("client")
        b.run("xl shutdown -w ringwall", 60)
        log = b.run("grep -c 'DHCPRELEASE.*10.137.0.110' /tmp/dhcp.log", check=False).out
        self.expect(log.strip() == "1", "the lease to be given back", log)
