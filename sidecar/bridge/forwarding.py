"""The packet path: datagrams in, the same media out, nothing decoded.

One thread, one event loop. A batch of datagrams is received with one system call, each is told apart by its
first byte (RFC 7983), media is decrypted where it lies, renumbered, encrypted again where it lies, and all
that goes out leaves with one system call. Buffers are reused after that, so whatever must live longer is
copied (the retransmission cache).

`MediaPlane._rtp` is long on purpose: it runs for every packet, and in Python a call costs as much as the work.
"""

import asyncio
import logging
import struct
import time
from typing import TYPE_CHECKING, Any

from sidecar.bridge import ice, rtp, srtp
from sidecar.bridge.streams import CACHE_PACKETS, Slot
from sidecar.bridge.udp import BATCH, CLOCK_AT, CLOCK_STEP, HEADROOM, SLOT_BYTES, STRIDE, DatagramBatch

if TYPE_CHECKING:
    from sidecar.bridge.peer import Peer

log = logging.getLogger(__name__)

_MAX_ROUNDS = 4  # batches read before others get their turn on the event loop
# Transport feedback: often while a sender looks for its rate, then half as often, which costs half as much
_FEEDBACK_EARLY_S, _FEEDBACK_LATER_S, _EARLY_S = 0.1, 0.2, 15.0
_FEEDBACK_LOOK_S = 0.01  # how often is looked whose feedback is due
# Packets a second from which the socket is read on a tick: (rate, tick in seconds). A quiet bridge has none,
# a loaded one trades a little delay for system calls that carry many packets; a full one fills them sooner.
_TICKS = ((800.0, 0.004), (4000.0, 0.003))
_RATE_WINDOW_S = 0.25

_header = rtp.HEADER.unpack_from
_short = struct.Struct("!H").unpack_from
_word = struct.Struct("!I").unpack_from
_stamp = rtp.STAMPED_HEADER.pack_into
_plain = rtp.HEADER.pack_into
_protect, _unprotect = srtp.protect, srtp.unprotect


class MediaPlane:
    """All sockets of the bridge and every participant behind them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, addresses: tuple[tuple[str, int], ...]) -> None:
        self._loop = loop
        self.batches = [DatagramBatch(host, port) for host, port in addresses]
        self.agents: dict[str, ice.IceAgent] = {}  # by our ufrag
        self._length: Any = srtp.new_length()
        self._flush_planned = False
        self._in_batch = False
        self._window = [time.monotonic(), 0.0]
        self._tick = 0.0
        self._unreported: set[Peer] = set()
        self.dropped = 0
        self._report_at = 0.0
        for batch in self.batches:
            self._watch(batch)

    def _watch(self, batch: DatagramBatch) -> None:
        batch.watched = True
        self._loop.add_reader(batch.fd, self._readable, batch)

    def close(self) -> None:
        """Send what is queued and close the sockets."""
        self._in_batch = True  # nothing more is planned
        for batch in self.batches:
            self._loop.remove_reader(batch.fd)
            batch.flush()
            batch.close()

    # Sending outside the packet path

    def flush_soon(self) -> None:
        """Send what is queued once the running callback is done."""
        if not self._in_batch and not self._flush_planned:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        self.flush_now()

    def flush_now(self) -> None:
        """Send what is queued."""
        for batch in self.batches:
            if batch.queued:
                batch.flush()

    def send_rtcp(self, peer: "Peer", data: bytes) -> None:
        """Encrypt and queue an RTCP packet."""
        batch, address = peer.batch, peer.address
        if batch is None or address is None or peer.outbound is None or len(data) > SLOT_BYTES:
            return
        i = batch.queued
        start = i * STRIDE + HEADROOM
        batch.out_data[start : start + len(data)] = data
        self._length[0] = len(data)
        if srtp.protect_rtcp(peer.outbound, batch.out_pointers[i], self._length) == srtp.OK:
            batch.queue(batch.out_addresses[i], self._length[0], address)
            self.flush_soon()

    def send_rtp(
        self,
        slot: Slot,
        *,
        second_byte: int,
        sequence: int,
        ssrc: int,
        timestamp: int,
        payload: bytes,
        padding: int = 0,
    ) -> None:
        """Encrypt and queue one packet of a slot outside the packet path: a retransmission or a probe.

        padding: 0x20 when the payload ends in padding.
        """
        peer = slot.peer
        batch, address = peer.batch, peer.address
        if batch is None or address is None or peer.outbound is None:
            return
        i = batch.queued
        start = i * STRIDE + HEADROOM
        if slot.extension:
            now = time.monotonic()
            if slot.counted:
                value = peer.feedback.sent.record(now, len(payload) + 20) << 8
            else:
                value = int(now * 262144) & 0xFFFFFF
            _stamp(
                batch.out_data,
                start,
                0x90 | padding,
                second_byte,
                sequence,
                timestamp,
                ssrc,
                rtp.ONE_WORD_EXTENSION,
                slot.extension | value,
            )
            payload_at = start + rtp.STAMPED_HEADER_BYTES
        else:
            _plain(batch.out_data, start, 0x80 | padding, second_byte, sequence, timestamp, ssrc)
            payload_at = start + rtp.HEADER_BYTES
        end = payload_at + len(payload)
        batch.out_data[payload_at:end] = payload
        self._length[0] = end - start
        if srtp.protect(peer.outbound, batch.out_pointers[i], self._length) == srtp.OK:
            slot.octets += len(payload)
            batch.queue(batch.out_addresses[i], self._length[0], address)
            self.flush_soon()

    # Receiving

    def _readable(self, batch: DatagramBatch) -> None:
        """Handle what has arrived; under load, come back on a tick instead of for each packet."""
        now = time.monotonic()
        self._in_batch = True
        received = 0
        try:
            for _ in range(_MAX_ROUNDS):
                count = batch.receive()
                if not count:
                    break
                received += count
                self._handle(batch, count, now)
                if now >= self._report_at and self._unreported:
                    self._report(now)
                # Before the buffers are filled again: queued packets lie in them.
                for each in self.batches:
                    if each.queued:
                        each.flush()
                if count < BATCH:
                    break
        finally:
            self._in_batch = False
            self._adapt(batch, received, now)

    def _adapt(self, batch: DatagramBatch, received: int, now: float) -> None:
        window = self._window
        window[1] += received
        elapsed = now - window[0]
        if elapsed >= _RATE_WINDOW_S:
            rate = window[1] / elapsed
            self._window = [now, 0.0]
            before, self._tick = self._tick, 0.0
            for least, tick in _TICKS:
                if rate >= least:
                    self._tick = tick
            if before and not self._tick:
                for each in self.batches:
                    self._watch(each)
        if self._tick:
            if batch.watched:
                batch.watched = False
                self._loop.remove_reader(batch.fd)
            self._loop.call_later(self._tick, self._ticked, batch)

    def _ticked(self, batch: DatagramBatch) -> None:
        if batch.socket.fileno() >= 0:
            self._readable(batch)

    def _handle(self, batch: DatagramBatch, count: int, now: float) -> None:
        data = batch.data
        by_name: dict[bytes, Peer] = batch.peers
        words, word, step = batch.header_words, batch.length_word, batch.header_step
        names, name_bytes = batch.names, batch.name_bytes
        stamp = int(now * 262144) & 0xFFFFFF
        for i in range(count):
            size = words[i * step + word]
            base = i * STRIDE + HEADROOM
            first = data[base] if size else 255
            peer = by_name.get(bytes(names[i * name_bytes : (i + 1) * name_bytes]))
            try:
                if 127 < first < 192:
                    if peer is None or size < rtp.HEADER_BYTES:
                        continue
                    if 191 < data[base + 1] < 224:  # RFC 5761 section 4: RTCP packet types
                        self._rtcp(batch, i, size, peer, now)
                    else:
                        self._rtp(batch, i, size, peer, now, stamp)
                elif first < 4:
                    self._stun(batch, i, bytes(data[base : base + size]), now)
                elif 19 < first < 64 and peer is not None:
                    peer.on_dtls(bytes(data[base : base + size]))
            except Exception:
                # The outermost loop of the process: one datagram must never stop the others.
                self.dropped += 1
                log.exception("a datagram could not be handled")

    def _stun(self, batch: DatagramBatch, i: int, datagram: bytes, now: float) -> None:
        name = batch.name(i)
        answer = ice.answer(self.agents, datagram, name=name, batch=batch, now=now)
        if answer is not None:
            batch.send(*answer)

    def _rtcp(self, batch: DatagramBatch, i: int, size: int, peer: "Peer", now: float) -> None:
        if peer.inbound is None:
            return
        self._length[0] = size
        if srtp.unprotect_rtcp(peer.inbound, batch.packet_pointers[i], self._length) != srtp.OK:
            self.dropped += 1
            return
        base = i * STRIDE + HEADROOM
        peer.on_rtcp(bytes(batch.data[base : base + self._length[0]]), now)

    def _rtp(self, batch: DatagramBatch, i: int, size: int, peer: "Peer", now: float, stamp: int) -> None:
        """Decrypt one media packet in place, account for it, and forward it to the slots of its track."""
        data = batch.data
        base = i * STRIDE + HEADROOM
        first, second, sequence, timestamp, ssrc = _header(data, base)
        inbound = peer.inbound
        if inbound is None:
            return
        track = peer.by_ssrc.get(ssrc)
        if track is None and not peer.may_learn(ssrc):
            self.dropped += 1
            return
        length = self._length
        length[0] = size
        if _unprotect(inbound, batch.packet_pointers[i], length):
            self.dropped += 1
            return
        end = base + length[0]
        at = base + 12 + ((first & 15) << 2)
        if track is None:
            track = peer.learn(ssrc, second, bytes(data[base:end]))
            if track is None:
                return
        # Header extensions: the transport sequence number and the sound level. A sender keeps to one layout, so
        # it is looked through only when it differs from the last packet's.
        if first & 0x10:
            if at + 4 > end:
                return
            (shape,) = _word(data, at)
            values = at + 4
            at = values + ((shape & 0xFFFF) << 2)
            if at > end:
                return
            if shape != track.shape or data[values + track.transport_at] != track.transport_head:
                track.note_layout(shape, data, values, at)
            if track.transport_head:
                arrivals = peer.arrivals
                if not arrivals:
                    self._unreported.add(peer)
                place = values + track.transport_at
                clock, moment = batch.clock, i * CLOCK_STEP + CLOCK_AT
                micros = clock[moment] * 1000000 + clock[moment + 1] // 1000
                arrivals.append((data[place + 1] << 8 | data[place + 2], micros))
            if track.level_at:
                # 0..127: how far below full scale (RFC 6464)
                track.level_sum += 127 - (data[values + track.level_at] & 0x7F)
                track.level_count += 1
        elif at > end:
            return
        if ssrc != track.ssrc:
            # A retransmission: its first two bytes are the number it had (RFC 4588 section 4).
            media_type = track.rtx_of.get(second & 0x7F)
            if media_type is None or at + 2 > end - (data[end - 1] if first & 0x20 else 0):
                return  # padding that probes the path: acknowledged above, of no further use
            second = second & 0x80 | media_type
            (sequence,) = _short(data, at)
            at += 2
        if not track.open:
            track.lapsed = track.base >= 0
            if track.refused is not None:
                peer.report_dropped(track, now)
            return
        # Account: RFC 3550 appendix A.1, in unwrapped numbers.
        if track.lapsed:
            track.resume(sequence - 1 & 0xFFFF)
        ahead = (sequence - track.max_sequence) & 0xFFFF
        if track.base < 0:
            track.base = number = 0x10000 + sequence
            track.max_sequence = sequence
            in_order = True
            peer.track_began(track, now)
        elif 0 < ahead < 0x8000:
            if ahead > 1:
                peer.on_gap(track, ahead, now)
            if sequence < track.max_sequence:
                track.cycles += 0x10000
            track.max_sequence = sequence
            number = track.cycles + sequence
            in_order = True
        else:
            number = track.cycles + sequence - (0x10000 if sequence > track.max_sequence else 0)
            in_order = False
            if track.missing:
                track.missing.pop(number, None)
        track.received += 1
        payload_bytes = end - at
        track.bytes_received += payload_bytes
        if in_order:
            if timestamp != track.last_timestamp:
                transit = int(now * track.clock_rate) - timestamp
                change = (transit - track.last_transit + 0x80000000 & 0xFFFFFFFF) - 0x80000000
                track.last_transit = transit
                track.jitter += (abs(change) - track.jitter) / 16
                track.last_timestamp = timestamp
            track.last_at = now
        slots = track.slots
        if track.video:
            if not in_order and (track.newest - number >= CACHE_PACKETS or track.find_cached(sequence) is not None):
                return  # too old to matter, or forwarded already
            kept = bytes(data[at:end])
            if first & 0x20 and payload_bytes:
                kept = kept[: -kept[-1]] if kept[-1] <= payload_bytes else b""
            track.cache[sequence & (CACHE_PACKETS - 1)] = (sequence, second, timestamp, kept)
            if track.watch is not None:
                track.watch.append((number, second, timestamp, kept, now))
            elif track.tap is not None:
                track.tap.append((number, second, timestamp, kept, now))
        elif track.tap is not None:
            padding = data[end - 1] if first & 0x20 else 0
            track.tap.append((number, second, timestamp, bytes(data[at : max(at, end - padding)]), now))
        if not slots:
            return
        remaining = len(slots)
        for slot in slots:
            remaining -= 1
            out_second = slot.numbers.get(second)
            if out_second is None:
                continue
            if slot.waiting:
                codec = track.codecs[second & 0x7F].name
                if not in_order or not rtp.starts_key_frame(codec, data, at, end):
                    continue
                slot.begin(number=number, sequence=sequence, timestamp=timestamp, payload=data[at:end], now=now)
            elif number < slot.first:
                continue  # from before the switch: its new number would be another packet's
            receiver = slot.peer
            out_batch, address = receiver.batch, receiver.address
            if out_batch is None or address is None:
                continue
            header_bytes = 20 if slot.extension else 12
            if remaining:
                out = out_batch.out_data
                k = out_batch.queued
                start = k * STRIDE + HEADROOM
                out[start + header_bytes : start + header_bytes + payload_bytes] = data[at:end]
                pointer, pointer_address = out_batch.out_pointers[k], out_batch.out_addresses[k]
            else:
                # The last one takes the packet where it lies, its shorter or longer header right in front.
                out = data
                start = at - header_bytes
                pointer = batch.packet_pointers[i] + (start - base)
                pointer_address = batch.packet_addresses[i] + (start - base)
            if header_bytes == 20:
                if slot.counted:
                    sent = receiver.sent
                    transport_number = sent.next
                    sent.next = transport_number + 1
                    place = transport_number & 4095
                    sent.sent_at[place] = now
                    sent.sizes[place] = payload_bytes + 20
                    value = (transport_number & 0xFFFF) << 8
                else:
                    value = stamp
                _stamp(
                    out,
                    start,
                    0x90 | first & 0x20,
                    out_second,
                    (sequence + slot.sequence_delta) & 0xFFFF,
                    (timestamp + slot.timestamp_delta) & 0xFFFFFFFF,
                    slot.ssrc,
                    0xBEDE0001,
                    slot.extension | value,
                )
            else:
                _plain(
                    out,
                    start,
                    0x80 | first & 0x20,
                    out_second,
                    (sequence + slot.sequence_delta) & 0xFFFF,
                    (timestamp + slot.timestamp_delta) & 0xFFFFFFFF,
                    slot.ssrc,
                )
            if slot.renumber is not None:
                slot.renumber_vp8(out, start + header_bytes, start + header_bytes + payload_bytes)
            length[0] = header_bytes + payload_bytes
            if _protect(receiver.outbound, pointer, length) == 0:
                slot.packets += 1
                slot.octets += payload_bytes
                out_batch.queue(pointer_address, length[0], address)

    def _report(self, now: float) -> None:
        """Send the transport feedback that is due."""
        self._report_at = now + _FEEDBACK_LOOK_S
        for peer in [peer for peer in self._unreported if now >= peer.feedback_due]:
            self._unreported.discard(peer)
            peer.send_transport_feedback()
            early = now - peer.created_at < _EARLY_S
            peer.feedback_due = now + (_FEEDBACK_EARLY_S if early else _FEEDBACK_LATER_S)
