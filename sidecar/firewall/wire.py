"""How the bridge and a sampler speak: encoded frames in, verdicts out. Nothing else crosses, no picture either way."""

import struct
from enum import IntEnum
from typing import NamedTuple

FRAME_HEAD = struct.Struct(">BI")  # codec, bytes that follow
_VERDICT = struct.Struct(">BIH")
VERDICT_BYTES = _VERDICT.size
MAX_FRAME_BYTES = 4 << 20
CODECS = {"VP8": 1, "H264": 2}


class Seen(IntEnum):
    """What a sampler says of the newest picture."""

    CLEAN = 1
    CANARY = 2
    UNREADABLE = 3  # the newest frame could not be decoded


class Verdict(NamedTuple):
    """frames: how many of the frames sent so far this is about, from the first on. canary: its number, else 0."""

    seen: Seen
    frames: int
    canary: int

    def pack(self) -> bytes:
        return _VERDICT.pack(self.seen, self.frames & 0xFFFFFFFF, self.canary)


def unpack_verdict(data: bytes) -> Verdict:
    """Read what a sampler wrote. Raises ValueError: it decodes what strangers sent, so it is not trusted either."""
    if len(data) != VERDICT_BYTES:
        raise ValueError("a verdict has one length")
    seen, frames, canary = _VERDICT.unpack(data)
    return Verdict(Seen(seen), frames, canary)


def pack_frame(codec: str, data: bytes) -> bytes:
    return FRAME_HEAD.pack(CODECS[codec], len(data)) + data
