"""More than 300 files made to hurt: each in a process of its own, each judged as it should be."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from tillit_document_room.processes import Workshop
from tillit_document_room.sandbox.refusals import UnsafeFileError


def outcome(workshop: Workshop, data: bytes) -> str:
    try:
        facts, _ = workshop.once({"do": "inspect", "keep_bytes": False}, data)
    except UnsafeFileError as error:
        return f"refused:{error.reason}"
    if not facts["is_pdf"]:
        return "office"
    return "cleaned" if facts["removed"] else "taken"


@pytest.mark.timeout(900)
@pytest.mark.requirement("R069")
def test_no_hostile_file_crashes_hangs_leaks_or_is_misjudged(workshop: Workshop, hostile: ModuleType) -> None:
    files = hostile.every_file()
    assert len(files) >= 300
    assert len({each.label for each in files}) > 300
    workshop.is_shut()
    open_before = len(os.listdir("/proc/self/fd"))
    took: list[float] = []

    def timed(data: bytes) -> str:
        began = time.monotonic()
        found = outcome(workshop, data)
        took.append(time.monotonic() - began)
        return found

    with ThreadPoolExecutor(2) as two:
        outcomes = list(two.map(lambda each: timed(each.data), files))
    wrong = [
        (each.label, found, sorted(each.may))
        for each, found in zip(files, outcomes, strict=True)
        if found not in each.may and found.partition(":")[0] not in each.may
    ]
    assert wrong == []
    assert max(took) < 2 * workshop.limits.wall_s, "each is cut off in time"
    assert len(os.listdir("/proc/self/fd")) <= open_before, "what earlier tests left open may close meanwhile"
    assert workshop.is_shut(), "the process that starts others is still there"
