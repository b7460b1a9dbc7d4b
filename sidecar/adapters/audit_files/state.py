"""Where the log ends, shared by all processes through one small mapped file.

Only a short cut: it is believed when its checksum, this boot and the segment's real length agree with it,
and rebuilt from the segments otherwise.
"""

import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

_FORM = struct.Struct("<8sQQQQ?16s")  # magic, generation, first, count, end, failed, boot
_MAGIC = b"tillit01"
_BYTES = _FORM.size + 4


@dataclass(frozen=True, slots=True)
class End:
    """The end of the log. first: first index of the last segment. count, end_bytes: its entries and length.

    generation: raised when files were replaced. failed: a sync failed, nothing is written until reopened.
    """

    generation: int
    first: int
    count: int
    end_bytes: int
    failed: bool = False

    @property
    def size(self) -> int:
        return self.first + self.count


class SharedEnd:
    """The mapped file. Written only by the holder of the log's lock; may be read by anybody."""

    def __init__(self, path: Path) -> None:
        self._boot = _boot_id()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size != _BYTES:
                os.ftruncate(descriptor, _BYTES)
            self._map = mmap.mmap(descriptor, _BYTES)
        finally:
            os.close(descriptor)

    def read(self) -> End | None:
        """Return the end, or None where it cannot be believed (torn, or from before a reboot)."""
        data = self._map[:]
        body = data[: _FORM.size]
        if zlib.crc32(body).to_bytes(4, "little") != data[_FORM.size :]:
            return None
        magic, generation, first, count, end_bytes, failed, boot = _FORM.unpack(body)
        if magic != _MAGIC or boot != self._boot:
            return None
        return End(generation, first, count, end_bytes, failed)

    def write(self, end: End) -> None:
        body = _FORM.pack(_MAGIC, end.generation, end.first, end.count, end.end_bytes, end.failed, self._boot)
        self._map[:] = body + zlib.crc32(body).to_bytes(4, "little")

    def close(self) -> None:
        self._map.close()


def _boot_id() -> bytes:
    """Return 16 bytes that change with every boot: what was mapped before it may be on no disk."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)
