# SPDX-License-Identifier: ISC
"""The comparison with Linux nft, as tests."""
import differential
from harness import case

SETS = 300
ATTEMPTS = 60


@case("nft", versions=(4, 6), seconds=120)
def same_verdicts(world, version):
    """Thousands of packets, hundreds of rule sets: what passes is the same."""
    done = differential.run(world.program, world.random, version, SETS, ATTEMPTS)
    print(f"         {done.sets} rule sets, {done.packets} packets, {done.passes} flows", flush=True)
