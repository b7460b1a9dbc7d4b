"""Transport-wide numbers of what we send to one participant, and what its feedback says about them.

Source: draft-holmer-rmcat-transport-wide-cc-extensions-01.
"""

from dataclasses import dataclass

from sidecar.bridge import rtcp, rtp

LOG_PACKETS = 4096  # numbers remembered: two seconds at 20 Mbit/s; a power of two
_MASK = LOG_PACKETS - 1
_REFERENCE_WRAP = 1 << 24  # the reference time has 24 bits: twelve days
_TICKS_PER_REFERENCE = 256  # of 250 us in 64 ms


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

    __slots__ = ("_acknowledged", "_last_reference", "_wraps", "next", "sent_at", "sizes", "used")

    def __init__(self) -> None:
        self.next = 0
        self.sent_at = [0.0] * LOG_PACKETS
        self.sizes = [0] * LOG_PACKETS
        self.used = False
        self._acknowledged = -1
        self._last_reference = 0
        self._wraps = 0

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
        number = rtp.extend(report.base, self.next - 1)
        if report.reference < self._last_reference - _REFERENCE_WRAP // 2:
            self._wraps += _REFERENCE_WRAP
        self._last_reference = report.reference
        oldest, newest = max(self.next - LOG_PACKETS, self._acknowledged + 1, 0), self.next - 1
        ticks = (self._wraps + report.reference) * _TICKS_PER_REFERENCE
        deltas, position = report.deltas, 0
        arrived = lost = arrived_bytes = 0
        best = float("inf")
        sent_at, sizes = self.sent_at, self.sizes
        try:
            for symbol in report.symbols:
                if symbol == 1:
                    ticks += deltas[position]
                    position += 1
                elif symbol == 2:
                    ticks += (deltas[position] << 8 | deltas[position + 1]) - (deltas[position] >> 7 << 16)
                    position += 2
                if oldest <= number <= newest:
                    if symbol:
                        place = number & _MASK
                        delay = ticks * 0.00025 - sent_at[place]
                        if delay < best:
                            best = delay
                        arrived += 1
                        arrived_bytes += sizes[place]
                    else:
                        lost += 1
                number += 1
        except IndexError:
            return None  # cut short: nothing in it can be trusted
        self._acknowledged = max(self._acknowledged, min(number - 1, newest))
        if not arrived and not lost:
            return None
        return Delivery(best, arrived, lost, arrived_bytes)
