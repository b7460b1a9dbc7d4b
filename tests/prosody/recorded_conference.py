"""A conference with the recorder in it: a real Prosody, a scripted Jicofo, a fake bridge, our own recorder."""

import asyncio
import io
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from sidecar.bridge.commands import begin_recording
from sidecar.bridge.jitsi.config import RecorderConfig
from sidecar.bridge.jitsi.host import JitsiRecorder
from sidecar.bridge.jitsi.login import Account
from sidecar.bridge.jitsi.room import JitsiRoom
from sidecar.bridge.recording import RoomRecording
from sidecar.bridge.testing import eventually
from sidecar.recorder.handover import seal_for
from sidecar.recorder.reading import matroska_of
from tests.prosody.fake_bridge import Stream
from tests.prosody.scripted_focus import Focus
from tests.prosody.stand import HOST, Stand, new_stand
from tests.prosody.xmpp_client import XmppClient

ROOM, HIDDEN, PASSWORD = "r7hq2m", f"hidden.{HOST}", "a recorder's password"
DEK = bytes(range(32))


def register_recorder(folder: Path, *also: str) -> None:
    """Make the recorder's account, and others of its host, in a Prosody's folder."""
    accounts = folder / "data" / HIDDEN.replace(".", "%2e") / "accounts"
    accounts.mkdir(parents=True)
    for user in ("recorder", *also):
        (accounts / f"{user}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}" }};\n')


def recorder_options() -> dict[str, Any]:
    """Return what a stand has beside its usual self: the hidden host and our module, as the Jitsi image has them."""
    account = f'"recorder@{HIDDEN}"'
    return {
        "components": {"focus": "focus_proxy"},
        "more": f'focus_account = "focus@auth.{HOST}"\ntillit_recorders = {{ {account} }}\n'
        f'tillit_trusted_jids = {{ {account}, "jvb@auth.{HOST}" }}',
        "doors": '"tillit_events", "tillit_admission", "tillit_control", "tillit_recorder"',
        "extra": f'VirtualHost "{HIDDEN}"\n  authentication = "internal_hashed"; modules_enabled = {{ "smacks" }}\n',
    }


def recorder_stand(folder: Path, *, also: Sequence[str] = ()) -> Stand:
    """Return a running Prosody the recorder has its account on. also: more accounts of its host."""
    register_recorder(folder, *also)
    return new_stand(folder, **recorder_options())


@dataclass
class Conference:
    """Two people in a conference, and the recorder that may be let in. events: what it told the web process."""

    stand: Stand
    focus: Focus
    recorder: JitsiRecorder
    folder: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)
    people: dict[str, XmppClient] = field(default_factory=dict)

    async def person(self, who: str, *, camera: bool = True, sends: bool = True, **changes: Any) -> None:
        """Let somebody in. Their participant's id is p_<who>, their nickname who."""
        changes.setdefault("user_id", f"p_{who}")
        self.people[who] = await self.stand.person(who, ["speak", "show_camera", "share_window"], **changes)
        if sends:
            await self.sends(who, "audio")
            if camera:
                await self.sends(who, "video")

    async def sends(self, who: str, media: str, *, late: bool = False, **about: Any) -> Stream:
        stream = self.streams[f"{who} {media}{about.get('index', '')}"] = Stream(who, media, **about)
        await self.focus.add(stream, late=late)
        return stream

    async def leaves(self, who: str) -> None:
        client = self.people.pop(who)
        client.send(f"<presence to='{ROOM}@muc.{HOST}/{who}' type='unavailable'/>")
        await client.settle()

    async def record(self, *consented: str, recording: str = "rec_one") -> RoomRecording:
        """Begin as the web process has it begun."""
        offer, public = self.recorder.recorder.keys.offer()
        sealed = seal_for(public, DEK, recording=recording)
        room = await self.recorder.record(
            ROOM,
            begin_recording(
                self.recorder.recorder, recording, offer=offer, sealed_dek=sealed, consented=list(consented)
            ),
        )
        assert isinstance(room, JitsiRoom)
        assert room.recording is not None
        return room.recording

    def position(self) -> int:
        room = self.recorder.rooms.get(ROOM)
        return int(room.recording.describe()["position_ms"]) if room is not None and room.recording is not None else -1

    async def reaches(self, position_ms: int) -> None:
        await eventually(lambda: self.position() >= position_ms, within_s=40)

    async def hears(self, kind: str) -> dict[str, Any]:
        """Return the newest event of a kind, as soon as there is one."""
        await eventually(lambda: any(each["kind"] == kind for each in self.events), within_s=40)
        return next(each for each in reversed(self.events) if each["kind"] == kind)

    def kinds(self) -> list[str]:
        return [str(each["kind"]) for each in self.events]

    def frames(self, recording: str = "rec_one") -> Counter[str]:
        """Return how many frames of each track decode, by the track's name."""
        return decoded(self.folder / f"{recording}.rec", recording)


def decoded(path: Path, recording: str) -> Counter[str]:
    found: Counter[str] = Counter()
    with av.open(io.BytesIO(matroska_of(path, recording=recording, dek=DEK)), "r") as container:
        for packet in container.demux():
            for _ in packet.decode():
                found[packet.stream.metadata["title"]] += 1
    return found


def ffprobe_accepts(path: Path, recording: str, folder: Path) -> str:
    """Return what ffprobe and a full decode by ffmpeg complain of: nothing."""
    plain = folder / "plain.mkv"
    plain.write_bytes(matroska_of(path, recording=recording, dek=DEK))
    said = ""
    for command in (
        ["ffprobe", "-v", "error", "-show_streams", "-of", "compact", str(plain)],
        ["ffmpeg", "-v", "error", "-xerror", "-i", str(plain), "-map", "0", "-f", "null", "-"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        said += done.stderr + ("" if done.returncode == 0 else f"{command[0]} {done.returncode}")
    return said


@asynccontextmanager
async def conference(stand: Stand, folder: Path, **changes: Any) -> AsyncIterator[Conference]:
    """A conference nobody is in yet. changes: fields of RecorderConfig."""
    account = Account(f"ws://127.0.0.1:{stand.port}/xmpp-websocket", HOST, "recorder", HIDDEN, PASSWORD)
    usual: dict[str, Any] = {"listen_host": "127.0.0.1", "listen_port": 0, "account": account, "control_keys": ""}
    recorder = JitsiRecorder(RecorderConfig(**usual, recordings=folder, **changes))
    focus = await Focus.open(stand, ROOM)
    held = Conference(stand, focus, recorder, folder)
    recorder.events.on_event.append(held.events.append)
    recorder.start()
    try:
        yield held
    finally:
        await recorder.stop()
        await focus.close()
        await stand.close_clients()


async def pause_of(recording: RoomRecording, state: str) -> None:
    await eventually(lambda: recording.describe()["state"] == state, within_s=40)


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 200))
