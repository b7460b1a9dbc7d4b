"""The bridge's answer: ICE-lite, DTLS server, one fixed SSRC per receive slot, never renegotiated."""

from dataclasses import dataclass

from sidecar.bridge.sdp.offer import (
    AUDIO_LEVEL,
    MID,
    TRANSPORT_CC,
    Codec,
    Offer,
    Section,
)

SCTP_PORT = 5000
MAX_MESSAGE_BYTES = 16384  # the data channel carries short JSON, nothing else

# Transport-wide numbers both ways: up, the client's own sender estimates its path; down, the bridge does.
_UPLINK_EXTENSIONS = {"audio": (AUDIO_LEVEL, TRANSPORT_CC, MID), "video": (TRANSPORT_CC, MID)}
_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")


@dataclass(frozen=True)
class SlotIds:
    """What a receive slot is called on the wire. stream: slots of one stream are played in sync."""

    ssrc: int
    rtx_ssrc: int
    stream: str


@dataclass(frozen=True)
class AnswerParts:
    """What is ours in the answer.

    fingerprint: sha-256 as colon-separated hex. candidates: (address, port), the preferred first.
    slots: by mid. cname: one for the whole transport, so that slots can be synchronised.
    """

    session: int
    ufrag: str
    password: str
    fingerprint: str
    candidates: tuple[tuple[str, int], ...]
    slots: dict[str, SlotIds]
    cname: str


def build_answer(offer: Offer, parts: AnswerParts) -> str:
    """Return the session description that answers the offer, section by section."""
    lines = [
        "v=0",
        f"o=- {parts.session} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE " + " ".join(section.mid for section in offer.sections),
        "a=msid-semantic: WMS *",
    ]
    candidates = _candidates(parts.candidates)
    for section in offer.sections:
        lines += _data_channel(section) if section.kind == "application" else _media(section, parts)
        lines += [
            f"a=ice-ufrag:{parts.ufrag}",
            f"a=ice-pwd:{parts.password}",
            f"a=fingerprint:sha-256 {parts.fingerprint}",
            "a=setup:passive",
            f"a=mid:{section.mid}",
        ]
        # On every section, though they share one transport: some clients read only the last.
        lines += candidates
    return "\r\n".join(lines) + "\r\n"


def _candidates(addresses: tuple[tuple[str, int], ...]) -> list[str]:
    """Return the candidate lines. Priority by order (RFC 8445 section 5.1.2.1, host candidates)."""
    lines = []
    for order, (address, port) in enumerate(addresses):
        priority = (126 << 24) + ((65535 - order) << 8) + 255
        lines.append(f"a=candidate:{order + 1} 1 udp {priority} {address} {port} typ host")
    return [*lines, "a=end-of-candidates"]


def _data_channel(section: Section) -> list[str]:
    del section
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=sctp-port:{SCTP_PORT}",
        f"a=max-message-size:{MAX_MESSAGE_BYTES}",
    ]


def _media(section: Section, parts: AnswerParts) -> list[str]:
    uplink = section.direction == "sendonly"
    numbers: list[int] = []
    for codec in section.codecs:
        numbers.append(codec.payload_type)
        if codec.rtx_payload_type is not None:
            numbers.append(codec.rtx_payload_type)
    lines = [
        f"m={section.kind} 9 UDP/TLS/RTP/SAVPF " + " ".join(map(str, numbers)),
        "c=IN IP4 0.0.0.0",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=recvonly" if uplink else "a=sendonly",
    ]
    wanted = _UPLINK_EXTENSIONS[section.kind] if uplink else (section.downlink_extension,)
    lines += [f"a=extmap:{section.extensions[uri]} {uri}" for uri in wanted if uri in section.extensions]
    for codec in section.codecs:
        lines += _codec(codec)
    if not uplink:
        lines += _slot(section, parts)
    return lines


def _codec(codec: Codec) -> list[str]:
    number = codec.payload_type
    clock = "48000/2" if codec.name == "opus" else "90000"
    lines = [f"a=rtpmap:{number} {codec.name}/{clock}"]
    lines += [f"a=rtcp-fb:{number} {name}" for name in _FEEDBACK if name in codec.feedback]
    parameters = _parameters(codec)
    if parameters:
        lines.append(f"a=fmtp:{number} {parameters}")
    if codec.rtx_payload_type is not None:
        lines += [
            f"a=rtpmap:{codec.rtx_payload_type} rtx/90000",
            f"a=fmtp:{codec.rtx_payload_type} apt={number}",
        ]
    return lines


def _parameters(codec: Codec) -> str:
    """Return our fmtp, built from what we know, never echoed."""
    if codec.name == "opus":
        # Speech before picture: in-band error correction always, silence costs nothing when offered.
        return "minptime=10;useinbandfec=1" + (";usedtx=1" if codec.parameters.get("usedtx") == "1" else "")
    if codec.name == "H264":
        profile = "42e01f" if codec.parameters["profile-level-id"].lower().startswith("42e0") else "42001f"
        return f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}"
    return ""


def _slot(section: Section, parts: AnswerParts) -> list[str]:
    slot = parts.slots[section.mid]
    lines = [f"a=msid:{slot.stream} slot-{section.mid}", f"a=ssrc:{slot.ssrc} cname:{parts.cname}"]
    if slot.rtx_ssrc:
        lines += [
            f"a=ssrc-group:FID {slot.ssrc} {slot.rtx_ssrc}",
            f"a=ssrc:{slot.rtx_ssrc} cname:{parts.cname}",
        ]
    return lines
