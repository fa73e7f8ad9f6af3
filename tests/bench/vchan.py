# SPDX-License-Identifier: ISC
"""Vchans between our guest (configs/vchan) and the real libxenvchan in dom0
(tests/qubes/vchan_peer.c), in both roles, for integration.py.
"""
import re

import bench as bench_module

# What the guest says once of each; with None it has nothing to say.
NONSENSE = {"written": r"domain 0 says it has written byte", "read": r"domain 0 says it has read byte",
            "live": None, "noise": None}
WRONG_OFFERS = {"orders": r"domain 0 offers rings of the impossible orders 77 and 16",
                "grants": r"cannot connect: error -\d+"}
ROLES = {"join": "server", "serve": "client"}  # dom0's, and the guest's


class VchanTests:
    """Mixed into integration.Suite, whose helpers and `expect` it uses."""

    def vchan_begin(self):
        b = self.bench
        kernel, peer = self.vchan
        b.create({"name": "vchan", "type": self.mode, "memory": 16, "vcpus": 1, "cpus": "1",
                  "kernel": b.put(kernel, "vchan.kernel"), "on_crash": "preserve"})
        b.wait_console("vchan", r"vchan: ready", 20)
        b.put(peer, "vchan-peer")
        b.run("cp /share/vchan-peer /tmp/vchan-peer && chmod +x /tmp/vchan-peer")
        return self.domid("vchan")

    def vchan_try(self, role, domid, what):
        """Runs dom0's program; what it said."""
        result = self.bench.run(f"/tmp/vchan-peer {role} {domid} {what}", 110, False)
        self.expect(result.ok and result.out.endswith("right\n"), f"{role} {what} to go right",
                    result.out + self.bench.console("vchan")[-2000:])
        return result.out

    def vchan_settled(self):
        """Nothing is left but the server that waits for the next."""
        def is_last():
            return (re.findall(r"vchan: (open .*)", self.bench.console("vchan")) or [""])[-1] == \
                "open 1, pages held 0"
        bench_module.wait_for("the guest to let go of everything", is_last, 20)

    def test_vchan(self):
        """Vchans with the real libxenvchan, both roles: 1 byte to 16 MiB, floods, speed."""
        domid = self.vchan_begin()
        for role, ours in ROLES.items():
            for what in ("sizes", "flood"):
                self.vchan_try(role, domid, what)
            for line in self.vchan_try(role, domid, "speed").splitlines()[:-1]:
                print(f"    {ours} {line}", flush=True)
        self.vchan_settled()

    def test_vchan_nonsense(self):
        """A vchan peer that writes nonsense costs one line and one connection; the next works."""
        b = self.bench
        domid = self.vchan_begin()
        for role, ours in ROLES.items():
            for what, line in NONSENSE.items():
                self.vchan_nonsense(role, domid, what, line)
            self.expect(len(re.findall(f"{ours}: served [1-9]", b.console("vchan"))) == len(NONSENSE),
                        f"each connection of the {ours} to end", b.console("vchan"))
        for what, line in WRONG_OFFERS.items():
            self.vchan_nonsense("serve", domid, what, line)
        for role in ROLES:
            self.vchan_try(role, domid, "flood")
        self.vchan_killed(domid)
        self.vchan_settled()

    def vchan_nonsense(self, role, domid, what, line):
        start = len(self.bench.console("vchan"))
        self.vchan_try(role, domid, what)
        if line:
            self.bench.wait_console("vchan", line, 10, start)
        text = self.bench.console("vchan")[start:]
        warnings = re.findall(r"warn vchan: .*", text)
        self.expect(len(warnings) <= (1 if what != "orders" else 4),
                    f"one line about {what}", "\n".join(warnings))

    def vchan_killed(self, domid):
        """dom0's program dies in mid-transfer: the guest ends it, and serves the next."""
        b = self.bench
        for role, ours in ROLES.items():
            start = len(b.console("vchan"))
            b.run(f"/tmp/vchan-peer {role} {domid} speed & sleep 0.5; kill -9 $!; wait; true", 30)
            b.wait_console("vchan", f"{ours}: served .* ended with -\\d+", 10, start)
            self.vchan_try(role, domid, "noise")
