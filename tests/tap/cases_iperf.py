# SPDX-License-Identifier: ISC
"""configs/iperf and the stock iperf3, each as server and as client of the other."""
import contextlib
import json
import time

from cases_traffic import listens
from harness import case, expect, expect_true
from stations import GATEWAY, OURS, Ends

LEAST_BYTES = 1_000_000
UDP_BITS = 20_000_000
UDP = f"-u -b {UDP_BITS // 1_000_000}M"
# By IP version: what the stock client is told, and what ours is.
TO_OURS = {4: ["-t 1", "-t 1 -R -P 4", "-t 1 --bidir", f"-t 1 {UDP}",
               f"-t 1 {UDP} -R --udp-counters-64bit", "-n 20M -M 900 -N -w 256K"],
           6: ["-t 1 -P 2", "-t 1 -R", f"-t 1 {UDP} --bidir"]}
FROM_OURS = {4: ["-t,1,-P,4", "-t,1,-R", "-t,1,-u,-b,20M,-P,2", "-n,20M,-N"],
             6: ["-t,1,--bidir", "-t,1,-u,-b,20M,-R"]}


class Iperf(Ends):
    """One neighbour; each test begins a server or clients of ours."""

    def __init__(self, build, seed):
        super().__init__(build, seed)
        self.program = f"{build}/{self.kind}/iperf"

    def ask(self, version, options, seconds=20):
        """What the stock client finds out, as JSON."""
        return json.loads(self.peer.run("iperf3", "-J", "-c", OURS[version], *options.split(),
                                        seconds=seconds).stdout)


def sums(end):
    """Both directions' totals in what iperf3 -J has under "end": (sent, received) each."""
    if "sum" in end:
        return [(end["sum"], end["sum"])]
    return [(end["sum_sent" + way], end["sum_received" + way])
            for way in ("", "_bidir_reverse") if "sum_sent" + way in end]


def expect_plausible(result, options):
    """No error; about as much has come as was sent; of UDP the rate, and nearly no loss."""
    expect(result.get("error"), None, f"iperf3's error with {options}")
    end = result["end"]
    expect_true(sums(end), f"totals of {options}", end)
    for sent, received in sums(end):
        expect_true(received["bytes"] >= LEAST_BYTES, f"bytes of {options}", end)
        expect_true(received["bytes"] <= sent["bytes"] * 1.001 + 4_000_000 and
                    sent["bytes"] <= received["bytes"] + 8_000_000,
                    f"as many bytes there as here: {options}", end)
    if "sum" in end:
        expect_true(0.8 * UDP_BITS < end["sum"]["bits_per_second"] < 1.2 * UDP_BITS,
                    f"the rate of {options}", end["sum"])
        expect_true(end["sum"]["lost_percent"] < 5, f"nearly no loss: {options}", end["sum"])


@case("iperf", versions=(4, 6))
def iperf_server(world, version):
    """The stock client against ours, in every mode."""
    with world.station(words=["iperf=-s"]) as station:
        for options in TO_OURS[version]:
            expect_plausible(world.ask(version, options), options)
        expect(station.log().count("Accepted connection"), len(TO_OURS[version]), "tests")


@contextlib.contextmanager
def stock_server(world):
    server = world.peer.start("iperf3", "-s")
    try:
        listens(world.peer, 5201)
        yield
    finally:
        world.peer.stop(server)


@case("iperf", versions=(4, 6))
def iperf_client(world, version):
    """Ours against the stock server, in every mode."""
    with stock_server(world):
        for options in FROM_OURS[version]:
            with world.station(words=[f"iperf=-c,{GATEWAY[version]},{options}"]) as station:
                expect(station.process.wait(20), 0, f"status after {options}\n{station.log()}")
                expect_true("iperf Done." in station.log() and "receiver" in station.log(),
                            f"what both ends have counted with {options}", station.log())


@case("iperf")
def iperf_busy(world, version):
    """A second client is told so; one that is killed in the middle costs the next one nothing."""
    with world.station(words=["iperf=-s"]):
        client = world.peer.start("iperf3", "-c", OURS[version], "-t", 30)
        time.sleep(0.5)
        seen = world.ask(version, "-t 1")
        expect_true("busy" in seen.get("error", ""), "the second client is refused", seen)
        world.peer.stop(client)
        time.sleep(0.2)
        expect_plausible(world.ask(version, "-n 20M"), "-n 20M")
