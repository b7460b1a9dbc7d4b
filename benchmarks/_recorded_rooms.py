"""How many recorded rooms one core carries: the bridge as it is shipped, each recorded, the bridge bench's load."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._bridge_pictures import FPS, kept_frames
from benchmarks.bridge import _SYSTEM_CORE, Load, System, _pinned, load_for
from benchmarks.common import free_port, started
from sidecar.adapters.control_client import ControlClient
from sidecar.adapters.key_files import KeyRing
from sidecar.adapters.recorder_commands import RecorderCommands
from sidecar.bridge.testing import local_address
from sidecar.domain import clock
from sidecar.domain.ids import ParticipantId, RecordingId, RoomName

_DELIVERED, _LATE_MS = 0.995, 60.0


@dataclass
class Carried:
    """recordings: at the last step that held, in real time. told: how it was then, in words.

    by_cpu: how many would fill a core, from the CPU of each delivered packet: a busy machine moves it little.
    """

    recordings: int
    by_cpu: float
    steps: int
    told: str


class _Commands(RecorderCommands):
    def __init__(self, client: ControlClient) -> None:
        self._recorder = client


@contextmanager
def _bridge(folder: Path) -> Iterator[tuple[System, _Commands]]:
    keys, port = folder / "keys", free_port()
    ring = KeyRing.open(keys)
    command = [sys.executable, "-m", "sidecar.bridge", "--listen", f"127.0.0.1:{port}"]
    command += ["--media", f"{local_address()}:0", "--keys", str(keys), "--recordings", str(folder / "recordings")]
    client = ControlClient(
        url=f"http://127.0.0.1:{port}",
        issuer="tillit",
        audience="tillit-bridge",
        control_key=lambda: ring.signing_key("control"),
        clock=clock.utc_now,
    )
    with started(_pinned(_SYSTEM_CORE, *command), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        arguments = ["ours", "--url", f"http://127.0.0.1:{port}", "--keys", str(keys)]
        yield System(process.pid, arguments), _Commands(client)


def _record(commands: _Commands, first: int, last: int) -> None:
    for number in range(1, first):
        commands.recording_state(RoomName(f"room{number}"))  # as the worker asks: else they end after a minute
    for number in range(first, last + 1):
        commands.start_recording(
            room=RoomName(f"room{number}"),
            recording=RecordingId(f"rec_{number}"),
            dek=bytes(32),
            consented=[ParticipantId(f"p_{number}a"), ParticipantId(f"p_{number}b")],
        )


def carried_recordings(quick: bool) -> Carried:
    """Add recorded rooms until packets are lost or late, or a recording is not written."""
    steps, seconds = ((20, 40, 60), 2.0) if quick else (tuple(range(10, 101, 10)), 5.0)
    found = Carried(0, 0.0, 0, "none held")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with _bridge(folder) as (system, commands), load_for(system.load_arguments, folder) as load:
            for before, rooms in zip((0, *steps), steps, strict=False):
                found.steps += 1
                try:
                    load.add(rooms - before)
                    _record(commands, before + 1, rooms)
                except Exception as error:
                    found.told += f"; step {rooms} did not come up ({type(error).__name__})"
                    break
                if not _holds(load, system, folder, seconds, rooms, found):
                    break
    return found


def _holds(load: Load, system: System, folder: Path, seconds: float, rooms: int, found: Carried) -> bool:
    load.measure(system, 0.7)
    before, at = _bytes(folder), time.monotonic()
    seen = load.measure(system, seconds)
    written = (_bytes(folder) - before) * 8 / (time.monotonic() - at) / 1e6
    sent = seen.sent / seen.seconds * 900 * 8 / 1e6
    frames = kept_frames(folder / "frames.json")
    packets = 2 * (50 + FPS * sum(len(parts) for parts in frames) / len(frames))
    found.by_cpu = 1 / (seen.cpu * seen.seconds / max(1, seen.received) * packets)
    held = seen.delivered >= _DELIVERED and seen.delay_p99_ms <= _LATE_MS and written >= sent * 0.7
    told = f"{seen.delivered:.1%} delivered, p99 {seen.delay_p99_ms:.0f} ms, {seen.cpu:.0%} of the core"
    told += f", {written:.0f} Mbit/s written, generator {seen.load_cpu:.0%} of the other core"
    if held:
        found.recordings, found.told = rooms, told
    else:
        found.told += f"; not held at {rooms}: {told}"
    return held


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "recordings").glob("*.rec"))
