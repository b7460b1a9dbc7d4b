"""A room that is recorded by the bridge: real clients, a real file, decoded again; and a process that is killed."""

import asyncio
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiortc.mediastreams import VideoStreamTrack

from sidecar.bridge.recording import RoomRecording
from sidecar.bridge.server import Bridge
from sidecar.bridge.signalling import create_application
from sidecar.bridge.testing import (
    Client,
    OpenGate,
    eventually,
    grant,
    recorded_events,
    running_bridge,
)
from sidecar.domain.errors import ConflictError
from sidecar.recorder.handover import seal_for
from sidecar.recorder.reading import matroska_of, outline_of
from sidecar.recorder.sealed import Kind, SealedReader
from sidecar.testing.bad_network import BadNetwork, Way

DEK = bytes(range(32))
PATH = "/v1/rooms/room/recording"


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 200))


def start(bridge: Bridge, *consented: str, recording: str = "rec_one") -> RoomRecording:
    offer, public = bridge.recorder.keys.offer()
    sealed = seal_for(public, DEK, recording=recording)
    return bridge.recorder.start(
        bridge.get_room("room"), recording, offer=offer, sealed_dek=sealed, consented=consented
    )


def decoded(folder: Path, recording: str = "rec_one") -> Counter[str]:
    """Return how many frames of each track decode, by the track's name."""
    found: Counter[str] = Counter()
    with av.open(io.BytesIO(matroska_of(folder / f"{recording}.rec", recording=recording, dek=DEK))) as container:
        for packet in container.demux():
            for _ in packet.decode():
                found[packet.stream.metadata["title"]] += 1
    return found


def position(recording: RoomRecording) -> int:
    return int(recording.describe()["position_ms"])


@pytest.mark.requirement("R099", "R208")
def test_a_meeting_is_recorded_without_decoding_and_every_frame_plays(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge:
            events = recorded_events(bridge)
            async with Client() as elin, Client(share=True) as maja:
                await elin.join(bridge, "room", grant("p_elin"))
                await maja.join(bridge, "room", grant("p_maja"))
                recording = start(bridge, "p_elin", "p_maja")
                await recording.begun()
                await eventually(lambda: position(recording) > 3000)
                recording.stop("stopped")
        assert [e["kind"] for e in events if e["kind"].startswith("recording.")] == ["recording.stopped"]

    run(story())

    frames = decoded(tmp_path)
    assert {"p_elin camera", "p_elin microphone", "p_maja camera", "p_maja microphone", "p_maja share"} <= set(frames)
    assert frames["p_elin camera"] > 10  # a busy machine encodes few
    assert frames["p_maja microphone"] > 60


@pytest.mark.requirement("R208")
def test_nothing_of_anybody_is_taken_while_one_person_in_the_room_did_not_say_yes(tmp_path: Path) -> None:
    """A late joiner's face and voice must not reach the file before their answer, nor what others say meanwhile."""

    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge:
            events = recorded_events(bridge)
            async with Client() as elin, Client() as samir:
                await elin.join(bridge, "room", grant("p_elin"))
                recording = start(bridge, "p_elin")
                await recording.begun()
                await eventually(lambda: position(recording) > 800)
                await samir.join(bridge, "room", grant("p_samir"))
                assert recording.describe()["state"] == "paused"
                held = position(recording)
                await asyncio.sleep(0.8)
                assert position(recording) == held
                recording.allow(["p_elin", "p_samir"])
                await eventually(lambda: position(recording) > held + 1500)
                recording.stop("stopped")
        kinds = [e["kind"] for e in events if e["kind"].startswith("recording.")]
        assert kinds == ["recording.paused", "recording.resumed", "recording.stopped"]

    run(story())

    with SealedReader(tmp_path / "rec_one.rec", recording="rec_one", dek=DEK) as reader:
        outline = outline_of(reader)
    assert outline.complete
    assert len(outline.pauses) == 1
    assert decoded(tmp_path)["p_samir microphone"] > 20


def test_who_leaves_without_an_answer_lets_the_recording_go_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client() as elin:
            await elin.join(bridge, "room", grant("p_elin"))
            recording = start(bridge, "p_elin")
            async with Client() as samir:
                await samir.join(bridge, "room", grant("p_samir"))
                assert recording.describe()["state"] == "paused"
                room = bridge.get_room("room")
                room.leave(room.peers["p_samir"], "left")
                assert recording.describe()["state"] == "recording"

    run(story())


class Moving(VideoStreamTrack):
    """A camera each of whose pictures is known beforehand: a pattern that moves, every second from a key frame.

    pictures: SHA-256 of each as a decoder gives it that missed nothing.
    """

    WIDTH, HEIGHT, FRAMES = 320, 240, 30

    def __init__(self) -> None:
        super().__init__()
        encoder: Any = av.CodecContext.create("libvpx", "w")
        encoder.width, encoder.height, encoder.pix_fmt = self.WIDTH, self.HEIGHT, "yuv420p"
        encoder.bit_rate, encoder.time_base = 800_000, Fraction(1, 30)
        encoder.options = {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0", "lag-in-frames": "0"}
        pattern = np.random.default_rng(4).integers(40, 200, (self.HEIGHT * 3 // 2, self.WIDTH), dtype=np.uint8)
        packets = []
        for number in range(self.FRAMES):
            frame = av.VideoFrame.from_ndarray(np.roll(pattern, 3 * number, axis=1), format="yuv420p")
            frame.pts, frame.time_base = number, encoder.time_base
            packets += encoder.encode(frame)
        self._frames = [bytes(packet) for packet in packets]
        decoder: Any = av.CodecContext.create("vp8", "r")
        self.pictures = {digest(picture) for data in self._frames for picture in decoder.decode(av.Packet(data))}
        self._sent = 0

    async def recv(self) -> Any:
        pts, time_base = await self.next_timestamp()
        packet = av.Packet(self._frames[self._sent % self.FRAMES])
        packet.pts, packet.time_base = pts, time_base
        self._sent += 1
        return packet


def digest(picture: Any) -> str:
    return hashlib.sha256(picture.to_ndarray().tobytes()).hexdigest()


@pytest.mark.requirement("R208")
def test_lost_packets_are_asked_for_again_and_the_picture_never_shows_ghosts(tmp_path: Path) -> None:
    """What is lost for good leaves a gap, and never a picture nobody's camera saw: each is compared, bit for bit."""
    camera = Moving()
    shown: list[str] = []
    lost: list[int] = []

    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client(camera=camera) as elin, Client() as maja:
            network = BadNetwork(bridge.candidates[0], up=Way(loss=0.08), down=Way(loss=0.08, seed=8))
            await elin.join(bridge, "room", grant("p_elin"), through=network)
            await maja.join(bridge, "room", grant("p_maja"))
            recording = start(bridge, "p_elin", "p_maja")
            await recording.begun()
            await eventually(lambda: position(recording) > 2000)
            track = next(each for each in recording._inputs.values() if each.owner == "p_elin" and each.frames.video)
            recovered = network.up.lost - track.frames.lost
            network.down.loss = 1.0  # nothing can be asked for again
            await eventually(lambda: track.frames.lost > 10)
            network.down.loss = 0.08
            position_then = position(recording)
            await eventually(lambda: position(recording) > position_then + 2000)
            recording.stop("stopped")
            lost.extend((recovered, track.frames.lost))
            network.close()

    run(story())

    whole = matroska_of(tmp_path / "rec_one.rec", recording="rec_one", dek=DEK)
    with av.open(io.BytesIO(whole)) as container:
        for packet in container.demux():
            if packet.stream.metadata["title"] == "p_elin camera":
                shown += [digest(picture) for picture in packet.decode()]
    assert lost[0] > 5
    assert lost[1] > 10
    assert len(shown) > 30
    assert set(shown) <= camera.pictures


@pytest.mark.requirement("R208")
def test_a_full_disk_stops_the_recording_with_an_event_and_never_the_meeting(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client() as elin, Client() as maja:
            events = recorded_events(bridge)
            await elin.join(bridge, "room", grant("p_elin"))
            await maja.join(bridge, "room", grant("p_maja"))
            recording = start(bridge, "p_elin", "p_maja")
            await recording.begun()
            await eventually(lambda: position(recording) > 600)
            # The file's own descriptor now ends at a device that is always full: a real ENOSPC, without root
            file = recording._out._writer
            assert file is not None
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, file._file)
            os.close(full)
            await eventually(lambda: recording.stopped)
            await eventually(lambda: "recording.stopped" in [e["kind"] for e in events])
            told = next(e for e in events if e["kind"] == "recording.stopped")
            assert told["data"]["reason"] == "disk-full"
            before = elin.frames("audio")
            await eventually(lambda: elin.frames("audio") > before + 10)

    run(story())

    with SealedReader(tmp_path / "rec_one.rec", recording="rec_one", dek=DEK) as reader:
        assert not outline_of(reader).complete


def command(bridge: Bridge) -> dict[str, Any]:
    """Return what the product sends to have the room recorded."""
    offer, public = bridge.recorder.keys.offer()
    sealed = seal_for(public, DEK, recording="rec_one")
    return {"recording": "rec_one", "offer": offer, "sealed_dek": sealed.hex(), "consented": ["p_elin", "p_maja"]}


@pytest.mark.requirement("R208")
def test_media_go_on_while_a_slow_disk_makes_the_file_and_the_answer_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may, in_time = threading.Event(), threading.Event(), list[bool]()
    real = os.fdatasync

    def slow(handle: int) -> None:
        asked.set()
        in_time.append(may.wait(60))
        real(handle)

    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client() as elin, Client() as maja:
            await elin.join(bridge, "room", grant("p_elin"))
            await maja.join(bridge, "room", grant("p_maja"))
            async with TestClient(TestServer(create_application(bridge, OpenGate()))) as http:
                monkeypatch.setattr(os, "fdatasync", slow)
                post = http.post(PATH, json=command(bridge), headers={"Authorization": "Bearer x"})
                answer = asyncio.create_task(post)  # type: ignore[arg-type]  # a coroutine inside
                await eventually(asked.is_set)
                before = elin.frames("audio")
                await eventually(lambda: elin.frames("audio") > before + 25)
                assert not answer.done()
                assert in_time == []
                may.set()
                assert (await answer).status == 201
            recording = bridge.get_room("room").recording
            assert recording is not None
            await eventually(lambda: position(recording) > 600)
            recording.stop("stopped")

    run(story())

    assert decoded(tmp_path)["p_maja microphone"] > 10


@pytest.mark.requirement("R208")
def test_where_the_file_cannot_be_made_nothing_is_recorded_and_the_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()

    async def story() -> None:
        async with running_bridge(recordings=tmp_path / "taken") as bridge, Client() as elin:
            events = recorded_events(bridge)
            await elin.join(bridge, "room", grant("p_elin"))
            async with TestClient(TestServer(create_application(bridge, OpenGate()))) as http:
                answer = await http.post(PATH, json=command(bridge), headers={"Authorization": "Bearer x"})
                assert answer.status == 409
            assert bridge.get_room("room").recording is None
            assert bridge.recorder.running == {}
        assert [each for each in events if each["kind"].startswith("recording.")] == []  # it never began

    run(story())


def test_a_fault_inside_the_recorder_ends_the_recording_and_never_the_meeting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The incident behind it has not happened yet: an exception on the packet path's own loop would stop every room."""

    def fault_inside(*_: object) -> None:
        raise RuntimeError("invented")

    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client() as elin, Client() as maja:
            events = recorded_events(bridge)
            await elin.join(bridge, "room", grant("p_elin"))
            await maja.join(bridge, "room", grant("p_maja"))
            recording = start(bridge, "p_elin", "p_maja")
            await recording.begun()
            monkeypatch.setattr(recording._session, "take", fault_inside)
            await eventually(lambda: recording.stopped)
            assert bridge.get_room("room").recording is None
            await eventually(lambda: "recording.stopped" in [e["kind"] for e in events])
            assert [e["data"]["reason"] for e in events if e["kind"] == "recording.stopped"] == ["failed"]
            before = elin.frames("audio")
            await eventually(lambda: elin.frames("audio") > before + 10)
            async with Client() as samir:
                await samir.join(bridge, "room", grant("p_samir"))

    run(story())


def test_a_room_without_anybody_is_not_recorded_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge:
            events = recorded_events(bridge)
            async with Client() as elin:
                await elin.join(bridge, "room", grant("p_elin"))
                await start(bridge, "p_elin").begun()
                room = bridge.get_room("room")
                room.leave(room.peers["p_elin"], "left")
            await eventually(lambda: "recording.stopped" in [e["kind"] for e in events])
            assert next(e for e in events if e["kind"] == "recording.stopped")["data"]["reason"] == "empty"

    run(story())


def test_a_bridge_that_is_asked_to_stop_ends_its_recordings_properly(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []

    async def asked_to_stop() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client() as elin:
            bridge.events.on_event.append(events.append)
            await elin.join(bridge, "room", grant("p_elin"))
            recording = start(bridge, "p_elin")
            await recording.begun()
            await eventually(lambda: position(recording) > 800)
            await bridge.stop()

    run(asked_to_stop())

    with SealedReader(tmp_path / "rec_one.rec", recording="rec_one", dek=DEK) as reader:
        end = list(reader.records())[-1]
    assert end.kind is Kind.END
    assert end.note["reason"] == "bridge_stopped"
    assert [e["data"]["reason"] for e in events if e["kind"] == "recording.stopped"] == ["bridge_stopped"]


def test_one_room_has_one_recording_and_a_repeated_command_changes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client() as elin:
            await elin.join(bridge, "room", grant("p_elin"))
            first = start(bridge, "p_elin")
            assert start(bridge, "p_elin") is first
            with pytest.raises(ConflictError):
                start(bridge, "p_elin", recording="rec_two")

    run(story())


@pytest.mark.requirement("R208")
def test_a_program_that_is_not_ours_reads_the_whole_file_and_finds_its_length(tmp_path: Path) -> None:
    """ffprobe and a full decode by ffmpeg, with every complaint an error: duration, frame rate, cues, tracks."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed")
    ended: list[int] = []

    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client() as elin, Client() as maja:
            await elin.join(bridge, "room", grant("p_elin"))
            await maja.join(bridge, "room", grant("p_maja"))
            recording = start(bridge, "p_elin", "p_maja")
            await recording.begun()
            await eventually(lambda: position(recording) > 4000)
            recording.stop("stopped")
            ended.append(position(recording))

    run(story())
    path = tmp_path / "whole.mkv"
    path.write_bytes(matroska_of(tmp_path / "rec_one.rec", recording="rec_one", dek=DEK))

    said = subprocess.run(
        ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    decoding = subprocess.run(
        [
            "ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-map", "0",
            "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(said.stdout)
    assert said.stderr == ""
    assert (decoding.returncode, decoding.stderr) == (0, "")
    assert 3.5 < float(found["format"]["duration"]) < ended[0] / 1000 + 2
    kinds = [(each["codec_name"], each["codec_type"]) for each in found["streams"]]
    assert kinds.count(("vp8", "video")) == 2
    assert kinds.count(("opus", "audio")) == 2
    assert all(each["r_frame_rate"] != "1000/1" for each in found["streams"] if each["codec_type"] == "video")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"recording": "rec_one"},
        {"recording": "../rec", "offer": "x", "sealed_dek": "00" * 48, "consented": []},
        {"recording": "rec_one", "offer": "unknown", "sealed_dek": "00" * 80, "consented": []},
        {"recording": "rec_one", "offer": "x", "sealed_dek": "zz", "consented": []},
        {"recording": "rec_one", "offer": "x", "sealed_dek": "00" * 48, "consented": ["../x"]},
        {"recording": "rec_one", "offer": "x", "sealed_dek": "00" * 48, "consented": "p_elin"},
        {"recording": "rec_one", "offer": "x", "sealed_dek": "00" * 48, "consented": ["p_x"] * 100},
    ],
)
def test_a_command_that_cannot_be_meant_begins_nothing(tmp_path: Path, body: dict[str, Any]) -> None:
    async def story() -> None:
        async with running_bridge(recordings=tmp_path) as bridge, Client() as elin:
            await elin.join(bridge, "room", grant("p_elin"))
            application = create_application(bridge, OpenGate())
            async with TestClient(TestServer(application)) as http:
                answer = await http.post("/v1/rooms/room/recording", json=body, headers={"Authorization": "Bearer x"})
                assert answer.status == 400
                assert (await http.post("/v1/rooms/room/recording", json=body)).status == 401
                assert (await http.get("/v1/rooms/room/recording", headers={"Authorization": "Bearer x"})).status == 404
            assert bridge.get_room("room").recording is None

    run(story())
    assert list(tmp_path.iterdir()) == []


VICTIM = """
import asyncio, sys
from pathlib import Path
from sidecar.bridge.testing import Client, eventually, grant, running_bridge
from tests.integration.test_bridge_recording import position, start

async def story():
    async with running_bridge(recordings=Path(sys.argv[1])) as bridge, Client() as elin, Client() as maja:
        await elin.join(bridge, "room", grant("p_elin"))
        await maja.join(bridge, "room", grant("p_maja"))
        recording = start(bridge, "p_elin", "p_maja")
        await recording.begun()
        while True:
            await asyncio.sleep(0.05)
            print(position(recording), flush=True)

asyncio.run(story())
"""


@pytest.mark.requirement("R208")
def test_a_killed_recorder_leaves_a_file_that_plays_up_to_the_last_second(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    reached = 0
    try:
        assert process.stdout is not None
        for line in process.stdout:
            reached = int(line)
            if reached > 4000:
                break
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)

    path = tmp_path / "rec_one.rec"
    with SealedReader(path, recording="rec_one", dek=DEK) as reader:
        outline = outline_of(reader)
    assert not outline.complete
    assert outline.duration_ms > reached - 1000
    frames = decoded(tmp_path)
    assert frames["p_elin camera"] > 10
    assert frames["p_maja microphone"] > 60
    assert b"OpusHead" not in path.read_bytes()
    assert json.dumps("p_elin").encode() not in path.read_bytes()
