"""Jingle as Jicofo speaks it: its offer and its changes read into values, our answers written.

Everything read here may have begun in somebody's browser, so every value that goes on into an SDP or a number is
checked for its form. Source: XEP-0166, XEP-0167, XEP-0176, XEP-0320, XEP-0338, XEP-0339, XEP-0343.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from sidecar.bridge.jitsi.xml import Xml, tag

JINGLE = "urn:xmpp:jingle:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"
ICE = "urn:xmpp:jingle:transports:ice-udp:1"
DTLS = "urn:xmpp:jingle:apps:dtls:0"
SCTP = "urn:xmpp:jingle:transports:dtls-sctp:1"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
HEADERS = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
FEEDBACK = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
GROUPING = "urn:xmpp:jingle:apps:grouping:0"
FOCUS = "http://jitsi.org/protocol/focus"
JITMEET = "http://jitsi.org/jitmeet"

ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
BRIDGE = "jvb"  # owner of the bridge's own feedback streams: nobody's voice or face

_MOST_SOURCES = 400
_MOST_CANDIDATES = 64
_ICE_TEXT = re.compile(r"[A-Za-z0-9+/=_-]{1,256}")
_WORD = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){15,63}")
_PARAMETER = re.compile(r"[A-Za-z0-9-]{1,64}=[A-Za-z0-9._-]{1,64}")
_ENDPOINT = re.compile(r"[A-Za-z0-9_]{1,64}")
_CODECS = {"opus": "opus", "vp8": "VP8", "h264": "H264", "rtx": "rtx"}
_KINDS = {"opus": "audio", "VP8": "video", "H264": "video"}


class JingleError(ValueError):
    """Jicofo's stanza cannot be used."""


@dataclass(frozen=True)
class Codec:
    """One way to encode, under its number in this session. apt: of "rtx", the number of what it repeats."""

    name: str
    payload_type: int
    clock_rate: int
    channels: int
    parameters: str
    apt: int = -1


@dataclass(frozen=True)
class Candidate:
    """Where the bridge can be reached. line: as in an SDP, checked."""

    line: str


@dataclass(frozen=True)
class Transport:
    """One side's ICE and DTLS. fingerprints: (hash, value)."""

    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Source:
    """One stream of one occupant. owner: their nickname in the room. rtx: its retransmissions' SSRC, 0 without."""

    ssrc: int
    rtx: int
    name: str
    owner: str
    media: str
    share: bool


@dataclass(frozen=True)
class Offer:
    """A session-initiate. codecs: those we record, by media. headers: header extensions by media, id by URI."""

    sid: str
    initiator: str
    transport: Transport
    codecs: Mapping[str, tuple[Codec, ...]]
    headers: Mapping[str, Mapping[str, int]]
    sctp_port: int
    bridge_session: str
    sources: tuple[Source, ...]


def read_offer(jingle: Element) -> Offer:
    """Return a session-initiate. Raises JingleError."""
    contents = {each.get("name"): each for each in jingle.findall(f"{{{JINGLE}}}content")}
    transport = None
    for name in ("audio", "video", "data"):
        found = contents[name].find(f"{{{ICE}}}transport") if name in contents else None
        if found is not None and found.get("ufrag"):
            transport = transport or read_transport(found)
    if transport is None or not transport.fingerprints:
        raise JingleError("the offer names no transport with a fingerprint")
    if "data" not in contents:
        raise JingleError("the offer has no data channel")
    sctp = next(contents["data"].iter(f"{{{SCTP}}}sctpmap"), None)
    session = jingle.find(f"{{{FOCUS}}}bridge-session")
    codecs = {media: _codecs(contents[media], media) for media in ("audio", "video") if media in contents}
    if not any(codecs.values()):
        raise JingleError("the offer has nothing that can be recorded")
    return Offer(
        sid=_match(_WORD, jingle.get("sid"), "sid"),
        initiator=jingle.get("initiator") or "",
        transport=transport,
        codecs={media: found for media, found in codecs.items() if found},
        headers={media: _headers(contents[media]) for media in codecs},
        sctp_port=_number(sctp.get("number") if sctp is not None else "5000", 1, 65535),
        bridge_session=(session.get("id") or "")[:128] if session is not None else "",
        sources=tuple(read_sources(jingle)),
    )


def read_transport(transport: Element) -> Transport:
    """Return an ICE transport. Raises JingleError."""
    fingerprints = []
    for each in transport.findall(f"{{{DTLS}}}fingerprint"):
        algorithm = (each.get("hash") or "").lower()
        if algorithm in ("sha-256", "sha-384", "sha-512"):
            fingerprints.append((algorithm, _match(_HEX_PAIRS, (each.text or "").strip(), "fingerprint").upper()))
    found = transport.findall(f"{{{ICE}}}candidate")[:_MOST_CANDIDATES]
    candidates = [read for each in found if (read := _candidate(each)) is not None]
    return Transport(
        ufrag=_match(_ICE_TEXT, transport.get("ufrag"), "ufrag"),
        password=_match(_ICE_TEXT, transport.get("pwd"), "pwd"),
        fingerprints=tuple(fingerprints),
        candidates=tuple(candidates),
    )


def _candidate(element: Element) -> Candidate | None:
    """Return a UDP candidate, None for one of another protocol or one that is none."""
    said = element.attrib
    if said.get("protocol", "").lower() != "udp" or said.get("component", "1") != "1":
        return None
    try:
        address = ipaddress.ip_address(said.get("ip", ""))
        port, priority = _number(said.get("port"), 1, 65535), _number(said.get("priority"), 0, (1 << 32) - 1)
        foundation = _match(_WORD, said.get("foundation"), "foundation")
    except ValueError:
        return None
    kind = said.get("type")
    if kind not in ("host", "srflx", "prflx", "relay") or address.is_multicast or address.is_unspecified:
        return None
    return Candidate(f"{foundation} 1 udp {priority} {address} {port} typ {kind}")


def _codecs(content: Element, media: str) -> tuple[Codec, ...]:
    found: dict[int, Codec] = {}
    for each in content.findall(f"{{{RTP}}}description/{{{RTP}}}payload-type"):
        name = _CODECS.get((each.get("name") or "").lower())
        if name is None or (name != "rtx" and _KINDS[name] != media):
            continue
        said = {
            p.get("name") or "": p.get("value") or ""
            for p in each.findall(f"{{{RTP}}}parameter")
            if _PARAMETER.fullmatch(f"{p.get('name')}={p.get('value')}")
        }
        number = _number(each.get("id"), 0, 127)
        apt = _number(said["apt"], 0, 127) if name == "rtx" and said.get("apt", "").isdigit() else -1
        found[number] = Codec(
            name,
            number,
            _number(each.get("clockrate"), 8000, 192000),
            _number(each.get("channels") or "1", 1, 8),
            ";".join(f"{key}={value}" for key, value in said.items()),
            apt,
        )
    plain = [each for each in found.values() if each.name != "rtx"]
    numbers = {each.payload_type for each in plain}
    return (*plain, *(each for each in found.values() if each.name == "rtx" and each.apt in numbers))


def _headers(content: Element) -> dict[str, int]:
    """Return the header extensions we use: of video the sending time, from which the bridge's rate is judged."""
    found = {}
    for each in content.findall(f"{{{RTP}}}description/{{{HEADERS}}}rtp-hdrext"):
        if each.get("uri") == ABS_SEND_TIME:
            found[ABS_SEND_TIME] = _number(each.get("id"), 1, 14)
    return found


def read_sources(jingle: Element) -> list[Source]:
    """Return the streams of a session-initiate, source-add or source-remove: one for each name, layers left out.

    A stream that is claimed twice is its first owner's. Raises JingleError.
    """
    found: list[Source] = []
    taken: set[int] = set()
    for content in jingle.findall(f"{{{JINGLE}}}content"):
        for description in content.findall(f"{{{RTP}}}description"):
            media = description.get("media") or content.get("name")
            if media in ("audio", "video"):
                found += _sources(description, media, taken)
    if len(found) > _MOST_SOURCES:
        raise JingleError("the conference has more streams than can be recorded")
    return found


def read_removed(jingle: Element) -> list[int]:
    """Return the SSRCs a source-remove takes back, whatever else it says of them. Raises JingleError."""
    return [_ssrc(each) for each in jingle.iter(f"{{{SSMA}}}source")][: 2 * _MOST_SOURCES]


def _sources(description: Element, media: str, taken: set[int]) -> Iterable[Source]:
    repeats: dict[int, int] = {}  # a stream's SSRC -> that of its retransmissions
    minor: set[int] = set()  # layers that the bridge never sends beside the first
    for group in description.findall(f"{{{SSMA}}}ssrc-group"):
        members = [_ssrc(each) for each in group.findall(f"{{{SSMA}}}source")]
        if group.get("semantics") == "FID" and len(members) == 2:
            repeats[members[0]] = members[1]
        elif group.get("semantics") == "SIM":
            minor |= set(members[1:])
    left_out = minor | set(repeats.values())
    names: set[str] = set()
    for each in description.findall(f"{{{SSMA}}}source"):
        ssrc, owner = _ssrc(each), _owner(each)
        if ssrc in left_out or not owner or owner == BRIDGE or ssrc in taken:
            continue
        name = each.get("name") or f"{owner}-{media[0]}0"
        if not re.fullmatch(rf"{re.escape(owner)}-{media[0]}[0-9]{{1,2}}", name) or name in names:
            continue  # the name is the bridge's address of the stream: another's would be theirs to steer
        rtx = repeats.get(ssrc, 0)
        names.add(name)
        taken |= {ssrc, rtx} - {0}
        yield Source(ssrc, rtx, name, owner, media, each.get("videoType") in ("desktop", "desktop_high_fps"))


def _owner(source: Element) -> str:
    """Return the nickname a stream belongs to, "" where there is none. Older Jicofos say the whole address."""
    info = source.find(f"{{{JITMEET}}}ssrc-info")
    owner = (info.get("owner") or "" if info is not None else "").rpartition("/")[2]
    return owner if _ENDPOINT.fullmatch(owner) else ""


def _ssrc(element: Element) -> int:
    return _number(element.get("ssrc"), 1, (1 << 32) - 1)


def _number(text: str | None, least: int, most: int) -> int:
    if text is None or not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise JingleError("the offer has a number that is none")
    return int(text)


def _match(form: re.Pattern[str], text: str | None, what: str) -> str:
    if text is None or not form.fullmatch(text):
        raise JingleError(f"the offer's {what} cannot be used")
    return text


# Our answers


def accept(offer: Offer, local: Transport, *, responder: str) -> Xml:
    """Return the session-accept of somebody who sends nothing."""
    contents = [
        tag(
            "content",
            "",
            tag("description", RTP, *map(_payload_type, codecs), *_header_tags(offer.headers[media]), media=media),
            _transport_tag(local),
            name=media,
            creator="initiator",
            senders="initiator",
        )
        for media, codecs in offer.codecs.items()
    ]
    sctp = tag("sctpmap", SCTP, number=offer.sctp_port, protocol="webrtc-datachannel", streams=1024)
    data = tag("content", "", _transport_tag(local, sctp), name="data", creator="initiator", senders="both")
    bundle = tag(
        "group", GROUPING, *(tag("content", "", name=name) for name in (*offer.codecs, "data")), semantics="BUNDLE"
    )
    return tag(
        "jingle",
        JINGLE,
        *contents,
        data,
        bundle,
        action="session-accept",
        initiator=offer.initiator or None,
        responder=responder,
        sid=offer.sid,
    )


def terminate(offer: Offer, *, reason: str, restart: bool) -> Xml:
    """Return a session-terminate. restart: another session is wished for, since this one's connection broke."""
    session = tag("bridge-session", FOCUS, id=offer.bridge_session, restart="true" if restart else "false")
    return tag("jingle", JINGLE, tag("reason", "", tag(reason)), session, action="session-terminate", sid=offer.sid)


def _payload_type(codec: Codec) -> Xml:
    parameters = [
        tag("parameter", "", name=name, value=value)
        for name, _, value in (each.partition("=") for each in codec.parameters.split(";") if each)
    ]
    wishes = (
        [] if codec.name in ("opus", "rtx") else [("nack", None), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", None)]
    )
    feedback = [tag("rtcp-fb", FEEDBACK, type=kind, subtype=subtype) for kind, subtype in wishes]
    return tag(
        "payload-type",
        "",
        *parameters,
        *feedback,
        id=codec.payload_type,
        name=codec.name,
        clockrate=codec.clock_rate,
        channels=codec.channels if codec.channels > 1 else None,
    )


def _header_tags(headers: Mapping[str, int]) -> list[Xml]:
    return [tag("rtp-hdrext", HEADERS, uri=uri, id=number) for uri, number in headers.items()]


def _transport_tag(local: Transport, *more: Xml) -> Xml:
    fingerprints = [
        tag("fingerprint", DTLS, value, hash=algorithm, setup="active") for algorithm, value in local.fingerprints
    ]
    candidates = [_candidate_tag(each, number) for number, each in enumerate(local.candidates)]
    return tag(
        "transport", ICE, tag("rtcp-mux"), *fingerprints, *candidates, *more, ufrag=local.ufrag, pwd=local.password
    )


def _candidate_tag(candidate: Candidate, number: int) -> Xml:
    foundation, component, protocol, priority, ip, port, _, kind = candidate.line.split()[:8]
    return tag(
        "candidate",
        "",
        component=component,
        foundation=foundation,
        generation=0,
        id=f"c{number}",
        ip=ip,
        network=0,
        port=port,
        priority=priority,
        protocol=protocol,
        type=kind,
    )
