# SPDX-License-Identifier: ISC
"""Web pages on Xen, for integration.py: the guest httpd, and the firewall's counters for one
client."""
import re

from bench import UPLINK_GATEWAY, UPLINK_IP

MANAGER = 10  # 10.137.1.10
REQUESTS = 30


def asking(path, host=UPLINK_IP, version="1.0"):
    """A shell command that shows what the server says."""
    return (f"printf 'GET {path} HTTP/{version}\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n'"
            f" | nc -w 5 {host} 80")


class WebTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def value(self, text, name):
        """Of one metric; its labels, if any, belong to the name."""
        found = re.search(rf"^{re.escape(name)} ([0-9.]+)\r?$", text, re.M)
        self.expect(found, f"a value of {name}", text[-2000:])
        return float(found.group(1))

    def test_httpd(self):
        """The guest httpd, with 16 MB: dom0 reads pages and counters; it comes and goes."""
        b = self.bench
        b.create(b.ringwall_config(self.httpd, name="httpd", mode=self.mode, memory=16,
                                   cmdline=f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY}"))
        b.wait_console("httpd", r"httpd: listens on port 80", 30)
        page = b.run(asking("/", version="1.1"), 20).out
        self.expect(page.startswith("HTTP/1.1 200") and "</html>" in page, "the page", page)
        b.run(f"for i in $(seq {REQUESTS}); do {asking('/robots.txt')} >/dev/null; done", 60)
        text = b.run(asking("/metrics"), 20).out
        self.expect(self.value(text, "ringwall_http_requests_total") == REQUESTS + 2,
                    "all requests", text[-1500:])
        self.expect(self.value(text, "ringwall_xen_grants") > 0, "grants", text[-1500:])
        status = b.run(asking("/status.json"), 20).out
        self.expect(status.rstrip().endswith("]}}"), "the whole of the status", status[-500:])
        lines, text = self.stats("httpd")
        self.expect("sockets: tcp 0 of" in text, "no connection is left", text)
        self.expect(f"requests {REQUESTS + 3}" in lines.get("http", ""), "its own count", text)
        b.run("xl shutdown -w httpd", 40)

    def test_manage(self):
        """The firewall's counters: for one client, for nobody else, and no rule is asked."""
        b = self.bench
        client = f"10.137.1.{MANAGER}"
        self.start_firewall(
            cmdline=f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY} manage={client}",
            rules="block drop all\n")
        self.start_client("client", MANAGER)
        text = b.guest("client", asking("/metrics"), 30).out
        link = re.search(r'ringwall_ring_queues\{interface="(client[0-9.]+)"\}', text)
        self.expect(link, "the client's own rings", text[-3000:])
        for name in (f'ringwall_interface_receive_packets_total{{interface="{link.group(1)}"}}',
                     'ringwall_ring_queues{interface="uplink0"}', "ringwall_memory_free_bytes"):
            self.expect(self.value(text, name) > 0, name, text[-3000:])
        page = b.guest("client", asking("/status"), 30).out
        self.expect("<h1>firewall</h1>" in page and "</html>" in page, "the page", page[-2000:])
        other = b.run(asking("/metrics") + "; true", 20).out
        self.expect("HTTP/" not in other, "nothing for dom0", other)
        lines, text = self.stats()
        found = re.search(r"requests 2 connections 2 refused-others [1-9]",
                          lines.get("manage", ""))
        self.expect(found, "two requests, and one by somebody else", text)
