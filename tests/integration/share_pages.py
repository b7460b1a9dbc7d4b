"""A shared window for the share firewall's tests: a page of text, with or without the strip of an internal system."""

import asyncio
import time

import numpy as np
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame
from numpy.typing import NDArray

from sidecar.domain import canary

WIDTH, HEIGHT = 960, 540
_EVERY_S = 0.1


def page(number: int = 0, *, cell_px: int = 8, shade: int = 255) -> NDArray[np.uint8]:
    """Return a page in grey. number: of the canary it bears, 0 for none. shade: of the paper."""
    made = np.full((HEIGHT, WIDTH), shade, np.uint8)
    words = np.random.default_rng(5).integers(0, 2, (HEIGHT // 20, WIDTH // 4), dtype=np.uint8)
    for line, row in enumerate(words[1:-1], 1):
        made[line * 20 : line * 20 + 9] -= np.repeat(row, 4) * np.uint8(180)
    if number:
        light, dark = canary.LIGHT_PAGE
        columns = np.array(canary.columns_of(number))
        cells = np.where([columns, ~columns], light, dark).astype(np.uint8)
        strip = cells.repeat(cell_px, axis=0).repeat(cell_px, axis=1)
        made[: 2 * cell_px] = np.tile(strip, 2)[:, :WIDTH]
    return made


class Window(VideoStreamTrack):
    """A window that is shared. `show` changes its picture; sent_at: when that picture was handed over first."""

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        super().__init__()
        self._picture = picture
        self._number = 0
        self.sent_at = 0.0

    def show(self, picture: NDArray[np.uint8]) -> None:
        self._picture, self.sent_at = picture, 0.0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(_EVERY_S)
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(self._picture, format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, time_base
        self.sent_at = self.sent_at or time.monotonic()
        return frame
