# SPDX-License-Identifier: ISC
"""Named tests that belong to a world, run one after another, each within a time."""
import os
import re
import signal
import sys
import time
import traceback

TEST_SECONDS = 60


class Failure(Exception):
    """A test saw something other than it expected."""


class Skip(Exception):
    """A test cannot tell anything here; the text says why."""


# What the router is known to do. A test that does not see a feature of THERE fails; one
# that does not see another is skipped, and says which.
THERE = {"ip6", "fragments", "max-mss", "rdr", "hairpin", "eim", "rejudge", "binat",
         "tcp-window"}

NAMES = {
    "ip6": "IPv6 forwarding",
    "fragments": "forwarding of IP fragments",
    "max-mss": "scrub (max-mss)",
    "rdr": "rdr-to",
    "binat": "binat-to",
    "hairpin": "hairpin through rdr-to",
    "eim": "endpoint-independent mapping",
    "rejudge": "live flows judged again when the rules change",
    "tcp-window": "TCP packets outside the window dropped",
}


def absent(feature):
    """The test has just found that the feature does not work at all."""
    if feature in THERE:
        raise Failure(f"{NAMES[feature]} does not work")
    raise Skip(f"{NAMES[feature]}: not there yet")


def expect(seen, expected, what):
    """Fails unless seen == expected."""
    if seen != expected:
        raise Failure(f"{what}\n    expected {expected!r}\n    seen     {seen!r}")


def expect_true(condition, what, seen=None):
    """Fails, showing what was seen, unless the condition holds."""
    if not condition:
        raise Failure(f"{what}\n    seen     {seen!r}")


class Case:
    """One test, for one IP version, in one world."""

    def __init__(self, function, world, version, needs, seconds):
        self.function, self.world, self.version = function, world, version
        self.needs, self.seconds = needs, seconds
        name = function.__name__.replace("_", "-")
        self.name = f"{world}/{name}" + ("" if version == 4 else "-6")


CASES = []


def case(world, versions=(4,), needs=(), seconds=TEST_SECONDS):
    """Registers a test: function(world, version)."""

    def register(function):
        for version in versions:
            wanted = tuple(needs) + (("ip6",) if version == 6 else ())
            CASES.append(Case(function, world, version, wanted, seconds))
        return function

    return register


def _too_long(_signal, _frame):
    raise Failure("it took too long")


class Runner:
    """Runs the cases, world by world, and counts."""

    def __init__(self, worlds, only):
        self.worlds, self.only = worlds, re.compile(only)
        self.passed = self.failed = self.skipped = 0

    def report(self, name, began, error=None, skip=None):
        seconds = f"{time.monotonic() - began:5.1f} s"
        if error:
            self.failed += 1
            print(f"FAILED   {seconds}  {name}: {error}", flush=True)
        elif skip:
            self.skipped += 1
            print(f"skipped  {seconds}  {name}: {skip}", flush=True)
        else:
            self.passed += 1
            print(f"ok       {seconds}  {name}", flush=True)

    def _one(self, world, test):
        began = time.monotonic()
        error = skip = None
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(test.seconds)
        try:
            world.before()
            for need in test.needs:
                if world.lacks(need):
                    absent(need)
            test.function(world, test.version)
            world.after()
        except Skip as reason:
            skip = str(reason)
        except Failure as failure:
            error = str(failure)
        except Exception:  # whatever goes wrong in a test is this test's failure
            error = traceback.format_exc()
        finally:
            signal.alarm(0)
        self.report(test.name, began, error, skip)
        if error:
            world.explain(sys.stdout)
            sys.stdout.flush()

    def _world(self, name, tests):
        began = time.monotonic()
        world = None
        try:
            world = self.worlds[name]()
            world.start()
            for test in tests:
                self._one(world, test)
                if not world.is_alive():
                    self.report(f"{name}/alive", began, "the firewall died")
                    world.explain(sys.stdout)
                    break
            self.report(f"{name}/ends-clean", began, world.end())
        except Exception:
            self.report(f"{name}/world", began, traceback.format_exc())
            if world:
                world.explain(sys.stdout)
        finally:
            if world:
                world.destroy()

    def run(self):
        """Runs all that match; True when none failed."""
        for name in self.worlds:
            tests = [t for t in CASES if t.world == name and self.only.search(t.name)]
            if tests:
                self._world(name, tests)
        count = f"{self.passed} passed, {self.failed} failed"
        if self.skipped:
            count += f", {self.skipped} skipped"
        print(count, flush=True)
        return self.failed == 0


def end_by_exception():
    """SIGTERM and SIGHUP run the cleanup as Ctrl-C does."""

    def leave(number, _frame):
        raise KeyboardInterrupt(f"signal {number}")

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)


def seed():
    """The run's seed, printed, from SEED= if given."""
    value = int(os.environ.get("SEED") or time.time_ns() & 0xFFFFFFFF)
    print(f"SEED={value}", flush=True)
    return value
