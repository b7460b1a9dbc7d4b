"""What a viewer sees: the pictures of a moment side by side, and over all of it who is watching.

Works on planes of YUV 4:2:0 as decoders give them; nothing is converted to colours and back.
"""

import zlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Plane = NDArray[np.uint8]

WIDTH, HEIGHT = 960, 540
_INK, _PAPER = 24, 128  # luma of an empty stage, and chroma of grey
_STRENGTH = 0.34  # of the watermark's signs over the picture: read by anybody, covers nobody's face
CELL = 10  # pixels of one bit of the code: survives encoding and a photographed screen
CODE_BITS = 48  # 32 of the code, 16 that check it
_QUIET = 2  # dark cells on each side of the code


@cache
def _font(size: int) -> Any:
    """Return a font with the letters of European names: the one in Pillow has no Å."""
    path = files("reportlab") / "fonts" / "Vera.ttf"
    return ImageFont.truetype(str(path), size)


def check_of(code: int) -> int:
    return zlib.crc32(code.to_bytes(4, "big")) & 0xFFFF


def watermark(text: str, code: str, *, width: int = WIDTH, height: int = HEIGHT) -> tuple[Plane, NDArray[np.float32]]:
    """Return what is laid over the luma: values, and how strongly each counts (0..1).

    text is repeated all over. code: 8 hex digits, as a strip of light and dark cells at the lower edge.
    """
    font = _font(22)
    sheet = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(sheet)
    step_x = int(draw.textlength(text, font)) + 70
    for row, y in enumerate(range(14, height, 88)):
        for x in range(-(row % 2) * step_x // 2, width, step_x):
            draw.text((x + 1, y + 1), text, fill=120, font=font)
            draw.text((x, y), text, fill=255, font=font)
    signs = np.asarray(sheet, np.float32)
    values = np.where(signs > 160, 235, 16).astype(np.uint8)
    weights = (signs > 60).astype(np.float32) * _STRENGTH
    number = int(code, 16)
    bits = format(number << 16 | check_of(number), f"0{CODE_BITS}b")
    top, left = height - CELL * 2, (width - (CODE_BITS + 2 * _QUIET) * CELL) // 2
    values[top : top + CELL + 6, left : left + (CODE_BITS + 2 * _QUIET) * CELL] = 16
    weights[top - 2 : top + CELL + 4, left : left + (CODE_BITS + 2 * _QUIET) * CELL] = 0.9
    values[top - 2 : top + CELL + 4, left : left + (CODE_BITS + 2 * _QUIET) * CELL] = 30
    for place, bit in enumerate(bits):
        if bit == "1":
            x = left + (place + _QUIET) * CELL
            values[top : top + CELL, x : x + CELL] = 220
    return values, weights


def lay_over(luma: Plane, values: Plane, weights: NDArray[np.float32]) -> None:
    """Burn the watermark into a picture's luma, in place."""
    mixed = luma * (1.0 - weights) + values * weights
    luma[:] = mixed.astype(np.uint8)


def read_code(luma: Plane) -> str | None:
    """Return the watermark's code in a picture's luma, None where none can be read. Any size of the same shape."""
    height, width = luma.shape
    scale_x, scale_y = width / WIDTH, height / HEIGHT
    left = (WIDTH - (CODE_BITS + 2 * _QUIET) * CELL) // 2 + _QUIET * CELL
    middle = (HEIGHT - CELL * 2) + CELL / 2
    for shift in (0.0, -1.0, 1.0, -2.0, 2.0):
        y = int((middle + shift) * scale_y)
        cells = []
        for place in range(-1, CODE_BITS):  # with a quiet one before: a code may have no dark cell of its own
            x = (left + (place + 0.5) * CELL) * scale_x
            half_x, half_y = max(1, int(2 * scale_x)), max(1, int(2 * scale_y))
            part = luma[max(0, y - half_y) : y + half_y + 1, max(0, int(x) - half_x) : int(x) + half_x + 1]
            cells.append(float(part.mean()) if part.size else 0.0)
        threshold = (min(cells) + max(cells)) / 2
        number = int("".join("1" if cell > threshold else "0" for cell in cells[1:]), 2)
        code, check = number >> 16, number & 0xFFFF
        if max(cells) - min(cells) > 40 and check_of(code) == check:
            return f"{code:08x}"
    return None


def places(cameras: int, share: bool) -> list[tuple[int, int, int, int]]:
    """Return (x, y, width, height) for the share, where there is one, then for each camera. All even."""
    if share:
        side = 240
        found = [(0, 0, WIDTH - side, HEIGHT)]
        each = min(HEIGHT // max(1, cameras), 180) & ~1
        return found + [(WIDTH - side, number * each, side, each) for number in range(cameras)]
    across = 1 if cameras <= 1 else 2 if cameras <= 4 else 3 if cameras <= 9 else 4
    down = -(-max(1, cameras) // across)
    width, height = (WIDTH // across) & ~1, (HEIGHT // down) & ~1
    return [(n % across * width, n // across * height, width, height) for n in range(cameras)]


def fitted(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Return the largest even size of the same shape that fits."""
    scale = min(room[0] / max(1, size[0]), room[1] / max(1, size[1]))
    return max(2, int(size[0] * scale) & ~1), max(2, int(size[1] * scale) & ~1)


def blank() -> tuple[Plane, Plane, Plane]:
    """Return an empty stage: luma and both chroma planes."""
    half = (HEIGHT // 2, WIDTH // 2)
    return np.full((HEIGHT, WIDTH), _INK, np.uint8), np.full(half, _PAPER, np.uint8), np.full(half, _PAPER, np.uint8)


def put(stage: Sequence[Plane], picture: Sequence[Plane], x: int, y: int) -> None:
    """Lay a picture's planes on the stage with its corner at x, y, both even."""
    for number, (under, over) in enumerate(zip(stage, picture, strict=True)):
        shift = 1 if number else 0
        height, width = over.shape
        under[y >> shift : (y >> shift) + height, x >> shift : (x >> shift) + width] = over


def label(stage: Plane, text: str, x: int, y: int, width: int, height: int) -> None:
    """Write a name into the lower left corner of a place."""
    font = _font(16)
    sign = Image.new("L", (min(width, int(font.getlength(text)) + 12), 24), 20)
    ImageDraw.Draw(sign).text((6, 3), text, fill=230, font=font)
    sheet: Any = np.asarray(sign, np.uint8)
    top = max(0, y + height - 46)  # above the code's strip
    stage[top : top + sheet.shape[0], x : x + sheet.shape[1]] = sheet
