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

    def name(self, address):
        place = bisect.bisect_right(self.addresses, address) - 1
        return self.names[place] if place >= 0 else hex(address)


class Profiler:
    """Writes one file for each part into the folder."""

    def __init__(self, counter, folder):
        self.counter = counter
        self.folder = folder
        self.xen = Table(xen_symbols_file())

    def begin(self):
        self.counter.reset()

    def place(self, address, own):
        """(whose, symbol) of an address."""
        if address < OWN_LAST and own:
            return "guest", own.name(address)
        if XEN_FIRST <= address <= XEN_LAST:
            return "xen", self.xen.name(address)
        return "guest", "(another kernel)"

    def end(self, case, part):
        own = Table(case.kernel + ".debug") if case.kind == "ringwall" else None
        sums = {}
        for address, instructions in self.counter.profile():
            key = self.place(address, own)
            sums[key] = sums.get(key, 0) + instructions
        total = max(sum(sums.values()), 1)
        rows = sorted(sums.items(), key=lambda item: -item[1])[:LINES]
        name = f"profile-{part}-{case.kind}-{case.mode}.txt"
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as f:
            f.write(f"{total} instructions on the CPU of the domain under measurement\n")
            for (whose, symbol), count in rows:
                f.write(f"{100 * count / total:5.1f} %  {count:12}  {whose:5}  {symbol}\n")
