"""The canary: a strip of cells on a bank's internal pages, by which a picture of such a page is known.

A strip is 64 columns of two cells, one light and one dark: light above dark is a one. It repeats along the page, so
that reading can begin at any column. 16 columns are the number of the system that shows it, 48 come from SHA-256 of
that number: what is no canary passes for one once in 2^42 tries. Why it looks so: docs/decisions/0021.
"""

import hashlib
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from sidecar.domain.errors import InvalidInputError

SHARE_FIREWALL = "share_firewall"  # the plugin that has shares watched, and its name among a type's integrations
COLUMNS = 64
MOST = 0xFFFF
CELL_PX = 12  # CSS pixels a side: read down to a third of this
_NUMBER_COLUMNS = 16
_CHECK_COLUMNS = COLUMNS - _NUMBER_COLUMNS
_FORGIVEN = 1  # wrong check columns: a cursor may stand on one
_MASK = 0b1010_0110_0101_1001  # else small numbers begin with one long run, in which a reader loses count
_ALL = (1 << COLUMNS) - 1


class Shades(NamedTuple):
    """The two greys of a strip, 0..255. Apart enough for a poor line, close enough to be overlooked."""

    light: int
    dark: int


LIGHT_PAGE = Shades(light=250, dark=202)
DARK_PAGE = Shades(light=78, dark=30)


def columns_of(number: int) -> tuple[bool, ...]:
    """Return the 64 columns of a system's canary, True where light stands above dark. Raises InvalidInputError."""
    if not 1 <= number <= MOST:
        raise InvalidInputError(f"A canary's number is 1 to {MOST}.", field="number")
    word = _word(number)
    return tuple(bool(word >> (COLUMNS - 1 - place) & 1) for place in range(COLUMNS))


def read_columns(columns: Sequence[bool]) -> int | None:
    """Return the number of the canary in these 64 columns, from whichever one they begin, inverted too, or None."""
    if len(columns) != COLUMNS:
        return None
    word = 0
    for each in columns:
        word = word << 1 | bool(each)
    for _ in range(COLUMNS):
        for seen in (word, word ^ _ALL):
            number = seen >> _CHECK_COLUMNS ^ _MASK
            if number and ((seen ^ _word(number)).bit_count() <= _FORGIVEN):
                return number
        word = (word << 1 | word >> (COLUMNS - 1)) & _ALL
    return None


@cache
def _word(number: int) -> int:
    digest = hashlib.sha256(b"tillit canary 1" + number.to_bytes(2, "big")).digest()
    return (number ^ _MASK) << _CHECK_COLUMNS | int.from_bytes(digest[: _CHECK_COLUMNS // 8], "big")


# How a bank puts it on its pages


def svg(number: int, shades: Shades = LIGHT_PAGE, *, cell_px: int = CELL_PX) -> str:
    """Return one repeat as SVG, made to be laid out side by side."""
    width, height = COLUMNS * cell_px, 2 * cell_px
    cells = "".join(
        f"M{place * cell_px} {0 if above else cell_px}h{cell_px}v{cell_px}h-{cell_px}z"
        for place, above in enumerate(columns_of(number))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'shape-rendering="crispEdges"><path fill="{_hex(shades.dark)}" d="M0 0h{width}v{height}H0z"/>'
        f'<path fill="{_hex(shades.light)}" d="{cells}"/></svg>\n'
    )


def png(number: int, shades: Shades = LIGHT_PAGE, *, cell_px: int = CELL_PX) -> bytes:
    """Return one repeat as a grey PNG, for programs that take no SVG. Source: W3C PNG (third edition), section 5."""
    columns = columns_of(number)
    above = bytes(shades.light if each else shades.dark for each in columns for _ in range(cell_px))
    below = bytes(shades.dark if each else shades.light for each in columns for _ in range(cell_px))
    rows = (b"\x00" + above) * cell_px + (b"\x00" + below) * cell_px
    header = struct.pack(">IIBBBBB", COLUMNS * cell_px, 2 * cell_px, 8, 0, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows, 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def css(number: int, *, cell_px: int = CELL_PX) -> str:
    """Return a style sheet that puts the strip at the upper and the lower edge of a page's window.

    Fixed, so that no scrolling takes it away; above everything, and in nobody's way for clicks and for paper.
    """
    size = f"{COLUMNS * cell_px}px {2 * cell_px}px"
    return (
        "html::before, html::after {\n"
        f'  content: ""; position: fixed; left: 0; right: 0; height: {2 * cell_px}px; z-index: 2147483647;\n'
        f'  background: url("canary-{number}-light.svg") 0 0 / {size} repeat-x;\n'
        "  pointer-events: none; forced-color-adjust: none;\n"
        "}\n"
        "html::before { top: 0; }\n"
        "html::after { bottom: 0; }\n"
        f"html {{ padding-block: {2 * cell_px}px; }}\n"
        "@media (prefers-color-scheme: dark) {\n"
        f'  html::before, html::after {{ background-image: url("canary-{number}-dark.svg"); }}\n'
        "}\n"
        "@media print { html::before, html::after { display: none; } }\n"
    )


def _hex(grey: int) -> str:
    return f"#{grey:02x}{grey:02x}{grey:02x}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
