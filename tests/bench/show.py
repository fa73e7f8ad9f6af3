#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Shows the main job: boots Xen, puts Ringwall between a Linux client and dom0, and
lets the client try what the sample rules allow and forbid.

    show.py KERNEL        MODE=pv|pvh in the environment (default pvh)

At a terminal it ends in a small shell of dom0.
"""
import os
import re
import sys

from bench import Bench, BenchError, OUTSIDE, TOP, UPLINK_GATEWAY

RULES = os.path.join(TOP, "configs", "firewall", "rules.conf")


def guest(bench, title, script):
    bench.say(f"client: {title}")
    result = bench.guest("client", script, 90, False)
    for line in result.out.strip().splitlines():
        print(f"             {line}")
    return result


def stats(bench):
    start = len(bench.console("ringwall"))
    bench.type("ringwall", "stats")
    bench.wait_console("ringwall", "^stats: end", 15, start)
    return re.findall(r"^stats: (.*)$", bench.console("ringwall")[start:], re.M)


def show(bench, kernel, mode):
    with open(RULES, encoding="utf-8") as f:
        rules = f.read()
    bench.say(f"xl create ringwall ({mode}, 32 MB, rules from configs/firewall/rules.conf)")
    bench.create(bench.ringwall_config(kernel, mode=mode, rules=rules))
    bench.wait_console("ringwall", r"ready in \d+ ms", 30)
    for line in bench.console("ringwall").strip().splitlines():
        print(f"             {line}")
    bench.say("xl create client (Linux) with backend=ringwall")
    bench.create(bench.client_config("client", 10))
    bench.wait_ready("client")
    bench.run("iperf3 -s -D -p 443; (while nc -l -p 25 </dev/null; do :; done) >/dev/null 2>&1 & "
              "sleep 0.5")
    checks = [
        ("3 packets received",
         guest(bench, f"ping {OUTSIDE}", f"ping -c 3 -i 0.3 {OUTSIDE}")),
        (OUTSIDE, guest(bench, "a DNS query", f"nslookup -type=a server.test {UPLINK_GATEWAY}")),
        ("receiver", guest(bench, "iperf3 up, over the allowed port 443",
                           f"iperf3 -f m -c {OUTSIDE} -p 443 -n 60M | tail -n 4")),
        ("receiver", guest(bench, "iperf3 down",
                           f"iperf3 -f m -c {OUTSIDE} -p 443 -n 60M -R | tail -n 4")),
        ("refused", guest(bench, "the forbidden port 25",
                          f"nc -w 5 {OUTSIDE} 25 </dev/null 2>&1")),
    ]
    bench.say("ringwall: stats")
    for line in stats(bench):
        print(f"             {line}")
    failed = [expected for expected, result in checks if expected not in result.out]
    for expected in failed:
        print(f"expected to see \"{expected}\" above")
    return not failed


def shell(bench):
    print("dom0's shell, for one command at a time: xl list, xl console is not possible here; "
          "`exit` or Ctrl-D leaves.")
    while True:
        try:
            line = input("dom0# ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if line.strip() in ("exit", "quit"):
            return
        print(bench.run(line, 300, False).out, end="")


def main():
    mode = os.environ.get("MODE", "pvh")
    if mode not in ("pv", "pvh"):
        print("MODE is pv or pvh")
        return 2
    try:
        with Bench() as bench:
            good = show(bench, sys.argv[1], mode)
            bench.say("all as it should be" if good else "NOT all as it should be")
            if sys.stdin.isatty() and sys.stdout.isatty():
                shell(bench)
    except BenchError as error:
        print(f"show: {error}")
        return 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
