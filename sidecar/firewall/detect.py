"""Finds a canary's strip in a picture, whatever its size there. Grey values in, a number out.

Along the middle of a strip what stands above differs everywhere from what stands below, by one amount up or down,
and both together are everywhere equally bright. Letters, lines, tables and photographs are not like that for more
than a few pixels. Rows where it holds are read; the check in the canary decides.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidecar.domain.canary import COLUMNS, read_columns

Plane = NDArray[np.uint8]

_HALF = 3  # rows above and below that are compared; so cells of 3 to 6 pixels are read, larger ones after halving
_LEVELS = 4  # up to cells of 48 pixels
_FULL_PIXELS = 1920 * 1200  # what has more is shown so large that its cells are too: it is halved before
_LEAST_STEP = 8 * _HALF  # grey levels between light and dark, summed over three rows
_BLOCK = 8  # pixels
_STRONG = 5  # of a block's pixels
_LEAST_BLOCKS = 18  # of a row: three quarters of the narrowest strip
_TURNING = 4  # the rarer of up and down is at least a quarter of the other
_ROWS = 160  # that are looked at closely, at the most, on each level
_READ = 8  # rows that are read, at the most, on each level
_SPECTRUM = 16384  # bins: a step is an eighth of a cell at the far end of a wide picture
_SLOWEST, _FASTEST = 1 / 6.7, 1 / 2.8  # cells a pixel
_PEAKS = 3
_DOUBTFUL = 0.3  # what a pixel outside solid blocks counts


class _Row(NamedTuple):
    """One row that may lie in the middle of a strip. steps: above minus below. solid: where both are as in one."""

    steps: NDArray[np.float64]
    solid: NDArray[np.bool_]


def find_canary(grey: Plane) -> int | None:
    """Return the number of a canary in this picture, None where there is none. grey: rows of pixels, 0..255."""
    plane = _halved(grey) if grey.size > _FULL_PIXELS else grey
    for level in range(_LEVELS):
        if level:
            plane = _halved(plane)
        if plane.shape[0] < 2 * _HALF or plane.shape[1] < _LEAST_BLOCKS * _BLOCK:
            return None
        for row in _rows(plane):
            number = _read(row)
            if number is not None:
                return number
    return None


def _halved(plane: Plane) -> Plane:
    height, width = plane.shape[0] & ~1, plane.shape[1] & ~1
    pairs = plane[0:height:2].astype(np.uint16) + plane[1:height:2]
    return ((pairs[:, 0:width:2] + pairs[:, 1:width:2]) >> 2).astype(np.uint8)


def _rows(plane: Plane) -> list[_Row]:
    """Return the rows that look like the middle of a strip, the best first."""
    width = plane.shape[1] // _BLOCK * _BLOCK
    wide = plane[:, :width].astype(np.int16)
    three = wide[:-2] + wide[1:-1]
    three += wide[2:]
    steps = three[:-_HALF] - three[_HALF:]
    strong = (np.abs(steps) > _LEAST_STEP).view(np.uint8)
    # Eight flags at a time: the product's highest byte is their sum
    eights = np.ascontiguousarray(strong).view(np.uint64)
    filled = (eights * np.uint64(0x0101010101010101) >> np.uint64(56)) >= _STRONG
    score = np.count_nonzero(filled, axis=1)
    likely = np.flatnonzero(score >= _LEAST_BLOCKS)
    if not len(likely):
        return []
    # A strip turns often: of what stands out, a good part is light above, a good part dark above
    chosen = steps[likely]
    up = np.count_nonzero(chosen > _LEAST_STEP, axis=1)
    down = np.count_nonzero(chosen < -_LEAST_STEP, axis=1)
    turns = np.minimum(up, down)
    keep = np.flatnonzero(turns * _TURNING >= np.maximum(up, down))
    keep = keep[np.argsort(-turns[keep], kind="stable")[:_ROWS]]
    if not len(keep):
        return []
    likely, chosen = likely[keep], chosen[keep]
    # Both together equally bright, block by block
    both = (three[likely] + three[likely + _HALF]).reshape(len(likely), -1, _BLOCK)
    size = np.abs(chosen).reshape(len(likely), -1, _BLOCK)
    low, high, total = both[..., 0].copy(), both[..., 0].copy(), size[..., 0].astype(np.int32)
    for place in range(1, _BLOCK):
        np.minimum(low, both[..., place], out=low)
        np.maximum(high, both[..., place], out=high)
        total += size[..., place]
    solid = filled[likely] & ((high - low) * _BLOCK <= total)
    count = np.count_nonzero(solid, axis=1)
    found: list[_Row] = []
    taken: list[int] = []
    for place in np.argsort(-count, kind="stable"):
        row = int(likely[place])
        if count[place] < _LEAST_BLOCKS or len(found) == _READ:
            break
        if all(abs(row - other) > 1 for other in taken):
            taken.append(row)
            found.append(_Row(chosen[place].astype(np.float64), np.repeat(solid[place], _BLOCK)))
    return found


def _read(row: _Row) -> int | None:
    """Return the canary this row shows, or None."""
    usual = np.median(np.abs(row.steps[row.solid]))
    values = np.clip(row.steps / usual, -1, 1) * np.where(row.solid, 1.0, _DOUBTFUL)
    turns = np.abs(np.diff(values))
    spectrum = np.fft.rfft(turns, _SPECTRUM)
    first, last = int(_SLOWEST * _SPECTRUM), int(_FASTEST * _SPECTRUM)
    heights = np.abs(spectrum[first:last])
    for _ in range(_PEAKS):
        peak = int(np.argmax(heights))
        if heights[peak] <= 0:
            return None
        number = _sampled(values, spectrum, first + peak)
        if number is not None:
            return number
        heights[max(0, peak - 24) : peak + 25] = 0
    return None


def _sampled(values: NDArray[np.float64], spectrum: NDArray[np.complex128], peak: int) -> int | None:
    """Read the columns at the pace this line of the spectrum says, all repeats together."""
    cell = _SPECTRUM / peak
    edge = (-np.angle(spectrum[peak]) / (2 * np.pi) * cell + 0.5) % cell
    count = int((len(values) - 1 - edge) / cell)
    if count < COLUMNS:
        return None
    middles = edge + (np.arange(count) + 0.5) * cell
    around = middles[:, None] + np.array([-0.2, 0.0, 0.2]) * cell
    means = np.interp(around, np.arange(len(values)), values).mean(axis=1)
    summed = np.bincount(np.arange(count) % COLUMNS, weights=means, minlength=COLUMNS)
    return read_columns([bool(each) for each in summed > 0])
