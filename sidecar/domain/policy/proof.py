"""The proved floor: every combination a meeting can be in is enumerated and held against its band's floor.

This does not ask `decide` what it thinks of itself: it asks what came out, and compares that with the floors
and the never-events. The loader runs it before a policy is used; the test runs it with every set of packages.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sidecar.domain.identity import LoA
from sidecar.domain.permissions import GUEST_CAPACITIES, Capacity, Permission
from sidecar.domain.policy.deciding import may_raise, met, permissions_for
from sidecar.domain.policy.floors import (
    band_for,
    encryption_for,
    floors_of,
    log_for,
    plugins_in_force,
    recording_for,
    signing_for,
)
from sidecar.domain.policy.model import Floor, MeetingType, Policy, Situation
from sidecar.domain.policy.sign_in import sign_in_for, staff_sign_in_for
from sidecar.domain.policy.values import RAISE_TARGETS, Encryption, Raise, Segment, SignInLevel

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)  # a raise needs one; no decision looks at it
_IDENTIFIED = GUEST_CAPACITIES | {Capacity.CUSTOMER}


@dataclass(frozen=True)
class Proof:
    """How many combinations were looked at, and what was found below its floor, in words."""

    combinations: int
    weak: tuple[str, ...]


def prove(policy: Policy, package_sets: Iterable[frozenset[str]] | None = None) -> Proof:
    """Hold every combination of segment, packages, capacity, type, raises and permission against the floor.

    package_sets: the sets of role packages to try; by default all packages together, which covers every
    smaller set since packages only add up. Raises are tried in every order that the policy lets them be made.
    """
    sets = (frozenset(policy.packages),) if package_sets is None else tuple(package_sets)
    checked, weak = 0, []
    asked = len(Permission)
    for situation in situations(policy, sets):
        for problem in below_floor(policy, situation):
            weak.append(f"{describe(situation)}: {problem}")
        checked += asked
    return Proof(checked, tuple(weak))


def situations(policy: Policy, package_sets: Collection[frozenset[str]]) -> Iterator[Situation]:
    """Yield every situation a person can be in under this policy."""
    for meeting_type in policy.types.values():
        for raises in reachable_raises(policy, meeting_type):
            for segment in Segment:
                for packages in package_sets:
                    for capacity in Capacity:
                        yield Situation(meeting_type, segment, packages, capacity, raises)


def reachable_raises(policy: Policy, meeting_type: MeetingType) -> tuple[tuple[Raise, ...], ...]:
    """Return every set of raises that somebody could have made in such a meeting, one step at a time."""
    found: dict[frozenset[str], tuple[Raise, ...]] = {}
    waiting: list[tuple[Raise, ...]] = [()]
    while waiting:
        raises = waiting.pop()
        made = frozenset(each.target for each in raises)
        if made in found:
            continue
        found[made] = raises
        for target in RAISE_TARGETS:
            if any(_could_raise(policy, meeting_type, raises, who, target) for who in Capacity):
                waiting.append((*raises, Raise(target, _MOMENT, "proof")))
    return tuple(found.values())


def below_floor(policy: Policy, situation: Situation) -> Iterator[str]:
    """Yield what is below the floor here, each in a few words; nothing if all is well."""
    held = permissions_for(policy, situation)
    floors = floors_of(policy, situation.type, situation.raises)
    band, encryption = band_for(situation), encryption_for(policy, situation)
    plugins = plugins_in_force(policy, situation)
    rule = sign_in_for(policy, situation)
    for floor in floors:
        for permission in sorted(held):
            if not floor.lets(permission, situation.capacity):
                yield f"{permission} is granted, band {floor.band} grants it to nobody of this capacity"
        if encryption.order < floor.encryption.order:
            yield f"encryption {encryption} is below band {floor.band}"
        if log_for(policy, situation).order < floor.log.order:
            yield f"the log holds less than band {floor.band} asks for"
        if recording_for(policy, situation).order < floor.recording.order:
            yield f"recording is freer than band {floor.band} lets it be"
        if floor.plugins is not None and not plugins <= floor.plugins:
            yield f"plugins {', '.join(sorted(plugins - floor.plugins))} are not for band {floor.band}"
        if not signing_for(policy, situation) <= floor.signing:
            yield f"a signing method is weaker than band {floor.band} asks for"
        if situation.capacity in _IDENTIFIED:
            yield from _weak_sign_in(policy, situation, floor)
        yield from _weak_staff(policy, situation, floor)
    if encryption is Encryption.STRICT and held & policy.strict.refuses:
        yield f"{', '.join(sorted(held & policy.strict.refuses))} under strict encryption"
    for event in policy.never:
        if not met(
            event,
            band=band,
            encryption=encryption,
            capacity=situation.capacity,
            meeting_type=situation.type,
        ):
            continue
        happened = (
            sorted(event.permissions & held) + sorted(event.plugins & plugins)
            if event.permissions or event.plugins
            else sorted(event.sign_in_kinds & rule.kinds)
        )
        if happened or rule.factors < event.fewer_factors_than:
            yield f"never-event {event.name}: {', '.join(happened) or 'too few factors'}"


def describe(situation: Situation) -> str:
    """Return a combination in words, for the message that refuses a weak policy."""
    raises = ", ".join(each.target for each in situation.raises) or "none"
    packages = ", ".join(sorted(situation.packages)) or "none"
    return (
        f"type {situation.type.ref}, segment {situation.segment}, packages {packages}, "
        f"capacity {situation.capacity}, raises {raises}"
    )


def _weak_sign_in(policy: Policy, situation: Situation, floor: Floor) -> Iterator[str]:
    rule = sign_in_for(policy, situation)
    least = floor.sign_in
    if not rule.kinds <= least.kinds:
        yield f"sign-in by {', '.join(sorted(rule.kinds - least.kinds))} is below band {floor.band}"
    if rule.factors < least.factors:
        yield f"{rule.factors} factor is below band {floor.band}"
    for name in sorted(rule.providers):
        needed = least.level.required_of(policy.eids[name])
        if rule.required[name] < needed:
            yield f"{name} is accepted below the level of band {floor.band}"
        weak = least.level is SignInLevel.COUNTRY_HIGHEST and rule.required[name] < LoA.HIGH
        if (least.step_up_each_act or weak) and not rule.step_up_each_act:
            yield f"no new check for each act, band {floor.band} asks for one"


def _weak_staff(policy: Policy, situation: Situation, floor: Floor) -> Iterator[str]:
    rule = staff_sign_in_for(policy, situation.type, situation.raises)
    if rule.desk_factors < floor.staff.desk_factors:
        yield f"staff sign in with fewer factors than band {floor.band} asks for"
    if rule.call_fresh_seconds > floor.staff.call_fresh_seconds:
        yield f"the staff check before a call is older than band {floor.band} lets it be"
    strong = floor.staff.strong_methods
    if strong and not (rule.strong_methods and rule.strong_methods <= strong | {"-"}):
        yield f"staff start a call with a weaker method than band {floor.band} asks for"


def _could_raise(
    policy: Policy, meeting_type: MeetingType, raises: tuple[Raise, ...], capacity: Capacity, target: str
) -> bool:
    packages = frozenset(policy.packages)
    return any(
        may_raise(policy, Situation(meeting_type, segment, packages, capacity, raises), target).allowed
        for segment in Segment
    )
