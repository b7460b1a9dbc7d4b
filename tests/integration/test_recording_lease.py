"""Who commands a recording by name, and what ends it when nobody does any more: real clients, the real interface."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sidecar.bridge.recording import RoomRecording
from sidecar.bridge.server import Bridge
from sidecar.bridge.signalling import create_application
from sidecar.bridge.testing import Client, OpenGate, eventually, grant, recorded_events, running_bridge
from sidecar.domain.errors import ConflictError
from sidecar.recorder.handover import seal_for
from sidecar.recorder.sealed import Kind, SealedReader

DEK = bytes(range(32))
PATH = "/v1/rooms/room/recording"


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 120))


def begin(bridge: Bridge, *, dek: bytes = DEK) -> RoomRecording:
    offer, public = bridge.recorder.keys.offer()
    sealed = seal_for(public, dek, recording="rec_one")
    return bridge.recorder.start(
        bridge.get_room("room"), "rec_one", offer=offer, sealed_dek=sealed, consented=["p_elin"]
    )


@asynccontextmanager
async def recorded_room(folder: Path) -> AsyncIterator[tuple[Bridge, RoomRecording, list[dict[str, Any]]]]:
    async with running_bridge(recordings=folder) as bridge, Client() as elin:
        events = recorded_events(bridge)
        await elin.join(bridge, "room", grant("p_elin"))
        recording = begin(bridge)
        await recording.begun()
        yield bridge, recording, events


def kept_end(folder: Path) -> str:
    with SealedReader(folder / "rec_one.rec", recording="rec_one", dek=DEK) as reader:
        end = list(reader.records())[-1]
    assert end.kind is Kind.END
    return str(end.note["reason"])


@pytest.mark.requirement("R208")
def test_a_recording_nobody_asks_after_ends_by_itself_and_its_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The product is gone, or cannot reach us: then a yes that is taken back could not reach us either."""

    async def story() -> None:
        async with recorded_room(tmp_path) as (bridge, recording, events):
            monkeypatch.setattr("sidecar.bridge.recording._UNASKED_S", 0.6)
            await eventually(lambda: recording.stopped)
            await eventually(lambda: "recording.stopped" in [each["kind"] for each in events])
            assert bridge.get_room("room").recording is None
        assert [e["data"]["reason"] for e in events if e["kind"] == "recording.stopped"] == ["unattended"]

    run(story())

    assert kept_end(tmp_path) == "unattended"


@pytest.mark.requirement("R208")
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_each_question_and_each_command_keeps_it_going(tmp_path: Path, method: str) -> None:
    async def story() -> None:
        async with recorded_room(tmp_path) as (bridge, recording, _):
            async with TestClient(TestServer(create_application(bridge, OpenGate()))) as http:
                recording._asked_at -= 59.0  # a second before it would end
                answer = await http.request(
                    method, PATH, json={"consented": ["p_elin"]}, headers={"Authorization": "Bearer x"}
                )
                assert answer.status == 200
            recording.tick(bridge.monotonic() + 58.0)
            assert not recording.stopped
            recording.tick(bridge.monotonic() + 61.0)
            assert recording.stopped

    run(story())


@pytest.mark.requirement("R208")
def test_a_command_for_one_recording_neither_ends_nor_widens_another_of_the_room(tmp_path: Path) -> None:
    """The stop of an earlier one, repeated late, would end what everybody has just said yes to."""

    async def story() -> None:
        async with (
            recorded_room(tmp_path) as (bridge, recording, _),
            TestClient(TestServer(create_application(bridge, OpenGate()))) as http,
        ):
            headers = {"Authorization": "Bearer x"}
            late = await http.delete(f"{PATH}?reason=stopped&recording=rec_before", headers=headers)
            wide = await http.put(PATH, json={"recording": "rec_before", "consented": ["p_x"]}, headers=headers)
            assert (late.status, wide.status) == (404, 404)
            assert not recording.stopped
            assert recording.consented == {"p_elin"}
            own = await http.delete(f"{PATH}?reason=stopped&recording=rec_one", headers=headers)
            assert own.status == 204
            assert recording.stopped

    run(story())


@pytest.mark.requirement("R100", "R208")
def test_a_start_under_another_key_is_no_repetition(tmp_path: Path) -> None:
    """The key of the first start was destroyed: the second must not be told that it runs."""

    async def story() -> None:
        async with recorded_room(tmp_path) as (bridge, recording, _):
            assert begin(bridge) is recording
            with pytest.raises(ConflictError):
                begin(bridge, dek=bytes(32))

    run(story())


@pytest.mark.requirement("R208")
def test_a_file_whose_last_words_did_not_reach_the_disk_is_not_said_to_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with recorded_room(tmp_path) as (_, recording, events):
            await eventually(lambda: recording.describe()["position_ms"] > 300)
            writer = recording._out._writer
            assert writer is not None

            def full() -> None:
                raise OSError(28, "No space left on device")

            monkeypatch.setattr(writer, "sync", full)
            recording.stop("stopped")
            await eventually(lambda: "recording.stopped" in [each["kind"] for each in events])
        assert [e["data"]["reason"] for e in events if e["kind"] == "recording.stopped"] == ["disk-full"]

    run(story())
