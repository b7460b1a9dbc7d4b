"""The core as each plugin has it: services.plugin_ports.Core over our stores, one act path for all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sidecar.domain.addresses import normal_email, normal_phone
from sidecar.domain.audit import AuditLog
from sidecar.domain.errors import ConfigurationError, InvalidInputError, NotFoundError
from sidecar.domain.identity import Subject
from sidecar.domain.ids import MeetingId, ParticipantId, new_id
from sidecar.domain.meetings import Meeting, Participant
from sidecar.domain.policy import Decision, Policy, decide
from sidecar.services.acts import Act, Acts
from sidecar.services.arrival import situation
from sidecar.services.plugin_errands import PluginErrands
from sidecar.services.plugin_messages import PluginMessages, Sentences
from sidecar.services.plugin_ports import (
    Attachment,
    AuditEntryView,
    BrandView,
    MeetingView,
    PersonView,
    PlaceView,
    PluginAct,
    PluginObjects,
    Records,
)
from sidecar.services.plugin_records import PluginRecords, PluginRecordsTx, Sealer
from sidecar.services.plugin_signing import PluginSigning
from sidecar.services.plugin_views import PluginViews
from sidecar.services.ports import Extensions, MeetingStore, MeetingTx, ObjectStore, PeopleStore, Person
from sidecar.services.signing_ports import ClientView, SigningMethod, SigningRequest, SignQuestion

T = TypeVar("T")

_LANGUAGES = frozenset({"sv", "nb", "da", "fi", "nl", "en"})


@dataclass(frozen=True)
class PluginWork:
    """All that a plugin's core stands on; `core` makes one. errands: what the worker does for plugins."""

    acts: Acts
    audit: AuditLog
    meetings: MeetingStore
    people: PeopleStore
    objects: ObjectStore
    policy: Policy
    extensions: Extensions
    views: PluginViews
    signing: PluginSigning
    messages: PluginMessages
    sentences: Sentences
    brand: Callable[[str], BrandView]
    sealer: Callable[[str], Sealer]
    clock: Callable[[], datetime]
    errands: PluginErrands

    @classmethod
    def wired(
        cls,
        *,
        acts: Acts,
        audit: AuditLog,
        meetings: MeetingStore,
        people: PeopleStore,
        objects: ObjectStore,
        policy: Policy,
        extensions: Extensions,
        sentences: Sentences,
        brand: Callable[[str], BrandView],
        sealer: Callable[[str], Sealer],
        is_inside: Callable[[Meeting, Participant], bool],
        order: Sequence[str],
        clock: Callable[[], datetime],
    ) -> "PluginWork":
        """Wire the parts. is_inside: Admission.is_inside. order: of message channels, best first."""
        core: dict[str, Any] = {"acts": acts, "meetings": meetings, "extensions": extensions, "clock": clock}
        messages = PluginMessages(
            **core, people=people, objects=objects, sentences=sentences, brand=brand, order=order, sealer=sealer
        )
        return cls(
            **core,
            audit=audit,
            people=people,
            objects=objects,
            policy=policy,
            views=PluginViews(
                meetings=meetings, people=people, policy=policy, is_inside=is_inside, channels=messages.channels
            ),
            signing=PluginSigning(**core, people=people, policy=policy, brand=brand),
            messages=messages,
            sentences=sentences,
            brand=brand,
            sealer=sealer,
            errands=PluginErrands(**core, policy=policy, messages=messages, sealer=sealer),
        )

    def core(self, plugin: str) -> "PluginCore":
        return PluginCore(plugin, self)


class PluginCore:
    """One plugin's core. Satisfies services.plugin_ports.Core."""

    def __init__(self, plugin: str, work: PluginWork) -> None:
        self._plugin = plugin
        self._work = work
        self._objects = _Objects(plugin, work.objects)
        self._sealer = work.sealer(plugin)

    # Who and where

    def place(self, participant: str) -> PlaceView:
        return self._work.views.place(participant)

    def places(self, meeting: str) -> list[PlaceView]:
        return self._work.views.places(meeting)

    def meeting(self, meeting: str) -> MeetingView:
        return self._work.views.meeting(meeting)

    def person(self, person: str) -> PersonView:
        return self._work.views.person(person)

    def add_person(
        self,
        *,
        name: str,
        subject: Subject | None = None,
        email: str = "",
        phone: str = "",
        language: str = "sv",
        country: str = "SE",
    ) -> str:
        shown = " ".join(name.split())
        if not 0 < len(shown) <= 200:
            raise InvalidInputError("A person needs a name of at most 200 signs.", field="name")
        if language not in _LANGUAGES:
            raise InvalidInputError("This language is not spoken here.", field="language")
        known = self._work.people.find_by_subject(subject) if subject is not None else None
        if known is not None:
            return known.id
        person = Person(
            id=new_id("per"),
            kind="guest",
            name=shown,
            email=normal_email(email) if email else "",
            phone=normal_phone(phone, country) if phone else "",
            subjects=(subject,) if subject is not None else (),
            language=language,
            country=country,
        )
        self._work.people.put(person)
        return person.id

    def brand(self, id: str) -> BrandView:
        return self._work.brand(id)

    def link(self, place: PlaceView | None, path: str, *, brand: str | None = None) -> str:
        face = place.brand if place is not None else brand
        if face is None:
            raise ConfigurationError(f"Plugin {self._plugin}: an address without a place needs its brand.")
        if path.startswith("/"):
            return self._work.brand(face).url + path
        below = f"/v/{place.participant}/x/{self._plugin}/" if place is not None else f"/x/{self._plugin}/"
        return self._work.brand(face).url + below + path

    def t(self, language: str, key: str, **params: object) -> str:
        return self._work.sentences.say(language, key, **params)

    # What may be done, and doing it

    def decide(self, place: PlaceView, permission: str) -> Decision:
        """Ask the policy anew: a view may be older than a raise."""
        found = self._work.meetings.participant(ParticipantId(place.participant))
        meeting = self._work.meetings.get(found.meeting)
        return decide(self._work.policy, situation(self._work.policy, meeting, found), permission)

    def require(self, place: PlaceView, permission: str, act: str) -> None:
        asked = Act(
            act,
            place.person or place.participant,
            self._work.clock(),
            MeetingId(place.meeting),
            ParticipantId(place.participant),
            {"plugin": self._plugin},
        )
        self._work.acts.require(asked, self.decide(place, permission))

    def perform(
        self,
        *acts: PluginAct,
        effect: Callable[[Records], T],
        before: Callable[[], object] | None = None,
    ) -> T:
        if not acts:
            raise ConfigurationError(f"Plugin {self._plugin}: what is performed needs an act that says what it is.")
        now = self._work.clock()
        performed = [self._act(act, now) for act in acts]
        return self._work.acts.perform(*performed, effect=lambda tx: effect(self._records_in(tx, now)), before=before)

    def tell(self, act: PluginAct) -> None:
        told = replace(self._act(act, self._work.clock()).announcement(), recorded=False)
        self._work.meetings.write(lambda tx: tx.announce(told))

    def keep(self, effect: Callable[[Records], T]) -> T:
        now = self._work.clock()
        return self._work.meetings.write(lambda tx: effect(self._records_in(tx, now)))

    def records(self) -> Records:
        return PluginRecords(self._plugin, self._work.meetings, self._sealer)

    @property
    def objects(self) -> PluginObjects:
        return self._objects

    def service(self, name: str) -> Any:
        found = self._work.extensions.service(name)
        if found is None:
            raise NotFoundError(f"No loaded plugin offers {name!r}.")
        return found

    def message(
        self,
        to: PlaceView | str,
        text: str,
        params: Mapping[str, str] | None = None,
        *,
        attachments: Sequence[Attachment] = (),
        channel: str | None = None,
        brand: str | None = None,
        meeting: str | None = None,
    ) -> str:
        errand = self._work.messages.errand(
            self._plugin,
            to,
            text,
            params or {},
            attachments=attachments,
            channel=channel,
            brand=brand,
            meeting=meeting,
        )
        self._work.meetings.write(lambda tx: tx.add_errand(errand))
        return errand.id

    # Signing

    def signing_methods(self, place: PlaceView | None) -> list[SigningMethod]:
        return self._work.signing.methods(place)

    def signing_request(
        self,
        of: PlaceView | str,
        client: ClientView,
        *,
        visible_text: str,
        hidden_data: bytes,
        same_device: bool,
        return_path: str,
        language: str | None = None,
        brand: str | None = None,
    ) -> SigningRequest:
        place = of if isinstance(of, PlaceView) else None
        face = place.brand if place is not None else brand
        if face is None:
            raise ConfigurationError(f"Plugin {self._plugin}: a person's signature needs the brand that asks for it.")
        return self._work.signing.request(
            of,
            client,
            visible_text=visible_text,
            hidden_data=hidden_data,
            same_device=same_device,
            return_url=self.link(place, return_path, brand=face),
            language=language,
            brand=face,
        )

    def require_sign(self, question: SignQuestion, act: str) -> None:
        self._work.signing.require(question, act)

    def audit_entries(self, meeting: str, kinds: Sequence[str] = ()) -> list[AuditEntryView]:
        wanted = frozenset(kinds)
        return [
            AuditEntryView(entry.index, entry.record.kind, entry.record.actor, entry.record.at, dict(entry.record.data))
            for entry in self._work.audit.read(MeetingId(meeting))
            if not wanted or entry.record.kind in wanted
        ]

    def _act(self, act: PluginAct, now: datetime) -> Act:
        if not act.kind.startswith(f"{self._plugin}.") or act.kind not in self._work.extensions.audit_kinds():
            raise ConfigurationError(f"Plugin {self._plugin}: its manifest names no audit kind {act.kind!r}.")
        place = act.place
        actor = act.actor or (place.person or place.participant if place is not None else "system")
        about = act.meeting if act.meeting is not None else place.meeting if place is not None else None
        return Act(
            kind=act.kind,
            actor=actor,
            at=now,
            meeting=MeetingId(about) if about is not None else None,
            participant=ParticipantId(place.participant) if place is not None else None,
            data=dict(act.data),
            public=dict(act.public)
            if act.public is not None and act.announce_to
            else None,  # told to nobody: not shown
            told=() if act.announce_to == "all" else tuple(act.announce_to),
        )

    def _records_in(self, tx: MeetingTx, now: datetime) -> Records:
        return PluginRecordsTx(
            self._plugin,
            tx,
            self._sealer,
            now=now,
            takes_errand=lambda kind: self._work.extensions.errand(kind) is not None,
            message=lambda *args, **options: self._work.messages.errand(self._plugin, *args, **options),
        )


class _Objects:
    """The object store, with the plugin's name before each class."""

    def __init__(self, plugin: str, objects: ObjectStore) -> None:
        self._plugin = plugin
        self._store = objects

    def put(self, meeting: str | None, object_class: str, data: bytes) -> str:
        about = MeetingId(meeting) if meeting is not None else None
        return self._store.put(object_class=f"{self._plugin}.{object_class}", meeting=about, data=data)

    def get(self, id: str) -> bytes:
        return self._store.get(id)

    def drop(self, id: str) -> None:
        self._store.drop(id)
