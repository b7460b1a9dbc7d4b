"""Figures of the bridge: CPU beside aiortc's MediaRelay and beside Janus, rooms per core, added delay.

The system under test runs on one core, the load generator (`benchmarks._bridge_load`) on the other. CPU is what
/proc says of the system under test alone. A load is two-person rooms, each participant sending 720p VP8 at
30 fps and about 1.5 Mbit/s, Opus at 50 packets/s, with everything a browser sends beside it: transport
feedback, sender and receiver reports, connectivity checks.

    python -m benchmarks.bridge [--quick] [--only NAME]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks._bridge_pictures import FPS, kept_frames
from benchmarks.common import alternate, arguments, figure, free_port, median, started, table
from sidecar.adapters.key_files import KeyRing
from sidecar.bridge.testing import local_address

_LOAD = "2-person rooms, 720p30 VP8 1.5 Mbit/s + Opus each way, receivers reading and reporting, no loss"
_CORES = sorted(os.sched_getaffinity(0))
_SYSTEM_CORE, _LOAD_CORE = _CORES[0], _CORES[-1]
_DELIVERED = 0.995  # of the packets sent: below it the system is over its limit
_LATE_MS = 20.0


@dataclass
class System:
    """A running system under test."""

    pid: int
    load_arguments: list[str]

    def cpu_seconds(self) -> float:
        """Return user and system time of the process, all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """One measurement. cpu: share of one core the system under test used."""

    cpu: float
    seconds: float
    sent: int
    received: int
    frames_per_s: float
    delay_p50_ms: float
    delay_p99_ms: float
    load_cpu: float

    @property
    def delivered(self) -> float:
        return self.received / max(1, self.sent)


class Load:
    """The generator process, spoken to in JSON lines."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator stopped")
        found: dict[str, Any] = json.loads(line)
        return found

    def _say(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._read()

    def add(self, rooms: int) -> None:
        """Bring rooms up."""
        if not self._say(add=rooms)["connected"]:
            raise RuntimeError("not every participant connected")

    def measure(self, system: System | None, seconds: float) -> Measured:
        """Measure for so long."""
        before, at = (system.cpu_seconds() if system else 0.0), time.monotonic()
        found = self._say(measure=seconds)
        after, now = (system.cpu_seconds() if system else 0.0), time.monotonic()
        return Measured(
            cpu=(after - before) / (now - at),
            seconds=now - at,
            sent=found["sent"],
            received=found["received"],
            frames_per_s=found["frames"] / seconds,
            delay_p50_ms=found["delay_p50_ms"] or 0.0,
            delay_p99_ms=found["delay_p99_ms"] or 0.0,
            load_cpu=found["own_cpu"],
        )


def _pinned(core: int, *command: str) -> list[str]:
    return ["taskset", "-c", str(core), *command]


@contextmanager
def our_bridge(folder: Path) -> Iterator[System]:
    """Our bridge as it is shipped, with tokens."""
    keys = folder / "keys"
    KeyRing.open(keys)
    port = free_port()
    command = [sys.executable, "-m", "sidecar.bridge", "--listen", f"127.0.0.1:{port}"]
    command += ["--media", f"{local_address()}:0", "--keys", str(keys)]
    with started(_pinned(_SYSTEM_CORE, *command), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield System(process.pid, ["ours", "--url", f"http://127.0.0.1:{port}", "--keys", str(keys)])


@contextmanager
def janus(folder: Path) -> Iterator[System]:
    """Janus from Debian with its videoroom plugin, its own configuration folder, loopback only."""
    configuration = folder / "janus"
    configuration.mkdir()
    port, first = free_port(), 20000 + os.getpid() % 10 * 4000
    (configuration / "janus.jcfg").write_text(
        "general: { debug_level = 1 session_timeout = 0 }\n"
        f'media: {{ rtp_port_range = "{first}-{first + 4000}" }}\n'
        'nat: { ice_enforce_list = "' + local_address() + '" }\n'
        'plugins: { disable = "' + ",".join(f"libjanus_{n}.so" for n in _UNUSED_PLUGINS) + '" }\n'
        'transports: { disable = "libjanus_websockets.so,libjanus_pfunix.so,libjanus_mqtt.so,'
        'libjanus_nanomsg.so,libjanus_rabbitmq.so" }\n'
    )
    (configuration / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "compact" base_path = "/janus" http = true port = {port} ip = "127.0.0.1" '
        "https = false }\nadmin: { admin_http = false admin_https = false }\n"
    )
    (configuration / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")
    url = f"http://127.0.0.1:{port}/janus"
    command = ["janus", "-F", str(configuration)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with started(_pinned(_SYSTEM_CORE, *command), **quiet) as process:
        for _ in range(100):
            try:
                requests.get(f"{url}/info", timeout=1)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield System(process.pid, ["janus", "--url", url])


_UNUSED_PLUGINS = (
    "audiobridge",
    "duktape",
    "echotest",
    "lua",
    "nosip",
    "recordplay",
    "sip",
    "streaming",
    "textroom",
    "videocall",
    "voicemail",
)


@contextmanager
def media_relay(folder: Path) -> Iterator[System]:
    """aiortc's MediaRelay."""
    del folder
    port = free_port()
    command = [sys.executable, "-m", "benchmarks._bridge_relay", str(port)]
    with started(_pinned(_SYSTEM_CORE, *command), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield System(process.pid, ["relay", "--url", f"http://127.0.0.1:{port}/"])


@contextmanager
def load_for(arguments_: list[str], folder: Path) -> Iterator[Load]:
    """The generator, aimed at a system under test."""
    command = [sys.executable, "-m", "benchmarks._bridge_load", *arguments_, "--host", local_address()]
    command += ["--frames", str(folder / "frames.json")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(_pinned(_LOAD_CORE, *command), **pipes) as process:
        yield Load(process)


@contextmanager
def system_and_load(make: Any) -> Iterator[tuple[System, Load]]:
    """A system under test in a folder of its own, and the generator aimed at it."""
    with (
        tempfile.TemporaryDirectory() as text,
        make(Path(text)) as system,
        load_for(system.load_arguments, _frames_folder()) as load,
    ):
        yield system, load


def measure_rooms(make: Any, rooms: int, seconds: float) -> Measured:
    """Start the system, bring the rooms up, let them settle, measure."""
    with system_and_load(make) as (system, load):
        load.add(rooms)
        load.measure(system, 0.7)
        return load.measure(system, seconds)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _frames_folder() -> Path:
    """Return the folder that keeps the encoded pictures for this run of the bench."""
    if not _kept:
        _kept.append(tempfile.TemporaryDirectory())
    return Path(_kept[0].name)


def packets_per_room() -> float:
    """Return how many packets a second a room receives when nothing is late: two voices, two pictures."""
    frames = kept_frames(_frames_folder() / "frames.json")
    return 2 * (50 + FPS * sum(len(parts) for parts in frames) / len(frames))


def percent_per_room(found: Measured) -> float:
    """Return the CPU of a room, in % of a core, for each packet that was really delivered.

    On a busy machine the generator falls behind; what it did not send cost the system nothing.
    """
    return found.cpu * found.seconds / found.received * packets_per_room() * 100


def forward_cpu_vs_relay(quick: bool) -> None:
    """One room, ours beside decoding and encoding, for each delivered frame."""
    seconds = 2.5 if quick else 15.0
    ours = measure_rooms(our_bridge, 1, seconds)
    peer = measure_rooms(media_relay, 1, seconds)
    mine, theirs = (m.cpu * 100 / m.frames_per_s * 2 * FPS for m in (ours, peer))
    figure(
        "forward_cpu_vs_relay",
        mine,
        theirs,
        theirs / mine,
        "% of a core",
        1,
        f"one of the {_LOAD}; at 30 fps both ways; delivered {ours.frames_per_s / 2:.0f} fps, the relay "
        f"{peer.frames_per_s / 2:.0f} fps of its own, smaller, encoding",
        least="ratio 15",
        aim="40",
    )


def forward_cpu_vs_janus(quick: bool) -> None:
    """Five rooms, ours beside Janus, in turns."""
    seconds, rounds = (2.5, 1) if quick else (10.0, 3)
    mine, theirs = alternate(
        lambda: percent_per_room(measure_rooms(our_bridge, 5, seconds)),
        lambda: percent_per_room(measure_rooms(janus, 5, seconds)),
        rounds=rounds,
    )
    figure(
        "forward_cpu_vs_janus",
        median(mine),
        median(theirs),
        median(theirs) / median(mine),
        "% of a core per room",
        rounds,
        f"5 {_LOAD}; CPU for each delivered packet, times the packets of a room",
        least="ratio 0.7",
        aim="1.5",
    )


def ramp(make: Any, steps: tuple[int, ...], seconds: float) -> dict[int, Measured]:
    """Add rooms step by step until packets are lost or late. Returns what was carried, by number of rooms."""
    carried: dict[int, Measured] = {}
    with system_and_load(make) as (system, load):
        for before, rooms in zip((0, *steps), steps, strict=False):
            try:
                load.add(rooms - before)
            except RuntimeError:
                break
            load.measure(system, 0.5)
            found = load.measure(system, seconds)
            if found.delivered < _DELIVERED or found.delay_p99_ms > _LATE_MS:
                break
            carried[rooms] = found
    return carried


def rooms_per_core(quick: bool) -> None:
    """The same ramp for ours and Janus, both on one core."""
    seconds, steps = (1.2, (20, 40, 60, 80)) if quick else (5.0, tuple(range(10, 161, 10)))
    ours, peer = ramp(our_bridge, steps, seconds), ramp(janus, steps, seconds)
    mine, theirs = max(ours, default=0), max(peer, default=0)
    used = ", ".join(
        f"{name} {each[most].cpu:.0%}, generator {each[most].load_cpu:.0%} of the other core"
        for name, each, most in (("ours", ours, mine), ("Janus", peer, theirs))
        if most
    )
    figure(
        "rooms_per_core",
        mine,
        theirs,
        mine / theirs if theirs else None,
        "rooms",
        len(ours),
        f"{_LOAD}; steps {steps[0]} to {steps[-1]}, carried while {_DELIVERED:.1%} arrive and p99 is under "
        f"{_LATE_MS:.0f} ms; at the last step: {used}",
        least="20",
        aim="60",
    )
    if 20 in ours:
        _delays.append(ours[20])


_delays: list[Measured] = []


def added_delay(quick: bool) -> None:
    """Twenty rooms: how much later does a voice packet arrive than on the direct path?"""
    seconds, rooms = (2.5, 20) if quick else (15.0, 20)
    ours = _delays[0] if quick and _delays else measure_rooms(our_bridge, rooms, seconds)
    with load_for(["direct"], _frames_folder()) as load:
        load.add(rooms)
        load.measure(None, 0.5)
        direct = load.measure(None, seconds)
    figure(
        "added_delay_p99_ms",
        ours.delay_p99_ms - direct.delay_p50_ms,
        direct.delay_p99_ms,
        None,
        "ms",
        rooms,
        f"20 {_LOAD}; voice packets, kernel to kernel; ours p99 less the direct path's median of "
        f"{direct.delay_p50_ms:.2f} ms; the peer is the direct path's p99; p50 through the bridge "
        f"{ours.delay_p50_ms:.2f} ms",
        least="20",
        aim="5",
    )


_FIGURES = {
    "forward_cpu_vs_relay": forward_cpu_vs_relay,
    "forward_cpu_vs_janus": forward_cpu_vs_janus,
    "rooms_per_core": rooms_per_core,
    "added_delay_p99_ms": added_delay,
}


def main() -> int:
    """Run the figures asked for."""

    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--only", choices=sorted(_FIGURES), help="one figure alone")

    given = arguments("Figures of the bridge.", more)
    if shutil.which("janus") is None:
        print("janus is not installed: Debian's package is the peer of two figures", file=sys.stderr)
        return 2
    packets_per_room()  # encodes, once
    for name, run in _FIGURES.items():
        if given.only in (None, name):
            run(given.quick)
    table()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
