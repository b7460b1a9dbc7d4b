"""Transport-wide numbers of what we send to one participant, and what its feedback says about them.

Source: draft-holmer-rmcat-transport-wide-cc-extensions-01.
"""

from dataclasses import dataclass

from sidecar.bridge import rtcp, rtp

LOG_PACKETS = 4096  # numbers remembered: two seconds at 20 Mbit/s; a power of two
_MASK = LOG_PACKETS - 1
_REFERENCE_WRAP_S = (1 << 24) * 0.064


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one report says of packets of ours.

    best_delay_s: of the packet that waited least, the client's clock against ours, so only changes of it mean
    something; infinite when none arrived.
    """

    best_delay_s: float
    arrived: int
    lost: int
    arrived_bytes: int


class SentLog:
    """When each number left and how large it was. The packet path writes the lists itself."""

    __slots__ = ("_acknowledged", "_base_time", "_last_reference", "next", "sent_at", "sizes", "used")

    def __init__(self) -> None:
        self.next = 0
        self.sent_at = [0.0] * LOG_PACKETS
        self.sizes = [0] * LOG_PACKETS
        self.used = False
        self._acknowledged = -1
        self._last_reference = -1.0
        self._base_time = 0.0

    def record(self, now: float, size_bytes: int) -> int:
        """Give the next packet its 16-bit number."""
        number = self.next
        self.next = number + 1
        self.sent_at[number & _MASK] = now
        self.sizes[number & _MASK] = size_bytes
        return number & 0xFFFF

    def match(self, report: rtcp.TransportFeedback) -> Delivery | None:
        """Return what the report says about packets we remember, each packet counted once."""
        if not self.next:
            return None
        self.used = True
        first = rtp.extend(report.base, self.next - 1)
        reference = report.reference_s
        if self._last_reference >= 0 and reference < self._last_reference - _REFERENCE_WRAP_S / 2:
            self._base_time += _REFERENCE_WRAP_S
        self._last_reference = reference
        number = max(self.next - LOG_PACKETS, self._acknowledged + 1, first, 0)
        end = min(first + len(report.arrivals), self.next)
        arrived = arrived_bytes = 0
        best = float("inf")
        sent_at, sizes = self.sent_at, self.sizes
        counted = end - number
        for at in report.arrivals[number - first : end - first]:
            if at is not None:
                place = number & _MASK
                delay = at - sent_at[place]
                if delay < best:
                    best = delay
                arrived += 1
                arrived_bytes += sizes[place]
            number += 1
        if counted <= 0:
            return None
        self._acknowledged = end - 1
        return Delivery(best + self._base_time, arrived, counted - arrived, arrived_bytes)
