"""Stanzas nobody wrote: Prosody stays up, no Lua fails, and nobody sees what the sender may not do."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from tests.prosody.stand import has_prosody, new_stand
from tests.prosody.stanza_fuzz import Fuzzed, bursts, lua_faults

STANZAS = int(os.environ.get("FUZZ_STANZAS", "2000"))  # script/soak sends 20,000
BURST = 20


@pytest.mark.requirement("R204", "R216")
@pytest.mark.timeout(1800)
def test_no_generated_stanza_breaks_prosody_or_passes_the_gate(tmp_path: Path) -> None:
    if not has_prosody():
        pytest.skip("Prosody is not installed")
    stand = new_stand(tmp_path)
    loop = asyncio.new_event_loop()
    scene = Fuzzed(stand)
    began = time.monotonic()

    @settings(
        max_examples=STANZAS // BURST,
        phases=[Phase.generate],  # a burst that was found is named; making it smaller would need a fresh Prosody each
        derandomize="FUZZ_STANZAS" not in os.environ,
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(burst=bursts)
    def sends(burst: list[tuple[str, str]]) -> None:
        loop.run_until_complete(asyncio.wait_for(scene.burst(burst), 200))
        if scene.sent % 1000 < BURST and "FUZZ_STANZAS" in os.environ:
            print(f"  {scene.sent:,} stanzas, {time.monotonic() - began:.0f} s", flush=True)

    try:
        sends()
        loop.run_until_complete(scene.serves())
        assert scene.sent >= STANZAS * 0.99
        assert scene.cut <= STANZAS // 100  # else most of it never reached a module
    finally:
        loop.run_until_complete(stand.close_clients())
        loop.close()
        stand.stop()
        stand.sidecar.stop()
    assert lua_faults(stand.log()) == []
