"""How much signing one small machine takes. A stress test that can be repeated: `script/soak signing`."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._signing_world import SigningWorld, signing_world
from benchmarks.common import percentile
from benchmarks.signing import complete_agreements, waits

SIGNERS = 1000
AGREEMENTS = 1440
PER_SECOND = 12

pytestmark = [
    pytest.mark.skipif("SOAK" not in os.environ, reason="takes some minutes: script/soak signing"),
    pytest.mark.timeout(1200),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningWorld]:
    folder: Path = tmp_path_factory.mktemp("signing")
    with signing_world(folder, signers=SIGNERS, workers=2, threads=8) as world:
        complete_agreements(world, world.signers[:8])
        yield world


@pytest.mark.requirement("R149")
def test_twelve_agreements_a_second_go_from_the_api_to_the_sealed_file(world: SigningWorld) -> None:
    complete, began = 0, time.monotonic()
    while complete < AGREEMENTS:
        world.bankid.phone("forget")
        batch = [world.signers[at % SIGNERS] for at in range(complete, complete + 360)]
        done = complete_agreements(world, batch)
        assert done == len(batch)
        complete += done
    rate = complete / (time.monotonic() - began)

    print(f"{complete} agreements, {rate:.1f} a second")
    assert rate >= PER_SECOND


@pytest.mark.requirement("R150")
def test_a_thousand_people_who_sign_at_once_are_answered_within_a_second(world: SigningWorld) -> None:
    world.bankid.phone("forget")
    world.bankid.phone("faults", reset=True)  # nobody approves: all stay in flight

    took = waits(world, world.signers, polls=4)

    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    print(f"{SIGNERS} signers, {len(took)} questions: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")
    assert p99 < 1.0
