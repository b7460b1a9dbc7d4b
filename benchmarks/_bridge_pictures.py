"""Real VP8 for the bridge benches: encoded once, then sent again and again."""

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

FPS = 30
BITRATE = 1_500_000
LOOP_FRAMES = 120
_PAYLOAD_BYTES = 1140


def encode_loop(width: int = 1280, height: int = 720) -> list[list[bytes]]:
    """Return frames as lists of RTP payloads without descriptor: moving texture at about 1.5 Mbit/s."""
    codec: Any = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.framerate, codec.time_base, codec.bit_rate = Fraction(FPS), Fraction(1, FPS), BITRATE
    codec.options = {
        "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "g": "9999",
        "minrate": str(BITRATE), "maxrate": str(BITRATE), "bufsize": str(BITRATE // 2),
    }  # fmt: skip
    chance = random.Random(1)  # the same pictures in each run
    row_bytes = width + 2 * LOOP_FRAMES
    rows = [
        b"".join(bytes([chance.randrange(60, 200)]) * 8 for _ in range(row_bytes // 8 + 1)) for _ in range(height // 8)
    ]
    chroma = bytes([128]) * (width // 2 * height // 2)
    frames: list[list[bytes]] = []
    for number in range(LOOP_FRAMES):
        frame = av.VideoFrame(width, height, "yuv420p")
        shift = 2 * number
        luma = b"".join(row[shift : shift + width] * 8 for row in rows)
        frame.planes[0].update(_padded(luma, width, frame.planes[0].line_size))
        for plane in (1, 2):
            frame.planes[plane].update(_padded(chroma, width // 2, frame.planes[plane].line_size))
        frame.pts = number
        for packet in codec.encode(frame):
            data = bytes(packet)
            frames.append([data[i : i + _PAYLOAD_BYTES] for i in range(0, len(data), _PAYLOAD_BYTES)])
    return frames


def kept_frames(path: Path) -> list[list[bytes]]:
    """Return the pictures kept in this file; the first call encodes them."""
    if not path.exists():
        frames = encode_loop()
        path.write_text(json.dumps([[part.hex() for part in frame] for frame in frames]))
    return [[bytes.fromhex(part) for part in frame] for frame in json.loads(path.read_text())]


def _padded(data: bytes, width: int, line_bytes: int) -> bytes:
    if width == line_bytes:
        return data
    gap = bytes(line_bytes - width)
    return b"".join(data[i : i + width] + gap for i in range(0, len(data), width))
