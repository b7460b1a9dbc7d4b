"""Trying whether a way down carries a picture again, without the voice on it noticing.

Padding grows slowly beside the voice and stops as soon as packets begin to wait: a try at a rate the path does not have
would fill its queue, and the voice would stand in it.
"""

import asyncio
from typing import TYPE_CHECKING

from sidecar.bridge.bandwidth import PROBE_BPS

if TYPE_CHECKING:
    from sidecar.bridge.peer import Peer

_GROWS_S, _HOLDS_S = 1.5, 1.0  # from a quarter of the rate to all of it, then at that
_FROM_SHARE = 0.25
_STEP_S = 0.02  # between two packets of padding or three; a burst is a queue of its own
_WAITING_S = 0.05  # more than jitter, and not yet heard
_PACKET_BYTES = 255  # RTP padding counts its bytes in one byte
_HEADER_BYTES = 20


def due_bytes(elapsed_s: float) -> float:
    """Return how much padding is to be out after so many seconds of a try."""
    grown = min(elapsed_s, _GROWS_S)
    share = _FROM_SHARE * grown + (1 - _FROM_SHARE) * grown * grown / (2 * _GROWS_S)
    held = min(max(0.0, elapsed_s - _GROWS_S), _HOLDS_S)
    return PROBE_BPS / 8 * (share + held)


class Probe:
    """One participant's tries. outcome: whether the last one came through; None before the first and while one runs."""

    def __init__(self, peer: "Peer") -> None:
        self._peer = peer
        self._began_at = 0.0
        self._sent_bytes = 0.0
        self.running = False
        self.outcome: bool | None = None

    def begin(self, now: float) -> None:
        """Start a try. Does nothing for a client that takes no padding."""
        self._began_at, self._sent_bytes = now, 0.0
        self.running, self.outcome = True, None
        self._peer.downlink.begin_probe()
        self._step()

    def _step(self) -> None:
        peer = self._peer
        if peer.closed or not peer.connected:
            self.running = False
            return
        elapsed = peer.bridge.monotonic() - self._began_at
        if peer.downlink.queue_s > _WAITING_S:
            self._end(came_through=False)
        elif elapsed >= _GROWS_S + _HOLDS_S:
            self._end(came_through=peer.downlink.end_probe())
        else:
            self._send(due_bytes(elapsed + _STEP_S))
            asyncio.get_running_loop().call_later(_STEP_S, self._step)

    def _end(self, *, came_through: bool) -> None:
        self.running, self.outcome = False, came_through

    def _send(self, due: float) -> None:
        slot = next((s for s in self._peer.video_slots if s.rtx_ssrc), None)
        if slot is None:
            return
        rtx = next(c.rtx_payload_type for c in slot.by_name.values() if c.rtx_payload_type)
        padding = bytes(_PACKET_BYTES - 1) + bytes([_PACKET_BYTES])
        while self._sent_bytes < due:
            self._sent_bytes += _PACKET_BYTES + _HEADER_BYTES
            slot.rtx_sequence = (slot.rtx_sequence + 1) & 0xFFFF
            self._peer.bridge.plane.send_rtp(
                slot,
                second_byte=rtx,
                sequence=slot.rtx_sequence,
                ssrc=slot.rtx_ssrc,
                timestamp=slot.last_timestamp,
                payload=padding,
                padding=0x20,
            )
