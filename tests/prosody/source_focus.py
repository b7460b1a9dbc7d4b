"""A Jicofo that keeps everybody's sources and judges each change of them as the real one does: whole, and by SSRC."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.prosody.stand import MUC, Stand
from tests.prosody.xmpp_client import Element, XmppClient, local_name

JINGLE = "urn:xmpp:jingle:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
MOST_SSRCS = 20  # max-ssrcs-per-user
OFFERS = ("source-add", "session-accept", "transport-accept")


class Source(NamedTuple):
    ssrc: int
    name: str
    msid: str
    kind: str  # its video type, "" for a camera and for sound


class Group(NamedTuple):
    semantics: str
    ssrcs: tuple[int, ...]


class RefusedChange(Exception):
    """Jicofo takes no part of a change that has one fault."""


@dataclass
class Held:
    """What Jicofo has of one endpoint."""

    sources: set[Source] = field(default_factory=set)
    groups: set[Group] = field(default_factory=set)

    @property
    def ssrcs(self) -> set[int]:
        return {each.ssrc for each in self.sources}

    @property
    def names(self) -> list[str]:
        return sorted({each.name for each in self.sources})


@dataclass
class SourceFocus:
    """The scripted Jicofo of one room, asked step by step: what it was sent waits in its client's inbox."""

    client: XmppClient
    room: str
    sids: dict[str, str] = field(default_factory=dict)  # nick -> the session it is offered
    held: dict[str, Held] = field(default_factory=dict)  # nick -> what it sends

    @classmethod
    async def open(cls, stand: Stand, room: str = "r7hq2m") -> "SourceFocus":
        return cls(await stand.focus(room), f"{room}@{MUC}")

    async def offer(self, me: XmppClient, nick: str = "me", sid: str = "s1") -> None:
        """Begin a session with somebody, who has it when this returns. What they sent in another is gone."""
        self.sids[nick], self.held[nick] = sid, Held()
        self.client.send(
            f"<iq type='set' to='{self.room}/{nick}' id='offer-{sid}'>"
            f"<jingle xmlns='{JINGLE}' action='session-initiate' sid='{sid}'/></iq>"
        )
        await me.wait_for(lambda s: s.find(f"{{{JINGLE}}}jingle") is not None and s.get("type") == "set")

    async def next(self, within: float = 30.0) -> Element:
        """Return the next request about a session, and take it from the inbox."""
        return await self.client.wait_for(is_jingle, within=within)

    def take(self, iq: Element) -> bool:
        """Do what is asked and answer it. Returns whether it was done."""
        try:
            self._change(str(iq.get("from")).rpartition("/")[2], iq[0])
        except RefusedChange:
            self.refuse(iq)
            return False
        self.client.send(f"<iq type='result' to='{iq.get('from')}' id='{iq.get('id')}'/>")
        return True

    def refuse(self, iq: Element) -> None:
        bad = "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        self.client.send(
            f"<iq type='error' to='{iq.get('from')}' id='{iq.get('id')}'><error type='modify'>{bad}</error></iq>"
        )

    def take_all(self) -> None:
        """Do and answer whatever has come, in order."""
        for iq in [each for each in self.client.inbox if is_jingle(each)]:
            self.client.inbox.remove(iq)
            self.take(iq)

    # What it judges by: ValidatingConferenceSourceMap and JingleSession of Jicofo.

    def _change(self, nick: str, jingle: Element) -> None:
        if jingle.get("sid") != self.sids.get(nick):
            raise RefusedChange("no such session")
        action, held = jingle.get("action"), self.held[nick]
        named = Held(set(_sources(jingle)), set(_groups(jingle)))
        if action in OFFERS:
            self._add(held, named)
        elif action == "source-remove":
            self._remove(held, named)
        elif action == "session-terminate":
            del self.sids[nick]
            self.held[nick] = Held()

    def _add(self, held: Held, added: Held) -> None:
        taken = {ssrc for each in self.held.values() for ssrc in each.ssrcs}
        for source in added.sources:
            if not 0 < source.ssrc < 1 << 32 or source.ssrc in taken:
                raise RefusedChange(f"SSRC {source.ssrc}")
        if len(held.sources) + len(added.sources) > MOST_SSRCS:
            raise RefusedChange("too many")
        if any(not set(group.ssrcs) <= (held.ssrcs | added.ssrcs) for group in added.groups):
            raise RefusedChange("a group of an unknown source")
        _valid(held.sources | added.sources, held.groups | added.groups)
        held.sources |= added.sources
        held.groups |= added.groups

    def _remove(self, held: Held, named: Held) -> None:
        if not named.sources:
            return
        gone = set()
        for wanted in named.sources:
            found = next((each for each in held.sources if each.ssrc == wanted.ssrc), None)
            if found is None:
                raise RefusedChange(f"SSRC {wanted.ssrc} is not theirs")
            gone.add(found)
        if not named.groups <= held.groups:
            raise RefusedChange("no such group")
        ssrcs = {each.ssrc for each in gone}
        groups = {each for each in held.groups if not ssrcs & set(each.ssrcs)}
        _valid(held.sources - gone, groups)
        held.sources, held.groups = held.sources - gone, groups


def is_jingle(stanza: Element) -> bool:
    return local_name(stanza) == "iq" and stanza.get("type") == "set" and stanza.find(f"{{{JINGLE}}}jingle") is not None


def _descriptions(jingle: Element) -> Iterable[Element]:
    return (each for content in jingle for each in content if each.tag == f"{{{RTP}}}description")


def _sources(jingle: Element) -> Iterable[Source]:
    for description in _descriptions(jingle):
        for each in description.findall(f"{{{SSMA}}}source"):
            msid = next((p.get("value") for p in each if p.get("name") == "msid"), None)
            yield Source(int(each.get("ssrc") or 0), each.get("name") or "", msid or "", each.get("videoType") or "")


def _groups(jingle: Element) -> Iterable[Group]:
    for description in _descriptions(jingle):
        for each in description.findall(f"{{{SSMA}}}ssrc-group"):
            yield Group(each.get("semantics") or "", tuple(int(member.get("ssrc") or 0) for member in each))


def _valid(sources: set[Source], groups: set[Group]) -> None:
    """What is grouped has one msid, and one msid is one group with all it retransmits. Raises RefusedChange."""
    by_ssrc = {each.ssrc: each for each in sources}
    for group in groups:
        msids = {by_ssrc[ssrc].msid for ssrc in group.ssrcs}
        if "" in msids or len(msids) > 1 or (group.semantics == "FID" and len(group.ssrcs) != 2):
            raise RefusedChange(f"group {group}")
    first = {ssrc: group.ssrcs[0] for group in groups if group.semantics == "FID" for ssrc in group.ssrcs}
    layers = {ssrc: group for group in groups if group.semantics == "SIM" for ssrc in group.ssrcs}
    for media in "av":
        seen: dict[str, object] = {}
        for each in sources:
            if not each.msid or f"-{media}" not in each.name:
                continue
            of = first.get(each.ssrc, each.ssrc)
            whole: object = layers.get(each.ssrc) or layers.get(of) or of
            if seen.setdefault(each.msid, whole) != whole:
                raise RefusedChange(f"msid {each.msid}")
