import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.prosody.door import Door
from tests.prosody.stand import Stand, has_prosody, new_stand

Run = Callable[[Callable[[Stand], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """The sidecar, for the tests in which Prosody asks it who comes in."""
    door = Door()
    yield door
    door.server.shutdown()
    door.server.server_close()


@pytest.fixture(scope="session")
def shared_stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One Prosody for the tests that leave it as they found it."""
    if not has_prosody():
        pytest.skip("Prosody is not installed")
    stand = new_stand(tmp_path_factory.mktemp("prosody"))
    yield stand
    stand.stop()
    stand.sidecar.stop()


@pytest.fixture
def own_stand(tmp_path: Path) -> Iterator[Stand]:
    """A Prosody of the test's own, to kill, restart or cut off."""
    if not has_prosody():
        pytest.skip("Prosody is not installed")
    stand = new_stand(tmp_path)
    yield stand
    stand.stop()
    stand.sidecar.stop()


def _runner(stand: Stand) -> Run:
    def run(test: Callable[[Stand], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            try:
                await asyncio.wait_for(test(stand), 110)
            finally:
                await stand.close_clients()

        asyncio.run(whole())
        assert "Traceback" not in stand.log(), stand.log()[-4000:]
        assert not [line for line in stand.log().splitlines() if "\terror\t" in line and "gate" not in line]

    return run


@pytest.fixture
def run(shared_stand: Stand) -> Run:
    """Run an async test against the shared Prosody; no Lua error may be in its log afterwards."""
    return _runner(shared_stand)


@pytest.fixture
def run_alone(own_stand: Stand) -> Run:
    return _runner(own_stand)
