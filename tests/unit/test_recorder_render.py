"""What a viewer gets: a watermark that survives, and a picture whatever the recording holds."""

import io
import random
import subprocess
import sys

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from sidecar.recorder import canvas
from sidecar.recorder.matroska import Block, blocks_of
from sidecar.recorder.render import Part, Source, pack, render

CODE = "a1b2c3d4"


def part(sources: tuple[Source, ...] = (), *, code: str = CODE, to_ms: int = 200, head: bool = True) -> Part:
    return Part(0, to_ms, "Colm Rydal 2026-11-24 12:00", code, sources, head)


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
