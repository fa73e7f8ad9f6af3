# SPDX-License-Identifier: ISC
"""Where the instructions of a measured part went, by symbol: for `make bench PROFILE=1`.

The plugin in count/ counts each translated block; here blocks are summed by the symbol
they lie in. Known are our own kernel's symbols and the hypervisor's (of Debian's package
with its debug symbols, kept in the cache); another kernel's are one line.
"""
import bisect
import glob
import os
import shutil
import subprocess
import tempfile

import image
from bench import FIREWALL_CPU

LINES = 70
XEN_FIRST, XEN_LAST = 0xffff800000000000, 0xffff87ffffffffff
OWN_LAST = 1 << 30


def read_symbols(path):
    """[(address, name)] of code, by address."""
    text = subprocess.run(["nm", "-n", path], stdout=subprocess.PIPE, check=True).stdout.decode()
    rows = (line.split() for line in text.splitlines())
    return [(int(row[0], 16), row[2]) for row in rows if len(row) == 3 and row[1] in "tTwW"]


def xen_symbols_file():
    package = image.XEN_PACKAGE + "-dbg"
    path = os.path.join(image.cache_root(), f"symbols-{package}")
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory() as folder:
            image.fetch_package(package, folder)
            pattern = os.path.join(folder, "usr/lib/debug/boot/xen-syms-*amd64")
            shutil.copyfile(glob.glob(pattern)[0], path + ".new")
        os.rename(path + ".new", path)
    return path


class Table:
    """Finds the symbol that an address lies in."""

    def __init__(self, path):
        symbols = read_symbols(path)
        self.addresses = [address for address, _ in symbols]
        self.names = [name for _, name in symbols]

    def find(self, address):
        """(symbol, does it begin here)."""
        place = bisect.bisect_right(self.addresses, address) - 1
        if place < 0:
            return hex(address), False
        return self.names[place], self.addresses[place] == address


class Profiler:
    """Writes one file for each part into the folder."""

    def __init__(self, counter, folder):
        self.counter = counter
        self.folder = folder
        self.xen = Table(xen_symbols_file())

    def begin(self):
        self.counter.reset()

    def place(self, address, own):
        """(whose, symbol, is this its first instruction) of an address."""
        if address < OWN_LAST and own:
            return "guest", *own.find(address)
        if XEN_FIRST <= address <= XEN_LAST:
            return "xen", *self.xen.find(address)
        return "guest", "(another kernel)", False

    def end(self, case, part, cpu=FIREWALL_CPU):
        own = Table(case.kernel + ".debug") if case.kind == "ringwall" else None
        sums, calls = {}, {}
        for address, executions, instructions in self.counter.profile(cpu):
            whose, symbol, begins = self.place(address, own)
            key = (whose, symbol)
            sums[key] = sums.get(key, 0) + instructions
            calls[key] = calls.get(key, 0) + (executions if begins else 0)
        total = max(sum(sums.values()), 1)
        rows = sorted(sums.items(), key=lambda item: -item[1])[:LINES]
        name = f"profile-{part}-{case.kind}-{case.mode}.txt"
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as f:
            f.write(f"{total} instructions on the CPU of the domain under measurement\n"
                    "  share  instructions    calls  whose  symbol\n")
            for (whose, symbol), count in rows:
                f.write(f"{100 * count / total:5.1f} %  {count:12} {calls[whose, symbol]:8}  {whose:5}  {symbol}\n")
