"""A browser put to sleep for longer than the bridge waits, as by the lid of a laptop. Run by `script/soak sleep`."""

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import CHROMIUM, ELIN, FLAGS, MAJA, joined, measured, sees_and_hears, until

SECONDS = float(os.environ.get("SLEEP_SECONDS", "0"))
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(SECONDS == 0, reason="takes a minute: script/soak sleep"),
]
real = steps.real  # fixture


def family(mark: str) -> list[int]:
    """Return the processes of the browser that was started with this mark, children included."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it ended meanwhile
        if mark.encode() in command:
            found.add(int(folder.name))
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


@pytest.mark.requirement("R048")
def test_a_computer_that_slept_is_back_in_the_meeting_within_seconds(real: Any, tmp_path: Path) -> None:
    mark = f"--crash-dumps-dir={tmp_path / 'sleeper'}"  # a flag that changes nothing here and is nobody else's
    stage = real.arrange(stub.room_state(MAJA, ELIN))
    real.arrange(stub.room_state(ELIN, MAJA))
    with sync_playwright() as running:
        awake = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        sleeper = running.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, mark])
        awake.new_page(base_url=real.url).goto("/v/p_elin/room")
        page = sleeper.new_page(base_url=real.url)
        page.goto("/v/p_maja/room")
        until(page, partial(sees_and_hears, page, ELIN), within_ms=60_000)
        before, joins = page.url, stage.joins
        processes = family(mark)
        try:
            for pid in processes:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(SECONDS)
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)
        woke = time.monotonic()

        if SECONDS > 35:  # the bridge lets go after 30
            until(page, lambda: stage.joins > joins, within_ms=30_000)
        joined(page)
        frames = measured(page, ELIN)[0]
        until(page, lambda: measured(page, ELIN)[0] > frames, within_ms=60_000)
        print(f"slept {SECONDS:.0f} s; pictures again {time.monotonic() - woke:.1f} s after waking")
        assert page.url == before
        sleeper.close()
        awake.close()
