# SPDX-License-Identifier: ISC
"""The web server and the firewall's page for its administrator: curl, wget, crowds, peers that
are slow on purpose, the counters as Prometheus reads them, and the live page in a browser."""
import contextlib
import json
import os
import re
import shutil
import socket
import threading
import time

from harness import case, expect, expect_true
from stations import DEVICE, FAMILY, OURS, Ends
from worlds import CLIENT, GATEWAY, Offload
from worlds import OURS as FIREWALL

BRACKETS = {4: "{}", 6: "[{}]"}
BURST_THREADS, BURST_EACH = 16, 25
KEPT = 200
ROOM = 256  # connections that httpd serves at once
REQUEST_SECONDS = 2  # for a whole request
GREEDY = "10.137.0.77"
PAGES = "configs/httpd/pages"


class Httpd(Ends):
    """One httpd for all tests, and its neighbour."""

    def __init__(self, build, seed):
        super().__init__(build, seed)
        self.program = f"{build}/{self.kind}/httpd"
        self.build = build
        self.running = None

    def start(self):
        super().start()
        self.running = self.station(words=[f"httpd-request-s={REQUEST_SECONDS}"])
        self.running.__enter__()

    def is_alive(self):
        return self.last.process.poll() is None

    def end(self):
        self.running.__exit__(None, None, None)

    def destroy(self):
        self.last.kill()
        super().destroy()

    def url(self, path, version=4):
        return f"http://{BRACKETS[version].format(OURS[version])}{path}"

    def ask(self, text, version=4, piece=None):
        """All that comes back for these bytes until the server ends."""
        with self.connect(80, version) as client:
            for at in range(0, len(text), piece or len(text)):
                client.sendall(text[at:at + (piece or len(text))])
            return b"".join(iter(lambda: client.recv(65536), b""))


class Managed(Offload):
    """A firewall that shows its counters to its first client."""

    options = Offload.options + ["--manage", f"{CLIENT[4](0)}:8080"]
    rules = Offload.rules + "pass in on uplink proto tcp to any port 8080\n"


class ManagedFromOutside(Offload):
    """One that shows them to a neighbour of its uplink, by IPv6."""

    options = Offload.options + ["--manage", f"[{GATEWAY[6]}]:8080,uplink"]


def page(name):
    with open(f"{PAGES}/{name}", "rb") as file:
        return file.read()


# ---- pages

@case("httpd", versions=(4, 6))
def curl(world, version):
    """A page whole, by its tag not again, and what there is not."""
    for path, status, body in (("/", "200", page("index.html")), ("/nothing", "404", None),
                               ("/robots.txt?x=1", "200", page("robots.txt"))):
        seen = world.peer.run("curl", "-sS", "-m", 5, "-D", "-", world.url(path, version),
                              text=False).stdout
        head, _, rest = seen.partition(b"\r\n\r\n")
        expect_true(head.startswith(f"HTTP/1.1 {status} ".encode()), f"status of {path}", head)
        expect_true(body is None or rest == body, f"bytes of {path}", rest)
    tag = re.search(rb'ETag: ("\w+")', world.ask(b"HEAD / HTTP/1.0\r\n\r\n", version)).group(1)
    seen = world.peer.run("curl", "-sS", "-m", 5, "-H", f"If-None-Match: {tag.decode()}", "-w",
                          "%{http_code} %{size_download}", world.url("/", version))
    expect(seen.stdout, "304 0", "what has not changed does not come again")


@case("httpd")
def wget(world, _version):
    """The page and what belongs to it, over one connection."""
    seen = world.peer.run("wget", "-nv", "-T", 5, "-t", 1, "-e", "robots=off", "-p", "-nH", "-P",
                          f"{world.folder}/wget", world.url("/"))
    expect(seen.returncode, 0, f"wget: {seen.stdout}")
    with open(f"{world.folder}/wget/index.html", "rb") as file:
        expect(file.read(), page("index.html"), "what wget has")
    expect_true(os.path.exists(f"{world.folder}/wget/status.css"), "the style, too")


@case("httpd", versions=(4, 6))
def pipelined(world, version):
    """Many requests in one go, and in pieces: answers in their order."""
    host = f"Host: {BRACKETS[version].format(OURS[version])}\r\n".encode()
    requests = (b"GET /robots.txt HTTP/1.1\r\n" + host + b"\r\nHEAD / HTTP/1.1\r\n" + host +
                b"\r\nGET /none HTTP/1.1\r\n" + host + b"\r\n") * 20
    requests += b"GET / HTTP/1.1\r\nConnection: close\r\n" + host + b"\r\n"
    whole = world.ask(requests, version)
    expect(re.findall(rb"HTTP/1.1 (\d+)", whole), [b"200", b"200", b"404"] * 20 + [b"200"],
           "answers in order")
    expect_true(whole.endswith(page("index.html")), "the last one is whole")
    expect_true(world.ask(requests, version, 7) == whole, "pieces make no difference")


@case("httpd")
def hostile(world, _version):
    """What is no request is answered so, and ends the connection."""
    for text, status in ((b"\x16\x03\x01\x02\x00\x01", 400), (b"GET /\r\n\r\n", 400),
                         (b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400),
                         (b"GET /%2e%2e/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
                         (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/2.0\r\n\r\n", 505),
                         (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n"
                          + bytes(30000), 405),
                         (b"GET /" + b"a" * 5000, 414),
                         (b"GET / HTTP/1.1\r\nX: " + b"a" * 5000, 431)):
        expect(world.ask(text)[9:12], str(status).encode(), f"answer to {text[:40]}")


# ---- many

def _burst(world, failures):
    for _ in range(BURST_EACH):
        try:
            seen = world.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        except OSError as error:
            failures.append(repr(error))
            continue
        if not seen.endswith(page("index.html")):
            failures.append(seen)


@case("httpd")
def burst(world, _version):
    """A connection for each request, from many at once."""
    failures = []
    threads = [threading.Thread(target=_burst, args=(world, failures))
               for _ in range(BURST_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(failures, [], f"of {BURST_THREADS * BURST_EACH} requests, failed")


@case("httpd", versions=(4, 6))
def kept_alive(world, version):
    """200 connections that stay, each asked again and again."""
    request = b"GET /robots.txt HTTP/1.1\r\nHost: a\r\n\r\n"
    wanted = page("robots.txt")
    clients = [world.connect(80, version) for _ in range(KEPT)]
    try:
        for _ in range(3):
            for client in clients:
                client.sendall(request)
            for client in clients:
                seen = b""
                while not seen.endswith(wanted):
                    more = client.recv(4096)
                    expect_true(more, "the connection stays", seen)
                    seen += more
    finally:
        for client in clients:
            client.close()


@case("httpd")
def slow_on_purpose(world, _version):
    """Who fills all places with requests that never end keeps nobody else out, and goes."""
    slow = []
    world.peer.ip(f"addr add {GREEDY}/24 dev {DEVICE}")
    try:
        for _ in range(ROOM + 20):
            client = world.peer.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.bind((GREEDY, 0))
            client.settimeout(5)
            slow.append(client)
            with contextlib.suppress(OSError):  # the last ones find no place
                client.connect((OURS[4], 80))
                client.sendall(b"GET / HTTP/1.1\r\nX: a")
        for _ in range(10):
            expect(world.ask(b"GET / HTTP/1.0\r\n\r\n")[9:12], b"200",
                   "another address is served")
        # A byte now and then wins nothing.
        begun = time.monotonic()
        while time.monotonic() - begun < REQUEST_SECONDS + 0.5:
            with contextlib.suppress(OSError):
                slow[ROOM // 2].send(b"a")
            time.sleep(0.2)
        expect(slow[ROOM // 2].recv(4096)[9:12], b"408", "what the slow one hears")
    finally:
        for client in slow:
            client.close()
        world.peer.ip(f"addr del {GREEDY}/24 dev {DEVICE}")


# ---- counters

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (-?\d+(?:\.\d+)?)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def _labels(text):
    """Of "a="b",c="d""; fails unless that is all."""
    found, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        expect_true(match and match.group(1) not in dict(found), "labels", text)
        found.append(match.groups())
        at = match.end()
    return tuple(found)


def metrics_of(text):
    """{(name, labels): value}; fails where the text is not strictly format 0.0.4: every name has
    HELP, then TYPE, then its samples and nothing between them; no sample is there twice."""
    samples, seen = {}, set()
    name = kind = None
    expect_true(text.endswith("\n"), "the last line ends", text[-100:])
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, kind = line.split(" ")[2], None
            expect_true(re.fullmatch(NAME, name) and name not in seen, "a new name", line)
            expect_true(len(line.split(" ", 3)[3]) > 5, "help", line)
            seen.add(name)
        elif line.startswith("# TYPE "):
            expect(line.split(" ")[2], name, "TYPE follows its HELP")
            kind = line.split(" ")[3]
            expect_true(kind in ("counter", "gauge"), "type", line)
            expect(name.endswith("_total"), kind == "counter", f"_total of {name}")
        else:
            match = SAMPLE.match(line)
            expect_true(match and match.group(1) == name and kind, "a sample of its family", line)
            key = (name, _labels(match.group(2) or ""))
            expect_true(key not in samples, "only once", line)
            samples[key] = float(match.group(3))
    return samples


def _get(space, url, *how):
    return space.run("curl", "-sS", "-m", 5, *how, url).stdout


@case("httpd", versions=(4, 6))
def metrics(world, version):
    """The counters parse strictly, and count."""
    head = _get(world.peer, world.url("/metrics", version), "-I")
    expect_true("Content-Type: text/plain; version=0.0.4" in head, "the format's name", head)
    before = metrics_of(_get(world.peer, world.url("/metrics", version)))
    for _ in range(5):
        _get(world.peer, world.url("/", version))
    after = metrics_of(_get(world.peer, world.url("/metrics", version)))
    requests = ("ringwall_http_requests_total", ())
    expect(after[requests] - before[requests], 6, "requests in between")
    link = (("interface", DEVICE),)
    for what in ("receive_packets", "receive_bytes", "transmit_packets", "transmit_bytes"):
        key = (f"ringwall_interface_{what}_total", link)
        expect_true(after[key] > before[key] > 0, what, after[key])
    expect_true(all(after[k] >= v for k, v in before.items() if k[0].endswith("_total")),
                "counters go up alone")
    expect(after[("ringwall_build_info", (("guest", "httpd"), ("version", _version_text())))], 1.0,
           "what runs")


def _version_text():
    with open("configs/firewall/VERSION", encoding="ascii") as file:
        return file.read().split()[0]


# ---- the live page

def _browser(world, *how):
    profile = f"{world.folder}/browser"
    seen = world.peer.run("chromium", "--headless", "--no-sandbox", "--disable-gpu",
                          "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                          f"--user-data-dir={profile}", "--hide-scrollbars",
                          "--window-size=1000,1100", *how, seconds=50)
    shutil.rmtree(profile, ignore_errors=True)
    return seen.stdout


def _cell(text, row):
    """The number in a row of the summary."""
    return int(re.search(rf"<td>{row}</td><td[^>]*>(\d+)</td>", text).group(1))


@case("httpd")
def live_page(world, _version):
    """What a browser shows is not what came first: the page has counted on, more than once."""
    url = world.url("/status")
    first = _get(world.peer, url)
    dom = _browser(world, "--virtual-time-budget=3500", "--dump-dom", url)
    expect_true('id="live" class="">Live.' in dom, "the page says that it is live", dom[-3000:])
    expect_true(_cell(dom, "HTTP requests") >= _cell(first, "HTTP requests") + 5,
                "the page's number of requests has grown", _cell(dom, "HTTP requests"))
    expect_true('class="n new"' in dom, "what has changed is marked", dom[-3000:])
    shot = f"{world.build}/status.png"
    _browser(world, "--timeout=2500", f"--screenshot={shot}", url)
    with open(shot, "rb") as file:
        data = file.read()
    expect_true(data.startswith(b"\x89PNG") and len(data) > 10000, "a picture of it", len(data))


@case("httpd")
def page_without_scripts(world, _version):
    """The same numbers stand in the page itself, and in the JSON."""
    text = _get(world.peer, world.url("/status"))
    data = json.loads(_get(world.peer, world.url("/status.json")))
    titles = re.findall(r'<table id="(\w+)">', text)
    expect(titles, list(data["tables"]), "tables")
    summary = {row["name"]: row["value"] for row in data["tables"]["summary"]}
    expect(summary["HTTP requests"], _cell(text, "HTTP requests") + 1, "requests")
    expect(summary["IPv4 address"], OURS[4], "address")
    expect_true('http-equiv="refresh"' in text, "without scripts it loads itself again", text[:500])
    for row in data["tables"]["interfaces"]:
        expect_true(f"<td>{row['name']}</td>" in text, "its interface", row)


# ---- the firewall's page

def _firewall_url(path, version=4):
    return f"http://{BRACKETS[version].format(FIREWALL[version])}:8080{path}"


@case("managed")
def manager_alone(world, _version):
    """One client is shown the counters; to everybody else the port is what it is without."""
    client, other = world.clients[0], world.clients[1]
    samples = metrics_of(_get(client, _firewall_url("/metrics")))
    states = [k for k in samples if k[0] == "ringwall_flows"]
    expect_true(len(states) > 10, "flows by state", states)
    expect(sum(samples[k] for k in states), samples[("ringwall_flows_used", ())], "all flows")
    page_text = _get(client, _firewall_url("/status"))
    expect_true("<h1>firewall</h1>" in page_text, "the page", page_text[:500])
    for space, what in ((other, "another client"), (world.gateway, "who is out there")):
        seen = space.run("curl", "-sS", "-m", 1, _firewall_url("/metrics"))
        expect_true(seen.returncode in (7, 28) and "ringwall_" not in seen.stdout,
                    f"nothing for {what}", seen.stdout)
    refused = [line for line in world.firewall.stats() if line.startswith("manage:")]
    expect_true(refused and int(refused[0].split()[-1]) >= 2, "and counted", refused)


@case("managed")
def manager_without_rules(world, _version):
    """No rule closes it, so that it can be looked at what the rules do."""
    world.firewall.set_rules("block drop all\n")
    try:
        data = json.loads(_get(world.clients[0], _firewall_url("/status.json")))
    finally:
        world.firewall.set_rules(Managed.rules)
    expect(data["guest"], "firewall", "the guest")


@case("managed")
def manager_spoofed(world, _version):
    """The right address on the wrong side is the wrong one."""
    address = CLIENT[4](0)
    for space in (world.gateway, world.clients[1]):
        space.ip(f"addr add {address}/32 dev lo")
        seen = space.run("curl", "-sS", "-m", 1, "--interface", address, _firewall_url("/metrics"))
        space.ip(f"addr del {address}/32 dev lo")
        expect_true(seen.returncode != 0 and "ringwall_" not in seen.stdout, "nothing",
                    seen.stdout)


@case("managed")
def manager_by_name(world, _version):
    """A name that somebody has pointed here reads nothing (DNS rebinding)."""
    seen = world.clients[0].run("curl", "-sS", "-m", 5, "-w", "%{http_code}", "-o", "/dev/null",
                                "-H", "Host: evil.example:8080", _firewall_url("/metrics"))
    expect(seen.stdout, "421", "status")


@case("managed-outside", versions=(6,))
def manager_outside(world, _version):
    """The host by the uplink sees them; from a client's side its address is nobody's."""
    metrics_of(_get(world.gateway, _firewall_url("/metrics", 6)))
    client = world.clients[0]
    seen = client.run("curl", "-sS", "-m", 1, _firewall_url("/metrics", 6))
    expect_true(seen.returncode in (7, 28) and "ringwall_" not in seen.stdout,
                "nothing for a client", seen.stdout)
    client.ip(f"addr add {GATEWAY[6]}/128 dev lo nodad")
    seen = client.run("curl", "-sS", "-m", 1, "--interface", GATEWAY[6],
                      _firewall_url("/metrics", 6))
    expect_true(seen.returncode != 0 and "ringwall_" not in seen.stdout, "nothing", seen.stdout)
