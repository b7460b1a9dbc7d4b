"""Finding the canary in pictures as they arrive: scaled, squeezed, covered, dark; and in none that has no canary."""

import os
import random
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from sidecar.domain import canary
from sidecar.firewall.detect import Plane, find_canary
from tests.unit.ordinary_pages import KINDS, ordinary_page

NUMBER = 4711
FRAMES = int(os.environ.get("FIREWALL_FRAMES", "120"))  # script/soak looks at 10,000


def internal_page(
    *, dark: bool = False, number: int = NUMBER, cell_px: int = canary.CELL_PX, width: int = 1920, page: int = 8
) -> Plane:
    """Return a page of text with the strip at its upper and lower edge, 16:9."""
    grey = np.array(KINDS[0](random.Random(page), (width, width * 9 // 16)))
    if dark:
        grey = 255 - grey
    shades = canary.DARK_PAGE if dark else canary.LIGHT_PAGE
    columns = np.array(canary.columns_of(number))
    cells = np.where([columns, ~columns], shades.light, shades.dark).astype(np.uint8)
    strip = np.tile(cells.repeat(cell_px, axis=0).repeat(cell_px, axis=1), (1, 1 + width // (cell_px * 64)))[:, :width]
    grey[: 2 * cell_px] = grey[-2 * cell_px :] = strip
    return grey


def scaled(grey: Plane, width: int, how: Image.Resampling = Image.Resampling.BILINEAR) -> Plane:
    height = grey.shape[0] * width // grey.shape[1]
    return np.asarray(Image.fromarray(grey).resize((width, height), how))


def sent(pages: Sequence[Plane], *, codec: str = "libvpx", kbps: int = 300) -> list[Plane]:
    """Return pages as somebody sees them at the other end, each the next frame of one stream, five a second."""
    height, width = (side & ~1 for side in pages[0].shape)
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.bit_rate = Fraction(1, 5), kbps * 1000
    fast = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "qmax": "56", "g": "9999"}
    encoder.options = fast if codec == "libvpx" else {"preset": "ultrafast", "tune": "zerolatency"}
    decoder: Any = av.CodecContext.create("vp8" if codec == "libvpx" else "h264", "r")
    seen: list[Plane] = []
    for number, page in enumerate(pages):
        frame = av.VideoFrame.from_ndarray(page[:height, :width].copy(), format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, encoder.time_base
        for packet in encoder.encode(frame):
            for picture in decoder.decode(av.Packet(bytes(packet))):
                plane = picture.planes[0]
                rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                seen.append(rows[: picture.height, : picture.width].copy())
    return seen


@pytest.mark.requirement("R206")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1920, 1501, 1280, 1003, 854, 720, 640])
def test_it_is_found_at_every_size_down_to_a_third(width: int, dark: bool) -> None:
    page = internal_page(dark=dark)

    for how in (Image.Resampling.BILINEAR, Image.Resampling.BOX, Image.Resampling.LANCZOS):
        assert find_canary(scaled(page, width, how)) == NUMBER


@pytest.mark.requirement("R206")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "kbps"), [(1920, 300), (1280, 150), (854, 100), (640, 60)])
def test_the_first_frame_of_a_poor_line_is_enough(width: int, kbps: int, dark: bool) -> None:
    page = scaled(internal_page(dark=dark), width)

    assert [find_canary(each) for each in sent([page] * 2, kbps=kbps)] == [NUMBER] * 2


@pytest.mark.requirement("R206")
def test_it_is_found_when_it_comes_up_in_the_middle_of_a_share() -> None:
    before = scaled(np.asarray(ordinary_page(8)), 960)[:540]
    after = scaled(internal_page(), 960)[: before.shape[0]]

    seen = [find_canary(each) for each in sent([before] * 5 + [after] * 3, kbps=150)]

    assert seen[:5] == [None] * 5
    assert NUMBER in seen[5:7]  # in the first two frames that show it


@pytest.mark.requirement("R206")
def test_it_survives_h264_too() -> None:
    try:
        seen = sent([scaled(internal_page(), 960)] * 2, codec="libx264", kbps=150)
    except av.FFmpegError:
        pytest.skip("no H264 encoder here")
    assert [find_canary(each) for each in seen] == [NUMBER] * 2


@pytest.mark.requirement("R206")
@pytest.mark.parametrize("pixels_each", [18, 24, 36], ids=["150 %", "200 %", "300 %"])
def test_large_cells_of_a_fine_or_enlarged_screen_are_read(pixels_each: int) -> None:
    assert find_canary(internal_page(cell_px=pixels_each, width=3840)) == NUMBER


@pytest.mark.requirement("R206")
def test_what_lies_over_a_part_of_it_does_not_hide_it() -> None:
    page = internal_page()
    page[-30:] = 255  # the lower one is outside the window
    page[0:400, 500:900] = 245  # a dialog over the upper one
    page[10:40, 100:112] = 0  # and the cursor
    assert find_canary(page) == NUMBER
    assert find_canary(page[:, 950:1750].copy()) == NUMBER  # a window that shows little more than one repeat
    assert find_canary(np.roll(page, 331, axis=0)) == NUMBER  # scrolled, or a window within the window


@pytest.mark.requirement("R206")
def test_a_dark_mode_that_turns_pages_round_and_one_that_dims_them_do_not_hide_it() -> None:
    page = internal_page()

    assert find_canary(255 - page) == NUMBER
    assert find_canary((page * 0.6 + 20).astype(np.uint8)) == NUMBER
    assert find_canary(np.asarray(Image.fromarray(page).resize((960, 540)).resize((1400, 788)))) == NUMBER  # blurred


@pytest.mark.requirement("R206")
def test_every_system_is_told_from_the_others() -> None:
    for number in (1, 2, 3, 1000, 65535):
        assert find_canary(scaled(internal_page(number=number), 854)) == number


@pytest.mark.requirement("R206")
@pytest.mark.timeout(3600)
def test_ordinary_documents_give_no_false_cut() -> None:
    cores = os.cpu_count() or 1
    began = time.monotonic()
    if FRAMES > 1000 and cores > 1:
        with ProcessPoolExecutor(cores) as pool:
            found = list(pool.map(_looked_at, range(FRAMES), chunksize=50))
    else:
        found = [_looked_at(number) for number in range(FRAMES)]
    spent = sum(seconds for _, seconds in found)
    cut = [number for number, (canary_found, _) in enumerate(found) if canary_found is not None]
    each = 1000 * spent / FRAMES
    print(f"{FRAMES} ordinary frames, {len(cut)} false cuts, {each:.1f} ms each, {time.monotonic() - began:.0f} s")

    assert cut == []


def _looked_at(number: int) -> tuple[int | None, float]:
    grey = ordinary_page(number)
    began = time.process_time()
    return find_canary(grey), time.process_time() - began


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (5, 2000), (2000, 5), (6, 200), (540, 961), (3, 3)])
def test_pictures_of_odd_sizes_are_looked_at(shape: tuple[int, int]) -> None:
    for grey in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), _noise(shape)):
        assert find_canary(grey) is None


def _noise(shape: Iterable[int]) -> Plane:
    return np.random.default_rng(1).integers(0, 256, tuple(shape), dtype=np.uint8)
