# SPDX-License-Identifier: ISC
"""The part of QubesOS's core-admin that a firewall qube sees, played on the bench: which
entries it writes into QubesDB and in which order, how it starts, shuts down and calls the
qube. The wire is spoken by the programs of tests/qubes.

dom0 is also the net VM here, unless a Linux domain is given as one: its vifs are routed as
QubesOS routes them (fe:ff:ff:ff:ff:ff, a /32 for each client, no bridge).
"""
import base64
import os
import re
import shlex
import time

import bench as bench_module
from bench import OUTSIDE, UPLINK_GATEWAY

FIREWALL_IP, FIREWALL_IP6 = "10.137.0.5", "fd09:24ef:4179::a89:5"
GATEWAY6 = "fe80::fcff:ffff:feff:ffff"
DNS = ("10.139.1.1", "10.139.1.2")
MAC = "00:16:3e:5e:6c:00"  # of every qube
OUTSIDE2, OUTSIDE6, OUTSIDE62 = "198.51.100.2", "fd00:f::1", "fd00:f::2"
NAME, NAME2 = "test.example.com", "other.example.com"
OPEN, CLOSED, LIVE = 1234, 1235, 1236
ACCEPT = "action=accept"
DEFAULT_CMDLINE = ("root=/dev/mapper/dmroot ro nomodeset console=hvc0 rd_NO_PLYMOUTH "
                   "rd.plymouth.enable=0 plymouth.enable=0 swiotlb=2048 "
                   "xen_scrub_pages=0 xen_privcmd.unrestricted ")

# Receives and counts: a line for each connection's begin, end, and what came on it.
PEER = r"""
import socket, sys, threading, time
log = open("/tmp/qubes-peer.log", "a", buffering=1)
def talk(connection, who, port):
    log.write(f"{port} open {who[0]}\n")
    try:
        while True:
            data = connection.recv(65536)
            if not data:
                break
            log.write(f"{port} data {len(data)}\n")
            connection.sendall(data)
    except OSError:
        pass
    log.write(f"{port} end {who[0]}\n")
    connection.close()
def listen(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family, backlog=64) as listener:
        while True:
            connection, who = listener.accept()
            threading.Thread(target=talk, args=(connection, who, port), daemon=True).start()
for address in sys.argv[2:]:
    for port in sys.argv[1].split(","):
        threading.Thread(target=listen, args=(address, int(port)), daemon=True).start()
time.sleep(6000)
"""

# libxl's hotplug script in a net VM that routes, as vif-route-qubes does it.
VIF_SCRIPT = r"""#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec >>/var/log/xen/vif-qubes.log 2>&1
echo "$1 vif=$vif XENBUS_PATH=$XENBUS_PATH"
[ "$1" = online ] || exit 0
mac=$(xenstore-read "$XENBUS_PATH/mac")
ip link set "$vif" address fe:ff:ff:ff:ff:ff
echo 0 >/proc/sys/net/ipv6/conf/$vif/disable_ipv6
echo 0 >/proc/sys/net/ipv6/conf/$vif/accept_dad
ip link set "$vif" up
echo 1 >/proc/sys/net/ipv4/conf/$vif/proxy_arp
for ip in $(xenstore-read "$XENBUS_PATH/ip"); do
	ip route replace "$ip" dev "$vif"
	ip neigh replace "$ip" lladdr "$mac" dev "$vif" nud permanent
done
xenstore-write "$XENBUS_PATH/hotplug-status" connected
"""

UP = f"""
mkdir -p /run/qubes
install -m 755 /share/qubesdb-server /share/qrexec-daemon /run/qubes/
install -m 755 /share/vif-route-bench /etc/xen/scripts/vif-route-bench
for dev in lo xenbr0 outside; do echo 0 >/proc/sys/net/ipv6/conf/$dev/disable_ipv6; done
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
for address in {' '.join(DNS)} {OUTSIDE2}; do ip address add $address/32 dev outside; done
for address in {OUTSIDE6} {OUTSIDE62}; do ip address add $address/128 dev outside nodad; done
rm -f /tmp/qubes-peer.log
python3 /share/qubes-peer.py {OPEN},{CLOSED},{LIVE} {OUTSIDE} {OUTSIDE2} {OUTSIDE6} {OUTSIDE62} \
    >/tmp/qubes-peer.err 2>&1 &
echo $! >/tmp/qubes-peer.pid
"""
DOWN = f"""
kill $(cat /tmp/qubes-peer.pid /tmp/qubes-dns.pid /run/qubes/*.pid 2>/dev/null) 2>/dev/null
for address in {' '.join(DNS)} {OUTSIDE2}; do ip address del $address/32 dev outside; done
for address in {OUTSIDE6} {OUTSIDE62}; do ip address del $address/128 dev outside; done
echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
for dev in lo xenbr0 outside; do echo 1 >/proc/sys/net/ipv6/conf/$dev/disable_ipv6; done
rm -rf /run/qubes
true
"""


def escaped(value):
    """As the programs' control lines want it."""
    return "".join(c if " " <= c < "\x7f" and c != "\\" else f"\\x{ord(c):02x}" for c in value)


class Call:
    """How a qrexec call went."""

    def __init__(self, line, out="", err=""):
        match = re.match(r"(\S+) (\S+)(?: code (-?\d+) in (\d+) out (\d+) err (\d+) ms (\d+))?"
                         r"(?: WRONG: (.*))?", line)
        self.line = line
        self.name, self.result = match.group(1), match.group(2)
        self.code = int(match.group(3)) if match.group(3) else None
        self.ms = int(match.group(7) or 0)
        self.wrong = match.group(8)
        self.out, self.err = out, err

    def __repr__(self):
        return f"{self.line}\nstdout: {self.out[:1500]}\nstderr: {self.err[:500]}"


class Dom0:
    """dom0's side of one firewall qube."""

    def __init__(self, bench, programs, name="ringwall"):
        self.bench = bench
        self.programs = programs
        self.name = name
        self.domid = None
        self.entries = {}
        self.clients = []  # objects with ip, ip6, visible_ip, visible_gateway
        self.rules = {}
        self.next_call = 1
        self.forgiven = []  # lines, each with its time

    # ---- the machine around it ----

    def up(self):
        for program in ("qubesdb-server", "qrexec-daemon"):
            self.bench.put(os.path.join(self.programs, program))
        self.bench.put_text("vif-route-bench", VIF_SCRIPT)
        self.bench.put_text("qubes-peer.py", PEER)
        self.bench.run(UP)
        self.serve_names()

    def down(self):
        self.bench.run(DOWN, check=False)

    def serve_names(self, resolvers=DNS, address=OUTSIDE, address6=OUTSIDE6, ttl=5):
        """dnsmasq at the addresses where QubesOS says that the name servers are."""
        records = f"{address} {NAME}\\n{address6} {NAME}\\n{OUTSIDE2} {NAME2}\\n"
        self.bench.run(
            f"test -e /tmp/qubes-dns.pid && kill $(cat /tmp/qubes-dns.pid) && sleep 0.3; "
            f"printf '{records}' >/tmp/qubes-names; "
            f"dnsmasq -C /dev/null --listen-address={','.join(resolvers)} --bind-interfaces "
            f"--no-resolv --no-hosts --addn-hosts=/tmp/qubes-names --local-ttl={ttl} "
            "--log-queries --log-facility=/tmp/qubes-dns.log --pid-file=/tmp/qubes-dns.pid")

    # ---- QubesDB ----

    def control(self, program, lines, timeout=40):
        """Lines to a program's socket; what it answers."""
        text = "\n".join(lines) + "\n"
        return self.bench.run(f"timeout {timeout} nc -NU /run/qubes/{self.name}.{program} "
                              f"<<'LINES'\n{text}LINES", timeout + 10, False).out

    def db(self, *lines, sync=True):
        """Commands to the QubesDB server; waits until the qube has answered all of them."""
        out = self.control("db", list(lines) + (["sync"] if sync else []))
        if sync and not re.search("^synced$", out, re.M):
            raise bench_module.BenchError(f"QubesDB: {out}\n{self.log('db')[-3000:]}")
        return out

    def write(self, **entries):
        """write(qubes_ip="…"): names with _ for -."""
        self.write_all({"/" + key.replace("_", "-"): value for key, value in entries.items()})

    def write_all(self, entries):
        self.entries.update(entries)
        self.db(*[f"write {path} {escaped(value)}" for path, value in entries.items()])

    def remove(self, folder):
        self.entries = {path: value for path, value in self.entries.items()
                        if not path.startswith(folder)}
        self.db(f"rm {folder}")

    def get(self, path):
        """What the server holds; None: nothing."""
        out = self.db(f"get {path}", sync=False).rstrip("\n")
        return None if out == f"no {path}" else out

    def log(self, program):
        return self.bench.run(f"cat /run/qubes/{self.name}.{program}.log 2>/dev/null || true").out

    def all_offences(self):
        return self.bench.run(f"cd /run/qubes && grep -hE 'EXIT:|WRONG:' {self.name}.*.log || "
                              "true").out.splitlines()

    def offences(self):
        """What the programs found wrong with the qube and was not forgiven, in lines."""
        return "\n".join(line for line in self.all_offences() if line not in self.forgiven)

    def forgive(self):
        """Offences until now have been seen."""
        self.forgiven = self.all_offences()

    # ---- entries (vm/qubesvm.py create_qdb_entries, vm/mix/net.py, ext/) ----

    def base_entries(self, netvm=True, ip6=True, gateway=UPLINK_GATEWAY, ip=FIREWALL_IP,
                     timezone="Europe/Berlin"):
        entries = {
            "/name": self.name, "/type": "StandaloneVM", "/default-user": "user",
            "/qubes-vm-type": "ProxyVM", "/qubes-vm-updateable": "True",
            "/qubes-vm-persistence": "full", "/qubes-debug-mode": "0",
            "/qubes-base-template": "", "/qubes-timezone": timezone,
            "/qubes-random-seed": base64.b64encode(os.urandom(64)).decode(),
            "/qubes-block-devices": "", "/qubes-usb-devices": "", "/qubes-gui-enabled": "False",
            "/keyboard-layout": "us++", "/qubes-service/qubes-firewall": "1",
            "/vm-config/ringwall-log": "info",
            "/qubes-netvm-network": ip, "/qubes-netvm-gateway": ip,
            "/qubes-netvm-netmask": "255.255.255.255",
            "/qubes-netvm-primary-dns": DNS[0], "/qubes-netvm-secondary-dns": DNS[1]}
        if ip6:
            entries["/qubes-netvm-gateway6"] = GATEWAY6
        if netvm:
            entries.update(self.netvm_entries(ip6, gateway, ip))
        return entries

    @staticmethod
    def netvm_entries(ip6=True, gateway=UPLINK_GATEWAY, ip=FIREWALL_IP, dns=DNS):
        """The group that is absent without a net VM and is rewritten when it changes."""
        entries = {"/qubes-mac": MAC, "/qubes-ip": ip, "/qubes-netmask": "255.255.255.255",
                   "/qubes-gateway": gateway, "/qubes-primary-dns": dns[0],
                   "/qubes-secondary-dns": dns[1]}
        if ip6:
            entries.update({"/qubes-ip6": FIREWALL_IP6, "/qubes-gateway6": GATEWAY6})
        return entries

    def connected(self):
        """/connected-ips of both families: of all clients, also those that are off."""
        return {"/connected-ips": " ".join(c.visible_ip or c.ip for c in self.clients),
                "/connected-ips6": " ".join(c.ip6 for c in self.clients if c.ip6)}

    @staticmethod
    def mapped(client):
        if not client.visible_ip:
            return {}
        return {f"/mapped-ip/{client.ip}/visible-ip": client.visible_ip,
                f"/mapped-ip/{client.ip}/visible-gateway": client.visible_gateway}

    # ---- rules (firewall.py, reload_firewall_for_vm) ----

    @staticmethod
    def rule_lines(address, rules, policy="drop", numbers=None):
        """The order in which dom0 writes one address's tree: the last write commits."""
        base = f"/qubes-firewall/{address}"
        lines = [f"rm {base}/"]
        if policy is not None:
            lines.append(f"write {base}/policy {policy}")
        for number, rule in zip(numbers or range(len(rules)), rules):
            lines.append(f"write {base}/{number:04d} {rule}")
        return lines + [f"write {base} "]

    def set_rules(self, address, rules, **options):
        """Commits a tree and waits until the qube has counted it as handled."""
        self.rules[address] = (rules, options)
        start = time.monotonic()
        out = self.db(f"mark /qubes-firewall-handled/{address}",
                      *self.rule_lines(address, rules, **options), "await")
        if not re.search("^changed:", out, re.M):
            raise bench_module.BenchError(f"rules of {address} were not handled: {out}\n"
                                          f"{self.bench.console(self.name)[-3000:]}")
        return time.monotonic() - start

    # ---- life ----

    def pre_spawn(self, *clients):
        """domain-pre-spawn: all that the qube must know of a client before its vif is there."""
        self.clients += [c for c in clients if c not in self.clients]
        lines = []
        for client in clients:
            entries = self.connected() | self.mapped(client)
            self.entries.update(entries)
            lines += [f"write {path} {escaped(value)}" for path, value in entries.items()]
            for address in client.addresses():
                rules, options = self.rules.setdefault(address, ([ACCEPT], {}))
                lines += self.rule_lines(address, rules, **options)
        if self.domid is not None:
            self.db(*lines)

    def start_programs(self):
        """The daemons of a domain that is paused: QubesDB is filled before it runs."""
        base = f"/run/qubes/{self.name}"
        self.bench.run(
            f"mkdir -p {base}.calls; cd /run/qubes; "
            f"setsid ./qubesdb-server {self.domid} {base}.db >>{base}.db.log 2>&1 & "
            f"echo $! >{base}.db.pid; for i in 1 2 3 4 5 6 7 8 9; do test -S {base}.db && break; "
            "sleep 0.1; done")
        self.db(*[f"write {path} {escaped(value)}" for path, value in self.entries.items()],
                sync=False)
        for address, (rules, options) in self.rules.items():
            if any(address in client.addresses() for client in self.clients):
                self.db(*self.rule_lines(address, rules, **options), sync=False)

    def start_qrexec(self):
        base = f"/run/qubes/{self.name}"
        self.bench.run(
            f"cd /run/qubes; setsid ./qrexec-daemon {self.domid} {base}.qrexec {base}.calls "
            f">>{base}.qrexec.log 2>&1 & echo $! >{base}.qrexec.pid; "
            f"for i in 1 2 3 4 5 6 7 8 9; do test -S {base}.qrexec && break; sleep 0.1; done")

    def stop_programs(self):
        self.bench.run(f"cd /run/qubes && kill $(cat {self.name}.*.pid) 2>/dev/null; "
                       f"rm -f {self.name}.*.pid {self.name}.db {self.name}.qrexec; true")
        self.domid = None

    def start(self, config, entries=None, unpause=True):
        """QubesVM.start(): created paused, QubesDB filled, unpaused, qrexec."""
        self.entries = entries if entries is not None else self.base_entries()
        for client in self.clients:
            self.entries.update(self.mapped(client))
        self.entries.update(self.connected())
        self.bench.run(self.bench.create_command(config, "-p"), 60)
        self.domid = int(self.bench.run(f"xl domid {self.name}").out)
        self.start_programs()
        if unpause:
            self.unpause()

    def unpause(self):
        self.bench.run(f"xl unpause {self.name}")
        self.start_qrexec()

    def started(self, limit=40):
        """(ms until both agents were connected, ms until ready), as the console says."""
        agents = self.bench.wait_console(self.name, r"agents connected in (\d+) ms", limit)
        ready = self.bench.wait_console(self.name, r"ready in (\d+) ms", limit)
        return int(agents.group(1)), int(ready.group(1))

    def shut_down(self):
        """xl shutdown -F with vmm-xen's check; the values that control/shutdown has had."""
        path = f"/local/domain/{self.domid}/control"
        feature = self.bench.run(f"xenstore-read {path}/feature-poweroff", check=False).out.strip()
        if feature != "1":
            raise bench_module.BenchError(f"control/feature-poweroff is {feature!r}")
        out = self.bench.run(
            f"xenstore-write {path}/shutdown poweroff; n=0; last=x; "
            f"while [ $n -lt 200 ] && now=$(xenstore-read {path}/shutdown 2>/dev/null); do "
            f"[ \"$now\" = \"$last\" ] || echo \"seen <$now>\"; last=$now; n=$((n + 1)); done; "
            f"for i in $(seq 50); do xl domid {self.name} >/dev/null 2>&1 || break; sleep 0.2; "
            "done", 60).out
        self.bench.domains.pop(self.name, None)
        self.stop_programs()
        return re.findall("seen <(.*)>", out)

    def destroyed(self):
        """The domain was killed, or has crashed, and is destroyed."""
        self.bench.destroy(self.name)
        self.stop_programs()

    # ---- qrexec ----

    def qrexec(self, *lines, timeout=60):
        return self.control("qrexec", lines, timeout)

    def wait_agent(self, *lines):
        """Lines, and then until qrexec's daemon and the agent have met."""
        out = self.qrexec(*lines, "await")
        if not re.search("^agent$", out, re.M):
            raise bench_module.BenchError(f"{out}: {self.log('qrexec')[-2000:]}")

    def status(self):
        return {k: int(v) for k, v in re.findall(r"([a-z]+) (\d+)", self.qrexec("status"))}

    def calls(self, *wanted):
        """Several calls at once: (service, options, input), or a service's name."""
        lines, script, names = [], "", []
        for want in wanted:
            service, options, data = (want, "", None) if isinstance(want, str) else want
            name = f"c{self.next_call}"
            self.next_call += 1
            names.append(name)
            if data is not None:
                script += f"printf %s {shlex.quote(data)} >/run/qubes/{name}.in\n"
                options += f" in=/run/qubes/{name}.in"
            verb = "just" if options.startswith("just") else "call"
            lines.append(f"{verb} {name} {service} {options.removeprefix('just')}")
        if script:
            self.bench.run(script)
        text = self.qrexec(*lines)
        folder = f"/run/qubes/{self.name}.calls"
        files = self.bench.run(f"cd {folder} && for n in {' '.join(names)}; do echo \"@@ $n\"; "
                               "head -c 20000 $n.out; echo; echo '@@!'; head -c 2000 $n.err; "
                               "echo; done", check=False).out
        found = {}
        for line in text.splitlines():
            if line:
                found[line.split()[0]] = line
        done = []
        for name in names:
            parts = re.search(rf"^@@ {name}\n(.*?)\n@@!\n(.*?)\n(?=@@ |\Z)", files, re.S | re.M)
            done.append(Call(found.get(name, f"{name} unanswered"),
                             *(parts.groups() if parts else ())))
        return done

    def call(self, service, options="", data=None):
        return self.calls((service, options, data))[0]
