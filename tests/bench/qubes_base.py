# SPDX-License-Identifier: ISC
"""What the scenes of QubesOS share (qubes.py): clients, what is tried from them, rows."""
import os
import re
import time
import traceback

from bench import BenchError, OUTSIDE
from qubes_dom0 import (CLOSED, DNS, FIREWALL_IP, FIREWALL_IP6, GATEWAY6, MAC, NAME, OPEN,
                        OUTSIDE2, OUTSIDE6, OUTSIDE62, Dom0)

EVERYTHING = "+ip +name +open +closed"
EVERYTHING6 = "+ip6 +open6 +closed6"


class Qube:
    """A client, as dom0 knows it."""

    def __init__(self, name, number, ip6=True, ip=None):
        self.name = name
        self.ip = ip or f"10.137.1.{number}"
        self.ip6 = f"fd09:24ef:4179::a89:{0x100 + number:x}" if ip6 else None
        self.visible_ip = self.visible_gateway = None

    def addresses(self):
        return [self.ip] + ([self.ip6] if self.ip6 else [])

    def vif(self, backend="ringwall"):
        return f"mac={MAC},ip={' '.join(self.addresses())},backend={backend}"

    def network(self):
        """The script with which the qube sets up its network, as setup-ip does it."""
        ip, gateway = self.visible_ip or self.ip, self.visible_gateway or FIREWALL_IP
        text = f"""
            n=0; while [ ! -e /sys/class/net/eth0 ] && [ $n -lt 100 ]; do
                sleep 0.1; n=$((n + 1)); done;
            /usr/sbin/ip address add {ip}/32 dev eth0; /usr/sbin/ip link set eth0 up;
            /usr/sbin/ip route replace {gateway} dev eth0;
            /usr/sbin/ip route replace default via {gateway} dev eth0 onlink;
            (echo nameserver {DNS[0]}; echo nameserver {DNS[1]};
                echo options timeout:1 attempts:2) >/etc/resolv.conf;"""
        if self.ip6 and not self.visible_ip:
            text += f"""
            echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6;
            /usr/sbin/ip -6 address add {self.ip6}/128 dev eth0 nodad;
            /usr/sbin/ip -6 route replace {GATEWAY6} dev eth0;
            /usr/sbin/ip -6 route replace default via {GATEWAY6} dev eth0;"""
        return text + " true"


# Each prints +WORD or -WORD; all of them run at once.
PROBES = {
    "ip": f"/usr/bin/ping -4 -n -c 1 -W 2 {OUTSIDE}",
    "name": f"/usr/bin/ping -4 -n -c 1 -W 2 {NAME}",
    "open": f"/usr/bin/nc -n -z -w 2 {OUTSIDE} {OPEN}",
    "closed": f"/usr/bin/nc -n -z -w 2 {OUTSIDE} {CLOSED}",
    "other": f"/usr/bin/nc -n -z -w 2 {OUTSIDE2} {OPEN}",
    "ip6": f"/usr/bin/ping -6 -n -c 1 -W 2 {OUTSIDE6}",
    "name6": f"/usr/bin/ping -6 -n -c 1 -W 2 {NAME}",
    "open6": f"/usr/bin/nc -6 -n -z -w 2 {OUTSIDE6} {OPEN}",
    "closed6": f"/usr/bin/nc -6 -n -z -w 2 {OUTSIDE6} {CLOSED}",
    "other6": f"/usr/bin/nc -6 -n -z -w 2 {OUTSIDE62} {OPEN}",
    "gateway": f"/usr/bin/ping -4 -n -c 1 -W 2 {FIREWALL_IP}",
}


class QubesBase:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    # ---- helpers ----

    def qubes_config(self, cmdline="", memory=32, backend=None, ip=FIREWALL_IP, vif=True):
        """The domain as libvirt's template describes it; backend: a net VM beside dom0."""
        addresses = f"{ip} {FIREWALL_IP6}" if backend is None else ip
        end = f"backend={backend}" if backend else "script=vif-route-bench"
        return self.bench.ringwall_config(
            self.kernel, mode=self.mode, memory=memory, cmdline=cmdline,
            vifs=[f"mac={MAC},ip={addresses},{end}"] if vif else [])

    def qube_config(self, qube, cpu="2"):
        config = self.bench.client_config(qube.name, 1, cpu=cpu)
        config["vif"], config["watched"] = [qube.vif()], False
        config["cmdline"] = config["cmdline"].split(" rw.ip=")[0]  # the script below does it
        return config

    def start_qubes(self, *qubes):
        """Clients whose entries are in QubesDB already, all at once."""
        for number, qube in enumerate(qubes):
            self.bench.create(self.qube_config(qube, str(2 + number % 2)))
        for qube in qubes:
            self.bench.wait_ready(qube.name)
            self.set_network(qube)

    def set_network(self, qube):
        self.bench.guest(qube.name, " ".join(qube.network().split()), 40)

    def probe(self, qube, *words):
        """What of PROBES works, in the order asked for: "+ip -name"."""
        script = " ".join(f"({PROBES[w]} >/dev/null 2>&1 && echo +{w} || echo -{w}) &"
                          for w in words)
        out = self.bench.guest(qube.name, f"{script} wait", 40, False).out
        got = {word[1:]: word for word in re.findall(r"^[+-]\w+$", out, re.M)}
        return " ".join(got.get(word, f"?{word}") for word in words)

    def expect_probe(self, qube, wanted, what="", within=0):
        """wanted: "+ip -name"; tried again until `within` seconds are over."""
        words = [word[1:] for word in wanted.split()]
        end = time.monotonic() + within
        seen = self.probe(qube, *words)
        while seen != wanted and time.monotonic() < end:
            seen = self.probe(qube, *words)
        self.expect(seen == wanted, f"{what} {qube.name}: {wanted}",
                    f"{seen}\n{self.bench.console('ringwall')[-1500:]}")

    def detach(self, qube, check=True):
        """Its net VM becomes none (or another one)."""
        self.bench.run(f"xl network-detach {qube.name} $(xenstore-list /local/domain/"
                       f"$(xl domid {qube.name})/device/vif | tail -n 1)", 40, check)

    def attach(self, qube, configure=True):
        self.bench.run(f"xl network-attach {qube.name} {self.words(qube.vif())}", 40)
        if configure:
            self.set_network(qube)

    @staticmethod
    def words(vif):
        return " ".join(f"'{word}'" for word in vif.split(","))

    def rows(self, *methods):
        """Runs all of them, also after one has failed; each is a row of the list."""
        failed = []
        for method in methods:
            name = method.__name__.removeprefix("qubes_")
            if not re.search(os.environ.get("QUBES_ROWS", ""), name):
                continue
            start = time.monotonic()
            try:
                method()
                offences = self.dom0.offences()
                self.expect(not offences, "nothing that dom0's daemons object to", offences)
                verdict = "ok  "
            except (AssertionError, BenchError, Exception) as error:  # pylint: disable=W0718
                failed.append(f"{name}: {type(error).__name__}: {error}")
                verdict = "FAIL"
                self.dom0.forgive()
                if os.environ.get("QUBES_TRACE"):
                    traceback.print_exc()
                print(f"    {name}: {str(error)[:1500]}", flush=True)
            print(f"    {verdict} {name} ({time.monotonic() - start:.1f} s)", flush=True)
        self.expect(not failed, "every row to hold", "\n".join(failed))

    def peer_log(self, pattern):
        return int(self.bench.run(f"grep -c '{pattern}' /tmp/qubes-peer.log", check=False)
                   .out.strip() or 0)

    def in_qubes(self, scene):
        """dom0's side up, the scene, and down again."""
        self.dom0 = Dom0(self.bench, self.qubes)
        self.dom0.up()
        try:
            scene()
        finally:
            for program in ("db", "qrexec"):
                path = os.path.join(self.bench.log_dir, f"{self.mode}-qubes-{program}.log")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(self.dom0.log(program))
            self.dom0.down()
