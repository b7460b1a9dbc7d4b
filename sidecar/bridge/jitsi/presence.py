"""Presence in a Jitsi room: what the recorder says of itself, and what it reads of others.

Source: XEP-0045, XEP-0115, XEP-0030; jicofo's Features.kt for what each feature makes it do.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from sidecar.bridge.jitsi.login import CLIENT
from sidecar.bridge.jitsi.xml import Xml, local_name, tag

MUC = "http://jabber.org/protocol/muc"
MUC_USER = f"{MUC}#user"
DISCO = "http://jabber.org/protocol/disco#info"
CAPS = "http://jabber.org/protocol/caps"
NODE = "https://tillit.invalid/recorder"
FOCUS_NICK = "focus"
RECORDER = "http://jitsi.org/protocol/jibri"  # together with the trusted domain: never counted, muted or made owner
_NICK = "http://jabber.org/protocol/nick"
_MAX_SOURCE_INFO = 4096

# Left out on purpose: transport-cc, which aiortc lacks; SSRC rewriting and demultiplexing by MID, without which each
# stream keeps an SSRC of its own with its owner's name on it; RED; visitors.
FEATURES = (
    "http://jabber.org/protocol/disco#info",
    "http://jitsi.org/receive-multiple-video-streams",
    "http://jitsi.org/remb",
    "http://jitsi.org/source-name",
    "urn:ietf:rfc:4588",
    "urn:ietf:rfc:5761",
    "urn:ietf:rfc:5888",
    "urn:xmpp:jingle:1",
    "urn:xmpp:jingle:apps:dtls:0",
    "urn:xmpp:jingle:apps:rtp:audio",
    "urn:xmpp:jingle:apps:rtp:video",
    "urn:xmpp:jingle:transports:dtls-sctp:1",
    "urn:xmpp:jingle:transports:ice-udp:1",
    "urn:xmpp:ping",
)


@dataclass(frozen=True)
class Seen:
    """What one presence says. account: whose it is, as Prosody says, "" where it does not.

    shares: by source name, None where it says nothing of sources.
    """

    nick: str
    account: str
    here: bool
    encrypted: bool
    shares: Mapping[str, bool] | None
    ourselves: bool
    destroyed: bool
    kicked: bool


def verification() -> str:
    """Return the hash over our features. Source: XEP-0115 section 5.1."""
    text = "client/pc//Tillit<" + "".join(f"{each}<" for each in sorted(FEATURES))
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def ours(room: str, nick: str, *, region: str = "") -> Xml:
    """Return the presence we join with: we send nothing, and can decode what the room may use."""
    more = [tag("jitsi_participant_region", "", region)] if region else []
    return tag(
        "presence",
        CLIENT,
        tag("x", MUC),
        tag("c", CAPS, hash="sha-1", node=NODE, ver=verification()),
        tag("features", "", tag("feature", "", var=RECORDER)),
        tag("stats-id", "", "tillit-recorder"),
        tag("nick", _NICK, "Recorder"),
        tag("jitsi_participant_codecList", "", "vp8,h264"),
        tag("SourceInfo", "", "{}"),
        *more,
        to=f"{room}/{nick}",
    )


def capabilities(node: str | None) -> Xml:
    """Return what we answer when we are asked what we can do."""
    return tag(
        "query",
        DISCO,
        tag("identity", "", category="client", type="pc", name="Tillit"),
        *(tag("feature", "", var=each) for each in FEATURES),
        node=node,
    )


def read(presence: Element, *, room: str) -> Seen | None:
    """Return what a presence of this room says, None for another's or an error."""
    sender, _, nick = (presence.get("from") or "").partition("/")
    kind = presence.get("type")
    if sender != room or not nick or kind not in (None, "unavailable"):
        return None
    about = presence.find(f"{{{MUC_USER}}}x")
    codes = {each.get("code") for each in about.findall(f"{{{MUC_USER}}}status")} if about is not None else set()
    item = about.find(f"{{{MUC_USER}}}item") if about is not None else None
    encrypted, shares = False, None
    for each in presence:
        name = local_name(each)
        if name == "jitsi_participant_e2ee.enabled":
            encrypted = (each.text or "").strip().lower() not in ("", "false")
        elif name == "SourceInfo":
            shares = _shares(each.text or "", nick)
    return Seen(
        nick=nick,
        account=(item.get("jid") or "" if item is not None else "").partition("/")[0],
        here=kind is None,
        encrypted=encrypted,
        shares=shares,
        ourselves="110" in codes,
        kicked="307" in codes,
        destroyed=about is not None and about.find(f"{{{MUC_USER}}}destroy") is not None,
    )


def _shares(text: str, nick: str) -> dict[str, bool] | None:
    """Return which sources of an occupant's own are shares. What cannot be read says nothing."""
    if len(text) > _MAX_SOURCE_INFO:
        return None
    try:
        said: Any = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    form = re.compile(rf"{re.escape(nick)}-v[0-9]{{1,2}}")
    return {
        name: about.get("videoType") in ("desktop", "desktop_high_fps")
        for name, about in said.items()
        if form.fullmatch(name) and isinstance(about, dict)
    }
