"""RTCP: read what participants report, write what the bridge reports. Pure values.

Source: RFC 3550 section 6, RFC 4585 (NACK, PLI), RFC 5104 (FIR), draft-alvestrand-rmcat-remb-03,
draft-holmer-rmcat-transport-wide-cc-extensions-01 (transport feedback).
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_SENDER_REPORT, _RECEIVER_REPORT, _SDES, _TRANSPORT_FEEDBACK, _PAYLOAD_FEEDBACK = 200, 201, 202, 205, 206
_NACK, _TRANSPORT_CC = 1, 15
_PLI, _FIR, _APPLICATION = 1, 4, 15
_MAX_NACKED = 1024  # sequence numbers taken from one message
_MAX_NUMBERS = 8192  # packets one transport feedback may speak of
_CNAME = 1


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What one receiver says of one stream. fraction_lost: 0..255 of 256, since its last report."""

    ssrc: int
    fraction_lost: int
    total_lost: int
    highest: int
    jitter: int
    last_sr: int
    delay_since_sr: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """ntp: 64 bits, 32.32 seconds since 1900, of the sender's clock."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Nack:
    media_ssrc: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyFrameRequest:
    """PLI and FIR ask for the same."""

    media_ssrc: int


@dataclass(frozen=True, slots=True)
class Remb:
    bits_per_second: int


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """When packets of ours arrived, unpacked only as far as needed to walk over it once.

    base: 16-bit number of the first. reference: 64 ms ticks of the client's clock. symbols: per number 0 lost,
    1 arrived with a one-byte delta, 2 with a two-byte one. deltas: 250 us ticks, from arrival to arrival.
    """

    base: int
    reference: int
    symbols: list[int]
    deltas: bytes


Report = SenderReport | ReportBlock | Nack | KeyFrameRequest | Remb | TransportFeedback


def parse(data: bytes) -> list[Report]:
    """Return what we use of a compound packet, in order. Malformed parts end the reading."""
    found: list[Report] = []
    position, size = 0, len(data)
    while position + 8 <= size:
        first, kind, words = struct.unpack_from("!BBH", data, position)
        end = position + 4 + words * 4
        if first >> 6 != 2 or end > size:
            break
        body_end = end
        if first & 0x20:
            body_end = end - data[end - 1]
        found += _one(kind, first & 0x1F, data[position + 4 : body_end])
        position = end
    return found


def _one(kind: int, count: int, body: bytes) -> Iterable[Report]:
    if kind == _SENDER_REPORT and len(body) >= 24:
        ssrc, ntp, timestamp, packets, octets = struct.unpack_from("!IQIII", body)
        return [SenderReport(ssrc, ntp, timestamp, packets, octets), *_blocks(body, 24, count)]
    if kind == _RECEIVER_REPORT and len(body) >= 4:
        return _blocks(body, 4, count)
    if kind == _TRANSPORT_FEEDBACK and count == _NACK and len(body) >= 12:
        return [Nack(*_nacked(body))]
    if kind == _TRANSPORT_FEEDBACK and count == _TRANSPORT_CC and len(body) >= 16:
        return _transport_feedback(body)
    if kind == _PAYLOAD_FEEDBACK and len(body) >= 8:
        return _payload_feedback(count, body)
    return []


def _blocks(body: bytes, position: int, count: int) -> list[Report]:
    found: list[Report] = []
    for _ in range(count):
        if position + 24 > len(body):
            break
        ssrc, lost, highest, jitter, last_sr, delay = struct.unpack_from("!IIIIII", body, position)
        found.append(ReportBlock(ssrc, lost >> 24, lost & 0xFFFFFF, highest, jitter, last_sr, delay))
        position += 24
    return found


def _nacked(body: bytes) -> tuple[int, tuple[int, ...]]:
    (media_ssrc,) = struct.unpack_from("!I", body, 4)
    sequences: list[int] = []
    for position in range(8, len(body) - 3, 4):
        first, mask = struct.unpack_from("!HH", body, position)
        sequences.append(first)
        sequences += [(first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1]
        if len(sequences) > _MAX_NACKED:
            break
    return media_ssrc, tuple(sequences)


def _transport_feedback(body: bytes) -> list[Report]:
    base, count, packed = struct.unpack_from("!HHI", body, 8)
    if count > _MAX_NUMBERS:
        return []
    symbols: list[int] = []
    position, size = 16, len(body)
    while len(symbols) < count:
        if position + 2 > size:
            return []
        (chunk,) = struct.unpack_from("!H", body, position)
        position += 2
        if not chunk & 0x8000:
            symbols += [chunk >> 13 & 3] * min(chunk & 0x1FFF, count)
        elif chunk & 0x4000:
            symbols += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    return [TransportFeedback(base, packed >> 8, symbols[:count], body[position:])]


def _payload_feedback(form: int, body: bytes) -> list[Report]:
    (media_ssrc,) = struct.unpack_from("!I", body, 4)
    if form == _PLI:
        return [KeyFrameRequest(media_ssrc)]
    if form == _FIR:
        return [KeyFrameRequest(struct.unpack_from("!I", body, position)[0]) for position in range(8, len(body) - 7, 8)]
    if form == _APPLICATION and len(body) >= 16 and body[8:12] == b"REMB":
        packed = int.from_bytes(body[13:16], "big")
        return [Remb((packed & 0x3FFFF) << (packed >> 18))]
    return []


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def receiver_report(sender: int, blocks: Sequence[ReportBlock]) -> bytes:
    """Return a receiver report with at most 31 blocks."""
    body = struct.pack("!I", sender)
    for block in blocks[:31]:
        lost = block.fraction_lost << 24 | max(0, min(block.total_lost, 0x7FFFFF))
        body += struct.pack(
            "!IIIIII",
            block.ssrc,
            lost,
            block.highest & 0xFFFFFFFF,
            block.jitter & 0xFFFFFFFF,
            block.last_sr,
            block.delay_since_sr & 0xFFFFFFFF,
        )
    return _packet(_RECEIVER_REPORT, len(blocks[:31]), body)


def sender_report(report: SenderReport, cname: str) -> bytes:
    """Return a sender report and the SDES that RFC 3550 section 6.1 asks for beside it."""
    body = struct.pack(
        "!IQIII",
        report.ssrc,
        report.ntp,
        report.timestamp & 0xFFFFFFFF,
        report.packets & 0xFFFFFFFF,
        report.octets & 0xFFFFFFFF,
    )
    item = struct.pack("!IBB", report.ssrc, _CNAME, len(cname)) + cname.encode("ascii") + b"\0"
    item += bytes(-len(item) % 4)
    return _packet(_SENDER_REPORT, 0, body) + _packet(_SDES, 1, item)


def nack(sender: int, media_ssrc: int, sequences: Sequence[int]) -> bytes:
    """Return a generic NACK. sequences: in ascending order as sent, at most a few hundred."""
    pairs: list[tuple[int, int]] = []
    for sequence in sequences:
        if pairs and 0 < (sequence - pairs[-1][0]) & 0xFFFF <= 16:
            first, mask = pairs[-1]
            pairs[-1] = (first, mask | 1 << (((sequence - first) & 0xFFFF) - 1))
        else:
            pairs.append((sequence, 0))
    body = struct.pack("!II", sender, media_ssrc) + b"".join(struct.pack("!HH", *pair) for pair in pairs)
    return _packet(_TRANSPORT_FEEDBACK, _NACK, body)


def pli(sender: int, media_ssrc: int) -> bytes:
    """Return a picture loss indication."""
    return _packet(_PAYLOAD_FEEDBACK, _PLI, struct.pack("!II", sender, media_ssrc))


def remb(sender: int, bits_per_second: int, ssrcs: Sequence[int]) -> bytes:
    """Return a receiver estimated maximum bitrate for the named streams."""
    exponent = max(0, bits_per_second.bit_length() - 18)
    packed = exponent << 18 | bits_per_second >> exponent
    body = struct.pack("!II", sender, 0) + b"REMB" + bytes([len(ssrcs)]) + packed.to_bytes(3, "big")
    return _packet(_PAYLOAD_FEEDBACK, _APPLICATION, body + b"".join(struct.pack("!I", s) for s in ssrcs))


def transport_feedback(sender: int, media_ssrc: int, *, count: int, base: int, arrivals: Mapping[int, int]) -> bytes:
    """Return transport-wide feedback for packets that arrived.

    count: 8-bit number of this feedback. base: the first number it speaks of. arrivals: full transport
    sequence number -> microseconds on any steady clock, at least one, none below base. Numbers from base to
    the last that are absent were lost.
    Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
    """
    last = max(arrivals)
    first_at = arrivals[min(arrivals)]
    reference = first_at // 64000  # 64 ms ticks
    tick = reference * 256  # 250 us ticks
    symbols: list[int] = []
    deltas = bytearray()
    for at in map(arrivals.get, range(base, last + 1)):
        if at is None:
            symbols.append(0)
            continue
        delta = at // 250 - tick
        if 0 <= delta <= 255:
            symbols.append(1)
            deltas.append(delta)
        else:
            delta = max(-32768, min(32767, delta))
            symbols.append(2)
            deltas += delta.to_bytes(2, "big", signed=True)
        tick += delta
    body = struct.pack("!IIHH", sender, media_ssrc, base & 0xFFFF, len(symbols))
    chunks = _chunks(symbols)
    body += struct.pack("!I", (reference & 0xFFFFFF) << 8 | count & 0xFF) + chunks + deltas
    padding = -len(body) % 4
    if padding:
        body += bytes(padding - 1) + bytes([padding])
    packet = _packet(_TRANSPORT_FEEDBACK, _TRANSPORT_CC, body)
    return bytes([packet[0] | 0x20]) + packet[1:] if padding else packet


def _chunks(symbols: list[int]) -> bytes:
    """Return packet status chunks: runs where they pay, else seven two-bit symbols."""
    size = len(symbols)
    if symbols.count(1) == size < 8192:
        return struct.pack("!H", 1 << 13 | size)  # all arrived, as on most days
    out = bytearray()
    position = 0
    while position < size:
        symbol, run = symbols[position], position + 1
        while run < size and symbols[run] == symbol and run - position < 8191:
            run += 1
        if run - position >= 7 or run == size:
            out += struct.pack("!H", symbol << 13 | run - position)
            position = run
            continue
        chunk = 0xC000
        for place, value in enumerate(symbols[position : position + 7]):
            chunk |= value << (12 - 2 * place)
        out += struct.pack("!H", chunk)
        position += 7
    return bytes(out)
