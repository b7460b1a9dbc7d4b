"""The client's offer: read what we use, refuse what does not fit, look at nothing else."""

import re
from dataclasses import dataclass, field
from typing import Literal

from sidecar.domain.errors import InvalidInputError

MAX_OFFER_BYTES = 256 * 1024  # a browser's offer with 18 sections is about 80 KiB
MAX_SLOTS = 16  # receive slots of one kind: more tiles than a screen holds
MAX_CAMERAS_AND_SHARES = 2

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"

Kind = Literal["audio", "video", "application"]
_CODECS = {"audio": {"opus/48000/2": "opus"}, "video": {"vp8/90000": "VP8", "h264/90000": "H264"}}
_DIRECTIONS = {"a=sendonly": "sendonly", "a=recvonly": "recvonly", "a=sendrecv": "", "a=inactive": ""}
_MID_FORM = re.compile(r"[A-Za-z0-9_.-]{1,16}")
_UFRAG_FORM = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD_FORM = re.compile(r"[A-Za-z0-9+/]{22,256}")
_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}


class OfferError(InvalidInputError):
    """The session description cannot be answered. The detail says which rule it breaks."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, field="sdp")


@dataclass(frozen=True)
class Codec:
    """One way to encode, under the number this client gave it.

    name: "opus", "VP8" or "H264". parameters: its fmtp, by name. feedback: its rtcp-fb values.
    rtx_payload_type: the number of its retransmissions (RFC 4588), or None.
    """

    name: str
    payload_type: int
    parameters: dict[str, str]
    feedback: frozenset[str]
    rtx_payload_type: int | None


@dataclass(frozen=True)
class Section:
    """One m-line. ssrc, rtx_ssrc: as declared by a sending section, 0 when it declares none."""

    index: int
    kind: Kind
    mid: str
    direction: str
    codecs: tuple[Codec, ...] = ()
    extensions: dict[str, int] = field(default_factory=dict)
    ssrc: int = 0
    rtx_ssrc: int = 0

    @property
    def downlink_extension(self) -> str:
        """What packets into this slot carry: a transport-wide number where the client reports on it, else the
        time they were sent, from which it makes its own estimate."""
        return TRANSPORT_CC if TRANSPORT_CC in self.extensions else ABS_SEND_TIME


@dataclass(frozen=True)
class Offer:
    """What a client wants to send and can receive.

    fingerprints: (algorithm, bytes) of its DTLS certificate. sctp_port: of the data channel.
    """

    sections: tuple[Section, ...]
    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, bytes], ...]
    sctp_port: int
    max_message_bytes: int

    def sending(self, kind: Kind) -> tuple[Section, ...]:
        """Return the sections this client sends in, in the order of the offer."""
        return tuple(s for s in self.sections if s.kind == kind and s.direction == "sendonly")

    def receiving(self, kind: Kind) -> tuple[Section, ...]:
        """Return the receive slots, in the order of the offer."""
        return tuple(s for s in self.sections if s.kind == kind and s.direction == "recvonly")


def parse_offer(text: str) -> Offer:
    """Return what the offer says. Raises OfferError with the rule it breaks."""
    if len(text) > MAX_OFFER_BYTES:
        raise OfferError("the session description is larger than 256 KiB")
    if not text.startswith("v=0"):
        raise OfferError("this is not a session description")
    head, *bodies = re.split(r"(?:^|\n)m=", text.replace("\r", ""))
    if not bodies:
        raise OfferError("the session description has no media sections")
    if len(bodies) > 2 * MAX_SLOTS + 4:
        raise OfferError("the session description has too many media sections")
    head_lines = head.split("\n")
    sections = tuple(_section(index, body.split("\n")) for index, body in enumerate(bodies))
    _check_bundle(head_lines, sections)
    _check_roles(sections)
    # Bundled: one transport, its credentials on the session or on the first section.
    shared = head_lines + bodies[0].split("\n")
    ufrag, password = _value(shared, "a=ice-ufrag:"), _value(shared, "a=ice-pwd:")
    if not _UFRAG_FORM.fullmatch(ufrag) or not _PASSWORD_FORM.fullmatch(password):
        raise OfferError("ice-ufrag or ice-pwd is missing or malformed")
    if _value(shared, "a=setup:") not in ("actpass", "active"):
        raise OfferError("a=setup must be actpass or active: the bridge is the DTLS server")
    data_lines = bodies[next(s.index for s in sections if s.kind == "application")].split("\n")
    return Offer(
        sections=sections,
        ufrag=ufrag,
        password=password,
        fingerprints=_fingerprints(shared),
        sctp_port=_number(_value(data_lines, "a=sctp-port:"), most=65535, what="sctp-port"),
        max_message_bytes=_number(
            _value(data_lines, "a=max-message-size:") or "65536", most=2**32, what="max-message-size"
        ),
    )


def _check_bundle(head: list[str], sections: tuple[Section, ...]) -> None:
    bundled = _value(head, "a=group:BUNDLE ").split(" ")
    if len({s.mid for s in sections}) != len(sections) or set(bundled) != {s.mid for s in sections}:
        raise OfferError("all media sections must be in one BUNDLE group, each with its own mid")


def _check_roles(sections: tuple[Section, ...]) -> None:
    def count(kind: str, direction: str) -> int:
        return sum(s.kind == kind and s.direction == direction for s in sections)

    if sum(s.kind == "application" for s in sections) != 1:
        raise OfferError("exactly one data channel section is needed")
    if count("audio", "sendonly") > 1:
        raise OfferError("at most one audio section may send")
    if count("video", "sendonly") > MAX_CAMERAS_AND_SHARES:
        raise OfferError("at most two video sections may send: camera and share")
    if count("audio", "recvonly") > MAX_SLOTS or count("video", "recvonly") > MAX_SLOTS:
        raise OfferError("at most 16 sections of each kind may receive")
    declared = [ssrc for s in sections for ssrc in (s.ssrc, s.rtx_ssrc) if ssrc]
    if len(set(declared)) != len(declared):
        raise OfferError("each sending section needs its own SSRC")


def _section(index: int, lines: list[str]) -> Section:
    words = lines[0].split(" ")
    if len(words) < 4:
        raise OfferError(f"media section {index} has a malformed m-line")
    kind, protocol = words[0], words[2]
    mid = _value(lines, "a=mid:")
    if not _MID_FORM.fullmatch(mid):
        raise OfferError(f"media section {index} has no usable mid")
    if kind == "application":
        if protocol != "UDP/DTLS/SCTP" or words[3] != "webrtc-datachannel":
            raise OfferError(f"media section {index} is not a WebRTC data channel")
        return Section(index=index, kind="application", mid=mid, direction="")
    if kind not in ("audio", "video") or protocol != "UDP/TLS/RTP/SAVPF":
        raise OfferError(f"media section {index} is neither audio nor video over DTLS-SRTP")
    direction = next((_DIRECTIONS[line] for line in lines if line in _DIRECTIONS), "")
    if not direction:
        raise OfferError(f"media section {index} must be sendonly or recvonly")
    if "a=rtcp-mux" not in lines:
        raise OfferError(f"media section {index} must use rtcp-mux")
    codecs = _codecs(kind, lines)
    if not codecs:
        wanted = "Opus" if kind == "audio" else "VP8 or H264"
        raise OfferError(f"media section {index} must offer {wanted}")
    ssrc, rtx_ssrc = _ssrcs(lines) if direction == "sendonly" else (0, 0)
    return Section(
        index=index,
        kind="audio" if kind == "audio" else "video",
        mid=mid,
        direction=direction,
        codecs=codecs,
        extensions=_extensions(lines),
        ssrc=ssrc,
        rtx_ssrc=rtx_ssrc,
    )


def _codecs(kind: str, lines: list[str]) -> tuple[Codec, ...]:
    """Return what we forward of what is offered, at most one codec per name, VP8 first."""
    names: dict[int, str] = {}
    rtx: list[int] = []
    parameters: dict[int, dict[str, str]] = {}
    feedback: dict[int, set[str]] = {}
    for line in lines:
        if line.startswith("a=rtpmap:"):
            payload_type, encoding = _numbered(line, "a=rtpmap:")
            known = _CODECS[kind].get(encoding.lower())
            if known:
                names[payload_type] = known
            elif encoding.lower() == "rtx/90000":
                rtx.append(payload_type)
        elif line.startswith("a=fmtp:"):
            payload_type, text = _numbered(line, "a=fmtp:")
            pairs = (part.strip().partition("=") for part in text.split(";"))
            parameters[payload_type] = {name: value for name, _, value in pairs}
        elif line.startswith("a=rtcp-fb:") and not line.startswith("a=rtcp-fb:*"):
            payload_type, text = _numbered(line, "a=rtcp-fb:")
            feedback.setdefault(payload_type, set()).add(text)
    rtx_of = {parameters.get(pt, {}).get("apt"): pt for pt in rtx}
    found: dict[str, Codec] = {}
    for payload_type in sorted(names, key=lambda pt: _preference(parameters.get(pt, {}))):
        name = names[payload_type]
        own = parameters.get(payload_type, {})
        if name in found or (name == "H264" and not _usable_h264(own)):
            continue
        found[name] = Codec(
            name=name,
            payload_type=payload_type,
            parameters=own,
            feedback=frozenset(feedback.get(payload_type, ())),
            rtx_payload_type=rtx_of.get(str(payload_type)),
        )
    return tuple(sorted(found.values(), key=lambda codec: codec.name != "VP8"))


def _preference(parameters: dict[str, str]) -> bool:
    """Constrained baseline first: the one H264 profile every client decodes (RFC 7742 section 6.2)."""
    return not parameters.get("profile-level-id", "").lower().startswith("42e0")


def _usable_h264(parameters: dict[str, str]) -> bool:
    baseline = parameters.get("profile-level-id", "").lower().startswith(("42e0", "4200"))
    return baseline and parameters.get("packetization-mode") == "1"


def _extensions(lines: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        if line.startswith("a=extmap:"):
            number, _, uri = line[len("a=extmap:") :].partition(" ")
            number = number.partition("/")[0]
            # 1..14: what a one-byte header can carry (RFC 8285 section 4.2)
            if number.isascii() and number.isdigit() and 1 <= int(number[:3]) <= 14:
                found[uri.partition(" ")[0]] = int(number)
    return found


def _ssrcs(lines: list[str]) -> tuple[int, int]:
    """Return the declared media and retransmission SSRC. A second encoding is not for us."""
    pair = _value(lines, "a=ssrc-group:FID ").split(" ")
    if len(pair) == 2:
        return _number(pair[0], most=2**32, what="ssrc"), _number(pair[1], most=2**32, what="ssrc")
    first = _value(lines, "a=ssrc:").partition(" ")[0]
    return (_number(first, most=2**32, what="ssrc") if first else 0), 0


def _fingerprints(lines: list[str]) -> tuple[tuple[str, bytes], ...]:
    found: list[tuple[str, bytes]] = []
    for line in lines:
        if line.startswith("a=fingerprint:"):
            algorithm, _, digest = line[len("a=fingerprint:") :].partition(" ")
            expected_bytes = _DIGEST_BYTES.get(algorithm.lower())
            if expected_bytes is None:
                continue
            try:
                value = bytes.fromhex(digest.strip().replace(":", " "))
            except ValueError:
                value = b""
            if len(value) != expected_bytes:
                raise OfferError("a DTLS fingerprint is malformed")
            found.append((algorithm.lower(), value))
    if not found:
        raise OfferError("a DTLS fingerprint (sha-256, sha-384 or sha-512) is missing")
    return tuple(found)


def _value(lines: list[str], prefix: str) -> str:
    """Return what follows the prefix on the first such line, or ''."""
    for line in lines:
        if line.startswith(prefix):
            return line[len(prefix) :].strip()
    return ""


def _numbered(line: str, prefix: str) -> tuple[int, str]:
    number, _, rest = line[len(prefix) :].partition(" ")
    return _number(number, most=127, what=prefix[2:-1]), rest.strip()


def _number(text: str, *, most: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise OfferError(f"{what} is missing or not a number in range")
    return int(text)
