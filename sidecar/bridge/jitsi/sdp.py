"""Jicofo's offer as the SDP aiortc understands: one section for the data channel, one for each remote stream.

One section each, because aiortc gives a packet to the section that names its SSRC, and has one jitter buffer for all
of a section. A section whose stream ended waits, inactive, for the next one of its kind: sections cannot be taken
out of an SDP.
"""

from dataclasses import dataclass

from sidecar.bridge.jitsi.jingle import Codec, Offer, Source

DATA = "data"
_HEAD = ("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0")


@dataclass
class Section:
    """One m-line of sound or picture. source: None while it waits for one."""

    mid: str
    media: str
    source: Source | None


class Sections:
    """The m-lines of one session, in their order for good."""

    def __init__(self) -> None:
        self.all: list[Section] = []

    def put(self, source: Source) -> Section:
        """Give a stream a section: one that waits, or a new one at the end."""
        for each in self.all:
            if each.source is None and each.media == source.media:
                each.source = source
                return each
        self.all.append(Section(f"{source.media}-{len(self.all)}", source.media, source))
        return self.all[-1]

    def of(self, ssrc: int) -> Section | None:
        """Return the section of a stream."""
        return next((each for each in self.all if each.source is not None and each.source.ssrc == ssrc), None)


def describe(offer: Offer, sections: Sections) -> str:
    """Return the whole offer, every value in it checked when it was read."""
    mids = " ".join((DATA, *(each.mid for each in sections.all)))
    lines = [*_HEAD, f"a=group:BUNDLE {mids}"]
    lines += ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", *_transport(offer, DATA), "a=sendrecv"]
    lines += [f"a=sctp-port:{offer.sctp_port}", "a=max-message-size:262144"]
    lines += [f"a=candidate:{each.line}" for each in offer.transport.candidates]
    for each in sections.all:
        lines += _section(offer, each)
    return "\r\n".join((*lines, ""))


def _transport(offer: Offer, mid: str) -> list[str]:
    transport = offer.transport
    return [
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{transport.ufrag}",
        f"a=ice-pwd:{transport.password}",
        *(f"a=fingerprint:{algorithm} {value}" for algorithm, value in transport.fingerprints),
        "a=setup:actpass",
    ]


def _section(offer: Offer, section: Section) -> list[str]:
    codecs, source = offer.codecs[section.media], section.source
    numbers = " ".join(str(each.payload_type) for each in codecs)
    lines = [f"m={section.media} 9 UDP/TLS/RTP/SAVPF {numbers}", *_transport(offer, section.mid), "a=rtcp-mux"]
    lines += ["a=sendonly" if source is not None else "a=inactive"]
    for codec in codecs:
        lines += _codec(codec)
    lines += [f"a=extmap:{number} {uri}" for uri, number in offer.headers[section.media].items()]
    if source is not None:
        if source.rtx:
            lines.append(f"a=ssrc-group:FID {source.ssrc} {source.rtx}")
        lines += [f"a=ssrc:{ssrc} cname:{source.owner}" for ssrc in (source.ssrc, source.rtx) if ssrc]
    return lines


def _codec(codec: Codec) -> list[str]:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    lines = [f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"]
    if codec.parameters:
        lines.append(f"a=fmtp:{codec.payload_type} {codec.parameters}")
    if codec.name in ("VP8", "H264"):
        lines += [f"a=rtcp-fb:{codec.payload_type} {each}" for each in ("nack", "nack pli", "goog-remb")]
    return lines
