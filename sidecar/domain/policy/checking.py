"""What a policy must hold before it is used: no type below its floor, no grant of what must never happen.

Each fault names the file, the key and the rule, and the combination that would be weak.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sidecar.domain.permissions import STAFF_CAPACITIES, Capacity, Permission
from sidecar.domain.policy.deciding import met
from sidecar.domain.policy.keys import purpose_key
from sidecar.domain.policy.model import Floor, MeetingType, NeverEvent, Policy
from sidecar.domain.policy.values import Band, Encryption, RecordingRule, SignInLevel

MOST_ORDINARY = 3  # types in the ordinary choice: an adviser chooses a type, not settings (R026)

_CORE = frozenset(permission.value for permission in Permission)


@dataclass(frozen=True)
class Fault:
    """Something in the rule files that stops the start."""

    file: str
    key: str
    rule: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.rule}"


def faults(policy: Policy) -> tuple[Fault, ...]:
    """Return everything that is wrong with the rules as a whole; empty for a sound policy."""
    return (
        *_band_faults(policy),
        *_choice_faults(policy),
        *(fault for each in policy.types.values() for fault in _type_faults(policy, each)),
    )


def _band_faults(policy: Policy) -> Iterator[Fault]:
    for lower, higher in pairwise(policy.bands[band] for band in Band):
        if higher.sign_in.level.order < lower.sign_in.level.order:
            yield Fault("bands.toml", f"{higher.band}.sign_in.level", f"weaker than band {lower.band}")
        if higher.sign_in.factors < lower.sign_in.factors:
            yield Fault("bands.toml", f"{higher.band}.sign_in.factors", f"fewer than band {lower.band}")
        if higher.encryption.order < lower.encryption.order:
            yield Fault("bands.toml", f"{higher.band}.encryption", f"weaker than band {lower.band}")
        if higher.log.order < lower.log.order:
            yield Fault("bands.toml", f"{higher.band}.log", f"less than band {lower.band}")
        if not higher.signing <= lower.signing:
            yield Fault("bands.toml", f"{higher.band}.signing", f"a method that band {lower.band} lacks")
    for floor in policy.bands.values():
        for event in policy.never:
            if not event.unless_referenced and not event.encryption:
                yield from _floor_against(floor, event)


def _floor_against(floor: Floor, event: NeverEvent) -> Iterator[Fault]:
    if event.bands and floor.band not in event.bands:
        return
    for permission in sorted(event.permissions & _CORE):
        touched = floor.ceiling[permission] & (event.capacities or frozenset(Capacity))
        for capacity in sorted(touched):
            yield Fault(
                "bands.toml",
                f"{floor.band}.may_grant.{permission}",
                f"never-event {event.name} forbids it to {capacity}",
            )
    if event.sign_in_kinds & floor.sign_in.kinds:
        yield Fault("bands.toml", f"{floor.band}.sign_in.kinds", f"never-event {event.name} forbids it")
    if floor.sign_in.factors < event.fewer_factors_than:
        yield Fault("bands.toml", f"{floor.band}.sign_in.factors", f"never-event {event.name} forbids it")
    if floor.plugins is not None and event.plugins & floor.plugins:
        yield Fault("bands.toml", f"{floor.band}.plugins", f"never-event {event.name} forbids it")


def _choice_faults(policy: Policy) -> Iterator[Fault]:
    ordinary = {each.name for each in policy.types.values() if each.ordinary}
    if len(ordinary) > MOST_ORDINARY:
        names = ", ".join(sorted(ordinary))
        yield Fault("types", "ordinary", f"at most {MOST_ORDINARY} types in the ordinary choice, not {names}")
    by_name: dict[str, list[MeetingType]] = {}
    for each in policy.types.values():
        by_name.setdefault(each.name, []).append(each)
    for versions in by_name.values():
        ordered = sorted(versions, key=lambda each: each.version)
        for earlier, later in pairwise(ordered):
            if later.in_force_from < earlier.in_force_from:
                yield Fault(later.source_name, "in_force_from", f"before {earlier.ref}, which it is to follow")


def _type_faults(policy: Policy, meeting_type: MeetingType) -> Iterator[Fault]:
    file = meeting_type.source_name
    floor = policy.bands[meeting_type.band]
    for key, rule in (
        *_sign_in_faults(policy, meeting_type, floor),
        *_handling_faults(policy, meeting_type, floor),
        *_grant_faults(policy, meeting_type, floor),
        *_never_faults(policy, meeting_type),
    ):
        yield Fault(file, key, rule)


def _sign_in_faults(policy: Policy, meeting_type: MeetingType, floor: Floor) -> Iterator[tuple[str, str]]:
    own, least, band = meeting_type.sign_in, floor.sign_in, floor.band
    where = _where(meeting_type, meeting_type.capacities - STAFF_CAPACITIES - {Capacity.RECORDER})
    if own.level.order < least.level.order:
        yield "sign_in.level", f"{own.level} is below the floor of band {band}, {least.level} ({where})"
    if not own.kinds <= least.kinds:
        below = ", ".join(sorted(own.kinds - least.kinds))
        yield "sign_in.kinds", f"{below} is below the floor of band {band} ({where})"
    if own.factors < least.factors:
        yield "sign_in.factors", f"{own.factors} is below the floor of band {band}, {least.factors} ({where})"
    if not own.step_up_each_act and (least.step_up_each_act or own.level is SignInLevel.COUNTRY_HIGHEST):
        yield "sign_in.step_up_each_act", f"band {band} asks for a new check for each act ({where})"
    known = {eid.country for eid in policy.eids.values() if eid.country}
    for country in meeting_type.countries:
        if country not in known:
            yield "sign_in.countries", f"no eID of {country} is listed in eids.toml"
    reaching = (
        eid.loa >= own.level.required_of(eid) and (eid.country in meeting_type.countries or not eid.country)
        for eid in policy.eids.values()
        if eid.kind in own.kinds
    )
    if not any(reaching):
        yield "sign_in.level", f"no eID of these countries reaches {own.level}, so nobody could come in"
    staff, least_staff = meeting_type.staff, floor.staff
    where = _where(meeting_type, meeting_type.capacities & STAFF_CAPACITIES)
    if staff.desk_factors < least_staff.desk_factors:
        yield "staff.desk_factors", f"below the floor of band {band}, {least_staff.desk_factors} ({where})"
    if staff.call_fresh_seconds > least_staff.call_fresh_seconds:
        longest = least_staff.call_fresh_seconds
        yield "staff.call_fresh_seconds", f"longer than band {band} lets it be, {longest} s ({where})"
    strong = least_staff.strong_methods
    if strong and not (staff.strong_methods and staff.strong_methods <= strong):
        yield "staff.strong_methods", f"a method band {band} does not accept before a call ({where})"


def _handling_faults(policy: Policy, meeting_type: MeetingType, floor: Floor) -> Iterator[tuple[str, str]]:
    band = floor.band
    where = _where(meeting_type, meeting_type.capacities)
    if not meeting_type.signing <= floor.signing:
        below = ", ".join(sorted(meeting_type.signing - floor.signing))
        yield "signing.methods", f"{below} is below the floor of band {band} ({where})"
    if meeting_type.encryption.order < floor.encryption.order:
        yield "encryption.mode", f"below the floor of band {band}, {floor.encryption} ({where})"
    if meeting_type.log.order < floor.log.order:
        yield "log.level", f"below the floor of band {band}, {floor.log} ({where})"
    if floor.plugins is not None and not meeting_type.integrations <= floor.plugins:
        below = ", ".join(sorted(meeting_type.integrations - floor.plugins))
        yield "integrations.during", f"{below} is not for band {band} ({where})"
    rule = meeting_type.recording
    if rule.order < floor.recording.order:
        yield "recording.rule", f"{rule} is below the floor of band {band}, {floor.recording} ({where})"
    if rule is RecordingRule.LEGAL and not meeting_type.recording_references:
        yield "recording.references", "a recording by law names the law"
    if rule is not RecordingRule.NEVER and not meeting_type.recording_purposes:
        yield "recording.purposes", "a recording has a purpose from a list"
    for purpose in meeting_type.recording_purposes:
        if purpose_key(purpose) not in policy.sentences.keys:
            yield "recording.purposes", f"no sentence {purpose_key(purpose)} says what {purpose} is"
    if rule is not RecordingRule.NEVER and not meeting_type.recording_retention_days:
        yield "recording.retention_days", "a recording has a deletion date"
    longest = max((each.retention_days for each in meeting_type.recording_references), default=0)
    if longest and meeting_type.recording_retention_days > longest:
        yield "recording.retention_days", f"longer than the named law lets it be, {longest} days"
    if rule is RecordingRule.LEGAL and "encryption:strict" in meeting_type.raises:
        yield "raises", "a meeting the law wants recorded cannot be raised to strict, which ends recording"


def _grant_faults(policy: Policy, meeting_type: MeetingType, floor: Floor) -> Iterator[tuple[str, str]]:
    for capacity, grants in meeting_type.grants.items():
        where = _where(meeting_type, {capacity})
        for permission in grants:
            key = f"grant.{capacity}.{permission}"
            if permission not in _CORE and permission.partition(".")[0] not in meeting_type.integrations:
                yield key, "its plugin is not among integrations.during"
            if not floor.lets(permission, capacity):
                yield key, f"below the floor of band {floor.band}, which grants it to no {capacity} ({where})"
            if permission in ("record", "transcribe") and meeting_type.recording is RecordingRule.NEVER:
                yield key, "recording.rule says never"
            if meeting_type.encryption is Encryption.STRICT and permission in policy.strict.refuses:
                yield key, f"strict encryption closes it ({where})"
            if capacity in STAFF_CAPACITIES and not any(
                permission in policy.packages[name].permissions for name in meeting_type.packages
            ):
                yield key, f"no role package of this type carries it ({where})"


def _never_faults(policy: Policy, meeting_type: MeetingType) -> Iterator[tuple[str, str]]:
    for event in policy.never:
        for capacity, grants in meeting_type.grants.items():
            if not met(
                event,
                band=meeting_type.band,
                encryption=meeting_type.encryption,
                capacity=capacity,
                meeting_type=meeting_type,
            ):
                continue
            where = _where(meeting_type, {capacity})
            for permission in sorted(event.permissions & grants.keys()):
                yield f"grant.{capacity}.{permission}", f"never-event {event.name} ({where})"
            for plugin in sorted(event.plugins & meeting_type.integrations):
                yield "integrations.during", f"{plugin}: never-event {event.name} ({where})"
            for kind in sorted(event.sign_in_kinds & meeting_type.sign_in.kinds):
                yield "sign_in.kinds", f"{kind}: never-event {event.name} ({where})"
            if meeting_type.sign_in.factors < event.fewer_factors_than:
                yield "sign_in.factors", f"never-event {event.name} ({where})"


def _where(meeting_type: MeetingType, capacities: Iterable[Capacity]) -> str:
    """Name the combination: the type's segments and packages, these capacities, no raises."""
    return (
        f"type {meeting_type.ref}, segment {_list(meeting_type.segments)}, packages "
        f"{_list(meeting_type.packages)}, capacity {_list(capacities)}, raises none"
    )


def _list(values: Iterable[str]) -> str:
    return " or ".join(sorted(str(value) for value in values)) or "none"
