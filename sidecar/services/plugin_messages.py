"""Messages of plugins: queued with the act that sends them, in the plugin's own words, by the bank's channels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sidecar.domain.errors import ConfigurationError, InvalidInputError, NotFoundError, TillitError
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, new_id
from sidecar.services.acts import Act, Acts
from sidecar.services.plugin_ports import Attachment, BrandView, PlaceView
from sidecar.services.plugin_records import MESSAGE, Sealer, open_body, sealed_body
from sidecar.services.ports import (
    DeliveryFailedError,
    Errand,
    Extensions,
    MeetingStore,
    ObjectStore,
    OutboundMessage,
    PeopleStore,
    Person,
)
from sidecar.services.sending import ADDRESS, after_failure

_TAKES_FILES = frozenset({"email", "inbox"})


class Sentences(Protocol):
    """The product's and the plugins' texts: adapters.plugin_words.CatalogueSentences."""

    def has(self, language: str, key: str) -> bool: ...

    def say(self, language: str, key: str, **params: object) -> str: ...


class PluginMessages:
    """Makes a message's errand, and delivers it."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        people: PeopleStore,
        objects: ObjectStore,
        extensions: Extensions,
        sentences: Sentences,
        brand: Callable[[str], BrandView],
        order: Sequence[str],
        sealer: Callable[[str], Sealer],
        clock: Callable[[], datetime],
    ) -> None:
        """order: the channels, best first. sealer: by plugin."""
        self._acts = acts
        self._meetings = meetings
        self._people = people
        self._objects = objects
        self._extensions = extensions
        self._sentences = sentences
        self._brand = brand
        self._order = tuple(order)
        self._sealer = sealer
        self._clock = clock

    def channels(self, person: Person) -> tuple[str, ...]:
        """Return how a person can be reached, best first."""
        offered = self._extensions.channels()
        known = [*self._order, *(each for each in ADDRESS if each not in self._order)]
        return tuple(each for each in known if each in offered and getattr(person, ADDRESS[each]))

    def errand(
        self,
        plugin: str,
        to: PlaceView | str,
        text: str,
        params: Mapping[str, str],
        *,
        attachments: Sequence[Attachment] = (),
        channel: str | None = None,
        brand: str | None = None,
        meeting: str | None = None,
    ) -> Errand:
        """Return the errand that sends it. Raises InvalidInputError, ConfigurationError for a text nobody wrote."""
        pseudonym = to.person if isinstance(to, PlaceView) else to
        person = self._people.get(PersonId(pseudonym))
        way = self._way(person, to, channel, files=bool(attachments))
        language = to.language if isinstance(to, PlaceView) else person.language
        face = to.brand if isinstance(to, PlaceView) else brand
        if face is None:
            raise ConfigurationError(f"Plugin {plugin}: a message to a person needs the brand it comes from.")
        self._brand(face)
        for key in _keys(text, way):
            if not text.startswith(f"{plugin}.") or not self._sentences.has(language, key):
                raise ConfigurationError(f"Plugin {plugin} has no text {key!r} (provide_texts).")
        errand_id, about = new_id("e"), to.meeting if isinstance(to, PlaceView) else meeting
        hidden = {"params": dict(params), "files": [[each.name, each.media_type, each.object] for each in attachments]}
        clear = {
            "plugin": plugin,
            "template": text,
            "channel": way,
            "person": pseudonym,
            "participant": to.participant if isinstance(to, PlaceView) else "",
            "language": language,
            "brand": face,
        }
        return Errand(
            id=errand_id,
            kind=MESSAGE,
            meeting=MeetingId(about) if about else None,
            due_at=self._clock(),
            body=sealed_body(self._sealer(plugin), errand_id, hidden, **clear),
        )

    def deliver(self, errand: Errand) -> None:
        """Send one due message; a failure is tried again with growing pauses, then given up and shown."""
        body, now = errand.body, self._clock()
        place = ParticipantId(body["participant"]) if body["participant"] else None
        data = {"plugin": body["plugin"], "template": body["template"], "channel": body["channel"]}
        try:
            channel = self._extensions.channels().get(body["channel"])
            if channel is None:
                raise DeliveryFailedError("No plugin offers this channel.", retry=False)
            if not body.get("handed_over"):
                message = self._composed(errand)
                used = {"plugin": self._extensions.plugin_of(channel.name)}
                self._acts.note(Act("plugin.used", "system", now, errand.meeting, data=used))
                channel.send(message)
        except (DeliveryFailedError, NotFoundError, InvalidInputError) as error:
            self._failed(errand, place, data, error)
            return
        done = replace(errand, state="done", attempts=errand.attempts + 1, last_problem="")
        act = Act("message.sent", "system", now, errand.meeting, place, data)
        try:
            self._acts.perform(act, effect=lambda tx: tx.save_errand(done))
        except TillitError:
            marked = replace(errand, body={**body, "handed_over": True})  # it went out; only its record is missing
            self._meetings.write(lambda tx: tx.save_errand(marked))
            raise

    def _composed(self, errand: Errand) -> OutboundMessage:
        body = errand.body
        hidden = open_body(self._sealer(body["plugin"]), errand)
        person = self._people.get(PersonId(body["person"]))
        brand = self._brand(body["brand"])
        address = getattr(person, ADDRESS[body["channel"]])
        if not address:
            raise DeliveryFailedError("The person has no address on this channel.", retry=False)
        values = {"bank": brand.name, "phone": brand.phone, "name": person.shown_name} | hidden["params"]
        *subject, text = (
            self._sentences.say(body["language"], key, **values) for key in _keys(body["template"], body["channel"])
        )
        return OutboundMessage(
            message_id=errand.id,
            channel=body["channel"],
            address=address,
            sender_name=brand.sender,
            subject=" ".join("".join(subject).split()),
            text=text,
            attachments=tuple((name, kind, self._objects.get(found)) for name, kind, found in hidden["files"]),
        )

    def _way(self, person: Person, to: PlaceView | str, wished: str | None, *, files: bool) -> str:
        ways = [each for each in self.channels(person) if each in _TAKES_FILES or not files]
        if wished is not None:
            if wished not in ways:
                raise InvalidInputError("The person cannot be reached this way.", field="channel")
            return wished
        invited_by = ""
        if isinstance(to, PlaceView):
            invited_by = self._meetings.participant(ParticipantId(to.participant)).link_channel
        if invited_by in ways:
            return invited_by
        if not ways:
            raise InvalidInputError("There is no way to reach this person.", field="channel")
        return ways[0]

    def _failed(self, errand: Errand, place: ParticipantId | None, data: Mapping[str, str], error: TillitError) -> None:
        tried = after_failure(errand, error, now=self._clock())
        if tried.state == "waiting":
            self._meetings.write(lambda tx: tx.save_errand(tried))
            return
        act = Act(
            "message.failed", "system", self._clock(), errand.meeting, place, {**data, "attempts": tried.attempts}
        )
        self._acts.perform(act, effect=lambda tx: tx.save_errand(tried))


def _keys(text: str, channel: str) -> tuple[str, ...]:
    return (f"{text}.sms",) if channel == "sms" else (f"{text}.subject", f"{text}.body")
