"""What a viewer gets: a watermark that survives, and a picture whatever the recording holds."""

import errno
import io
import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from sidecar.recorder import canvas
from sidecar.recorder.matroska import Block, blocks_of
from sidecar.recorder.render import NOT_SHUT_IN, Part, Source, pack, render

CODE = "a1b2c3d4"


def part(sources: tuple[Source, ...] = (), *, code: str = CODE, to_ms: int = 200, head: bool = True) -> Part:
    return Part(0, to_ms, "Colm Rydal 2026-11-24 12:00", code, sources, head)


def camera(codec: str, luma: int) -> list[Block]:
    """Return a second of a camera that shows one grey, as a recording has it."""
    try:
        encoder: Any = av.CodecContext.create({"VP8": "libvpx", "H264": "libx264"}[codec], "w")
    except av.FFmpegError:
        pytest.skip(f"no {codec} encoder here")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 160, 120, "yuv420p", Fraction(1, 10)
    if codec == "H264":
        encoder.options = {"tune": "zerolatency", "bframes": "0"}
    packets = []
    for number in range(10):
        grey = np.full((120, 160), luma, np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, encoder.time_base
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [
        Block(n * 100, 1, bool(packet.is_keyframe), bytes(packet) if codec == "VP8" else with_lengths(bytes(packet)))
        for n, packet in enumerate(packets)
    ]


def with_lengths(stream: bytes) -> bytes:
    """Return H264 units with their lengths in front instead of start codes."""
    units = [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1") if unit.rstrip(b"\0")]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def voice() -> list[Block]:
    """Return a second of a tone."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "stereo", "s16"
    tone = (np.sin(np.arange(48000) / 48000 * 440 * 2 * np.pi) * 12000).astype(np.int16).repeat(2)
    packets = []
    for number in range(50):
        frame = av.AudioFrame.from_ndarray(tone[number * 1920 :][:1920].reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48000, number * 960
        packets += encoder.encode(frame)
    return [Block(n * 20, 2, True, bytes(packet)) for n, packet in enumerate(packets)]


def loudness(data: bytes) -> float:
    with av.open(io.BytesIO(data)) as container:
        heard = np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])
    return float(np.sqrt(np.mean(heard.astype(np.float64) ** 2))) / (1 if heard.dtype.kind == "f" else 32768)


def pictures(data: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


@pytest.mark.requirement("R103", "R208")
@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 2**32 - 1))
@example(0xFFFFFFFF, 0)  # whose check is all ones as well
@settings(max_examples=15, deadline=None)
def test_any_code_is_read_back_over_any_picture(code: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (canvas.HEIGHT, canvas.WIDTH)).astype(np.uint8)
    values, weights = canvas.watermark("Maja", f"{code:08x}")

    canvas.lay_over(noise, values, weights)

    assert canvas.read_code(noise) == f"{code:08x}"


@pytest.mark.requirement("R103", "R208")
@pytest.mark.parametrize(("width", "quality"), [(960, 30), (1280, 50), (576, 60), (480, 80)])
def test_the_code_survives_a_smaller_or_larger_screenshot_of_poor_quality(width: int, quality: int) -> None:
    stage = canvas.blank()[0]
    canvas.lay_over(stage, *canvas.watermark("Colm Rydal 2026-11-24 12:00", CODE))
    kept = io.BytesIO()
    Image.fromarray(stage).resize((width, width * 9 // 16)).save(kept, "JPEG", quality=quality)

    assert canvas.read_code(np.asarray(Image.open(kept).convert("L"))) == CODE


def test_a_picture_without_a_watermark_has_no_code() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (canvas.HEIGHT, canvas.WIDTH)).astype(np.uint8)

    assert canvas.read_code(noise) is None
    assert canvas.read_code(canvas.blank()[0]) is None


@pytest.mark.requirement("R103")
def test_a_recording_without_pictures_is_watermarked_all_the_same() -> None:
    found = pictures(render(part(to_ms=400), []))

    assert len(found) == 6
    assert {canvas.read_code(each) for each in found} == {CODE}


@pytest.mark.parametrize("codec", ["VP8", "H264", "opus"])
def test_media_that_cannot_be_decoded_is_not_shown_and_stops_nothing(codec: str) -> None:
    """What is decoded here came from other people's machines."""
    chance = random.Random(7)
    kind = "microphone" if codec == "opus" else "camera"
    blocks = [Block(n * 20, 1, n % 3 == 0, chance.randbytes(chance.randrange(1, 400))) for n in range(20)]

    found = pictures(render(part((Source(1, kind, codec, "Åke Öst"),)), blocks))

    assert {canvas.read_code(each) for each in found} == {CODE}


def test_parts_without_a_head_follow_one_with_it_as_one_file() -> None:
    first = render(part(to_ms=400), [])
    second = render(Part(400, 800, "Colm", CODE, (), head=False), [])

    assert second[:4] == b"\x1f\x43\xb6\x75"
    assert {block.track for block in blocks_of(second)} == {1, 2}
    assert len(pictures(first + second)) == 12


@pytest.mark.parametrize(("cameras", "share"), [(0, False), (1, False), (2, False), (4, True), (9, False), (16, True)])
def test_nobodys_picture_covers_anothers_or_leaves_the_stage(cameras: int, share: bool) -> None:
    found = canvas.places(cameras, share)
    taken = np.zeros((canvas.HEIGHT, canvas.WIDTH), int)

    assert len(found) == cameras + share
    for x, y, width, height in found:
        assert width > 0
        assert [each % 2 for each in (x, y, width, height)] == [0, 0, 0, 0]
        if y + height <= canvas.HEIGHT:
            taken[y : y + height, x : x + width] += 1
    assert taken.max(initial=0) <= 1


def test_the_program_works_within_its_limits_and_not_beyond_them() -> None:
    request = pack(part(), [])
    command = [sys.executable, "-m", "sidecar.recorder.render"]

    done = subprocess.run(command, input=request, capture_output=True, timeout=200, check=False)
    starved = subprocess.run(
        [*command, "--memory", str(200 << 20)], input=request, capture_output=True, timeout=200, check=False
    )

    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith(b"\x1a\x45\xdf\xa3")
    assert starved.returncode != 0
    assert starved.stdout == b""


@pytest.mark.requirement("R103", "R208")
@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_a_camera_and_a_voice_are_seen_and_heard_from_a_process_that_is_shut_in(codec: str) -> None:
    """Codecs, scaler, resampler and fonts all work without opening anything any more."""
    sources = (Source(1, "camera", codec, "Åke Öst"), Source(2, "microphone", "opus", "Åke Öst"))
    request = pack(part(sources, to_ms=1000), [*camera(codec, 200), *voice()])
    command = [sys.executable, "-m", "sidecar.recorder.render"]

    done = subprocess.run(command, input=request, capture_output=True, timeout=200, check=False)

    assert done.returncode == 0, done.stderr[-500:]
    found = pictures(done.stdout)
    assert len(found) == 15
    assert {canvas.read_code(each) for each in found} == {CODE}
    assert abs(np.median(found[7][100:400, 200:760]) - 200) < 12
    assert loudness(done.stdout) > 0.05


FROM_INSIDE = """
import json, os, socket, sys, threading
from sidecar.recorder import render

key = sys.argv.pop()
acts = {
    "read a key": lambda: open(key, "rb"),
    "write a file": lambda: open(key, "ab"),
    "list a folder": lambda: os.listdir(os.path.dirname(key)),
    "remove a file": lambda: os.unlink(key),
    "reach the network": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "reach a service here": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "divide": os.fork,
    "start a program": lambda: os.execv("/bin/true", ["true"]),
    "signal another process": lambda: os.kill(os.getppid(), 0),
}

def taken_over(stream):
    ends = {"given": len(stream.read())}
    for name, act in acts.items():
        try:
            act()
            ends[name] = 0
        except OSError as error:
            ends[name] = error.errno
    os.write(1, json.dumps(ends).encode())
    os._exit(0)

render.unpack = taken_over
sys.exit(render.main())
"""


@pytest.mark.requirement("R103", "R208")
def test_whoever_takes_the_renderer_over_reaches_neither_keys_nor_network_nor_programs(tmp_path: Path) -> None:
    """Tried from inside the program itself, at the moment the first byte of a participant's would be read."""
    key = tmp_path / "kek"
    key.write_bytes(bytes(32))
    request = pack(part(), [Block(0, 1, True, b"\x00")])

    done = subprocess.run(
        [sys.executable, "-c", FROM_INSIDE, str(key)], input=request, capture_output=True, timeout=200, check=False
    )

    assert done.returncode == 0, done.stderr[-500:]
    ends = json.loads(done.stdout)
    assert ends.pop("given") == len(request), "something of it was read before"
    assert len(ends) == 9
    assert set(ends.values()) == {errno.EPERM}
    assert key.read_bytes() == bytes(32)


def test_where_a_process_cannot_be_shut_in_nothing_is_decoded() -> None:
    code = "import sys; from sidecar.recorder import render; render.lockdown.shut = bool; sys.exit(render.main())"

    done = subprocess.run(
        [sys.executable, "-c", code], input=pack(part(), []), capture_output=True, timeout=200, check=False
    )

    assert (done.returncode, done.stdout) == (NOT_SHUT_IN, b"")
