"""What a policy consists of: floors, meeting types, role packages and never-events, loaded and checked."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from sidecar.domain.errors import NotFoundError
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy.sentences import Sentences
from sidecar.domain.policy.values import (
    Band,
    Eid,
    Encryption,
    LogLevel,
    Raise,
    RecordingRule,
    Right,
    Segment,
    SignInLevel,
    Texts,
)

# A rule's reason, in the languages of the bank's own staff: {"sv": ..., "en": ...}.
Reason = Mapping[str, str]


@dataclass(frozen=True)
class SignInDemand:
    """What a customer or guest must show.

    kinds: "eid", "code". step_up_each_act: a new check, bound to each act.
    """

    level: SignInLevel
    kinds: frozenset[str]
    factors: int
    step_up_each_act: bool


@dataclass(frozen=True)
class StaffDemand:
    """What staff must show. strong_methods: amr values (RFC 8176) of which the call needs one; empty: any.

    desk_factors: factors for the dashboard. call_fresh_seconds: how old the check before a call may be.
    """

    desk_factors: int
    call_fresh_seconds: int
    strong_methods: frozenset[str]


@dataclass(frozen=True)
class Floor:
    """One band: the least it asks, and the most it lets anyone do.

    ceiling: permission -> the capacities a type may grant it to; plugin_ceiling: the same for every permission a
    plugin declares. plugins: those a type may name,
    None: each approved one. signing: the methods a form may ask for.
    """

    band: Band
    sign_in: SignInDemand
    staff: StaffDemand
    signing: frozenset[str]
    ceiling: Mapping[str, frozenset[Capacity]]
    plugin_ceiling: frozenset[Capacity]
    recording: RecordingRule
    encryption: Encryption
    log: LogLevel
    plugins: frozenset[str] | None

    def lets(self, permission: str, capacity: Capacity) -> bool:
        """Say whether a type of this band may grant a permission, a plugin's included, to a capacity."""
        return capacity in self.ceiling.get(permission, self.plugin_ceiling if "." in permission else ())


@dataclass(frozen=True)
class StrictRules:
    """What end-to-end encryption closes. refuses: permissions; plugins: the only ones that stay."""

    refuses: frozenset[str]
    plugins: frozenset[str]


@dataclass(frozen=True)
class LegalReference:
    """The law a recording is made under, and how many days it is kept at most."""

    name: str
    text: Texts
    retention_days: int


@dataclass(frozen=True, eq=False)
class MeetingType:
    """One version of a meeting type, as a lawyer signed it off. Equal when reference and source are.

    grants: capacity -> permission -> reason. narrowed: segment -> capacity -> permission -> reason, refused
    in that segment. integrations: plugins that may be called during the meeting. reasons: topic -> reason,
    for the rules page. raises: the ones offered during the meeting. purpose: the purpose of processing.
    in_meetings, for_this, because: pieces of sentences. max_customers: people who take part as customer, such as
    a company's signatories. approvers: how many of them each transaction needs, each with their own sign-in.
    rejoin_minutes: how long a person may be away without a new check.
    source_text: the file, as evidence keeps it.
    """

    ref: str
    name: str
    version: int
    band: Band
    icon: str
    owner: str
    reviewed_on: date
    next_review: date
    in_force_from: date
    ordinary: bool
    on_demand: bool
    segments: frozenset[Segment]
    packages: frozenset[str]
    title: Texts
    summary: Texts
    purpose: Texts
    in_meetings: Texts
    for_this: Texts
    because: Texts
    sign_in: SignInDemand
    countries: tuple[str, ...]
    staff: StaffDemand
    signing: frozenset[str]
    recording: RecordingRule
    recording_purposes: tuple[str, ...]
    recording_references: tuple[LegalReference, ...]
    recording_retention_days: int
    encryption: Encryption
    log: LogLevel
    integrations: frozenset[str]
    integrations_afterwards: frozenset[str]
    raises: tuple[str, ...]
    opens_before_minutes: int
    reminder_minutes: int
    rejoin_minutes: int
    max_people: int
    retention_days: int
    grants: Mapping[Capacity, Mapping[str, Reason]]
    narrowed: Mapping[Segment, Mapping[Capacity, Mapping[str, Reason]]]
    reasons: Mapping[str, Reason]
    source_text: str = field(repr=False)
    source_name: str = ""
    max_customers: int = 1
    approvers: int = 1

    @property
    def source_sha256(self) -> str:
        """Return the digest of the file's exact text, UTF-8, hex: what evidence is held against."""
        return hashlib.sha256(self.source_text.encode()).hexdigest()

    @property
    def sign_in_kinds(self) -> frozenset[str]:
        """The kinds of sign-in this type accepts before any raise: "eid", "code"."""
        return self.sign_in.kinds

    @property
    def capacities(self) -> frozenset[Capacity]:
        """Who may have a place in such a meeting: the capacities that are granted something."""
        return frozenset(capacity for capacity, grants in self.grants.items() if grants)

    @property
    def phrases(self) -> Mapping[str, Texts]:
        """The type's own pieces of sentences, by placeholder."""
        return {"in_meetings": self.in_meetings, "for_this": self.for_this, "because": self.because}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MeetingType):
            return NotImplemented
        return (self.ref, self.source_text) == (other.ref, other.source_text)

    def __hash__(self) -> int:
        return hash(self.ref)


@dataclass(frozen=True)
class RolePackage:
    """What staff with one role may do: rights at the desk, permissions in a meeting."""

    name: str
    title: Texts
    rights: frozenset[Right]
    permissions: frozenset[str]
    reason: Reason


@dataclass(frozen=True)
class NeverEvent:
    """Something that must not happen, whatever a type says. Empty conditions mean: always.

    Exactly one of permissions, sign_in_kinds, plugins, fewer_factors_than is what must not happen.
    unless_referenced: lifted where the type names a legal reference for recording.
    """

    name: str
    why: Reason
    bands: frozenset[Band] = frozenset()
    capacities: frozenset[Capacity] = frozenset()
    encryption: frozenset[Encryption] = frozenset()
    permissions: frozenset[str] = frozenset()
    sign_in_kinds: frozenset[str] = frozenset()
    plugins: frozenset[str] = frozenset()
    fewer_factors_than: int = 0
    unless_referenced: bool = False


@dataclass(frozen=True)
class Situation:
    """One person's place in one meeting, as the policy sees it.

    packages: the responsible staff member's role packages. raises: those made so far, in any order.
    """

    type: MeetingType
    segment: Segment
    packages: frozenset[str]
    capacity: Capacity
    raises: tuple[Raise, ...] = ()


@dataclass(frozen=True, eq=False)
class Policy:
    """The whole rule book, loaded and checked.

    sources: file name -> text. proved: combinations that were held against the floor at load.
    """

    bands: Mapping[Band, Floor]
    strict: StrictRules
    types: Mapping[str, MeetingType]
    packages: Mapping[str, RolePackage]
    groups: Mapping[str, str]
    never: tuple[NeverEvent, ...]
    eids: Mapping[str, Eid]
    sentences: Sentences
    sources: Mapping[str, str] = field(repr=False)
    proved: int = 0

    def type(self, ref: str) -> MeetingType:
        """Return the version a meeting was booked with, as "mortgage@1". Raises NotFoundError."""
        try:
            return self.types[ref]
        except KeyError:
            raise NotFoundError(f"There is no meeting type {ref}.") from None

    def current(self, name: str, *, today: date) -> MeetingType:
        """Return the highest version of a type that is in force. Raises NotFoundError."""
        versions = [t for t in self.types.values() if t.name == name and t.in_force_from <= today]
        if not versions:
            raise NotFoundError(f"There is no meeting type {name} in force.")
        return max(versions, key=lambda t: t.version)

    def current_types(self, *, today: date) -> tuple[MeetingType, ...]:
        """Return each type's version in force, the ordinary ones first, then by band and name."""
        names = {t.name for t in self.types.values() if t.in_force_from <= today}
        found = [self.current(name, today=today) for name in names]
        return tuple(sorted(found, key=lambda t: (not t.ordinary, t.band.order, t.name)))

    def packages_for(self, groups: Iterable[str]) -> frozenset[str]:
        """Return the role packages of an identity service's group claims. An unknown group gives nothing."""
        return frozenset(self.groups[group] for group in groups if group in self.groups)

    @cached_property
    def never_by_permission(self) -> Mapping[str, tuple[NeverEvent, ...]]:
        """The never-events each permission can run into."""
        found: dict[str, tuple[NeverEvent, ...]] = {}
        for event in self.never:
            for permission in event.permissions:
                found[permission] = (*found.get(permission, ()), event)
        return found
