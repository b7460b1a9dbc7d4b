"""May this person do this, in this meeting, now? Pure, total, and deny wins."""

from collections.abc import Mapping

from sidecar.domain.permissions import STAFF_CAPACITIES, Permission
from sidecar.domain.policy.floors import (
    STRICT_TARGET,
    band_for,
    encryption_for,
    floors_of,
    plugins_in_force,
    raised_band,
    recording_for,
)
from sidecar.domain.policy.keys import GRANTED, GRANTED_PLUGIN, refusal_of
from sidecar.domain.policy.model import MeetingType, NeverEvent, Policy, Situation
from sidecar.domain.policy.values import (
    RAISE_TARGETS,
    Band,
    Decision,
    Encryption,
    RecordingRule,
    Right,
    Segment,
)

_CORE = frozenset(permission.value for permission in Permission)
_RECORDING = frozenset({Permission.RECORD.value, Permission.TRANSCRIBE.value})

# What a narrowing raise closes, and the sentence that says so.
_CLOSED_BY: Mapping[str, tuple[frozenset[str], str]] = {
    "share:off": (frozenset({Permission.SHARE_WINDOW, Permission.SHARE_SCREEN}), "share-turned-off"),
    "chat:off": (frozenset({Permission.CHAT, Permission.PRIVATE_CHAT}), "chat-turned-off"),
}

# The heading of the floor a permission stands under; any other permission is its own heading.
_HEADING: Mapping[str, str] = {
    Permission.SHARE_WINDOW: "screen_sharing",
    Permission.SHARE_SCREEN: "screen_sharing",
    Permission.SEND_FILE: "file_transfer",
    Permission.UPLOAD_DOCUMENT: "file_transfer",
    Permission.DOWNLOAD_DOCUMENT: "file_transfer",
    Permission.PRESENT_DOCUMENT: "documents",
    Permission.VIEW_DOCUMENT: "documents",
    Permission.SIGN: "signing",
    Permission.APPROVE_TRANSACTION: "signing",
    Permission.RECORD: "recording",
    Permission.TRANSCRIBE: "recording",
    Permission.COBROWSE: "integrations",
    Permission.SEE_UNMASKED: "personal_data",
}


def decide(policy: Policy, situation: Situation, permission: str) -> Decision:
    """Say whether this permission holds in this situation, and which rule decided.

    Asked in this order, and the first no stands: never-events, the band's floor, raises, segment, the role
    packages of the responsible staff member, the type's grants. What nobody granted is refused.
    """
    refusal = _refusal(policy, situation, str(permission))
    params = {"type": situation.type.ref}
    if refusal is None:
        rule = f"{situation.type.ref}/grants/{permission}"
        return Decision(True, rule, GRANTED.get(permission, GRANTED_PLUGIN), params)
    return Decision(False, *refusal, params)


def permissions_for(policy: Policy, situation: Situation) -> frozenset[str]:
    """Return everything this person may do now: the list the join token carries."""
    asked = situation.type.grants.get(situation.capacity, {})
    return frozenset(each for each in asked if _refusal(policy, situation, each) is None)


def may_raise(policy: Policy, situation: Situation, target: str) -> Decision:
    """Say whether this person may turn security up to `target` now. Turning down is always refused."""
    params = {"type": situation.type.ref}
    state = _against(policy, situation, target)
    if state == "lower":
        return Decision(False, "raise/cannot-lower", "cannot-lower", params)
    if state == "unknown":
        return Decision(False, "raise/unknown", "raise-unknown", params)
    asked = decide(policy, situation, Permission.RAISE_SECURITY)
    if not asked.allowed:
        return asked
    if state == "same":
        return Decision(False, "raise/already", "raise-already", params)
    if target not in situation.type.raises:
        return Decision(False, f"{situation.type.ref}/raises", "raise-not-offered", params)
    return Decision(True, f"{situation.type.ref}/raises/{target}", "may.raise", params)


def raises_left(policy: Policy, situation: Situation) -> tuple[str, ...]:
    """Return the raises this person can still make, in the type's order."""
    offered = situation.type.raises
    return tuple(target for target in offered if may_raise(policy, situation, target).allowed)


def may_book(policy: Policy, packages: frozenset[str], segment: Segment, meeting_type: MeetingType) -> Decision:
    """Say whether staff with these role packages may book this type for a customer of this segment."""
    params = {"type": meeting_type.ref}
    booking = may_staff(policy, packages, Right.BOOK)
    if not booking.allowed:
        return booking
    if segment not in meeting_type.segments:
        return Decision(False, f"{meeting_type.ref}/segments", "not-for-segment", params)
    return may_hold(packages, meeting_type)


def may_hold(packages: frozenset[str], meeting_type: MeetingType) -> Decision:
    """Say whether staff with these role packages may hold meetings of this type."""
    rule, params = f"{meeting_type.ref}/packages", {"type": meeting_type.ref}
    if not packages & meeting_type.packages:
        return Decision(False, rule, "type-not-in-your-role", params)
    return Decision(True, rule, "may.book", params)


def may_staff(policy: Policy, packages: frozenset[str], right: str) -> Decision:
    """Say whether staff with these role packages have a right outside the meetings."""
    for name in sorted(packages & policy.packages.keys()):
        if right in policy.packages[name].rights:
            return Decision(True, f"packages/{name}/{right}", "may.staff")
    return Decision(False, "default/not-granted", "not-in-your-role")


def met(event: NeverEvent, *, band: Band, encryption: Encryption, capacity: str, meeting_type: MeetingType) -> bool:
    """Say whether a never-event's conditions hold here, whatever it forbids."""
    if event.unless_referenced and meeting_type.recording_references:
        return False
    return (
        (not event.bands or band in event.bands)
        and (not event.encryption or encryption in event.encryption)
        and (not event.capacities or capacity in event.capacities)
    )


def _refusal(policy: Policy, situation: Situation, permission: str) -> tuple[str, str] | None:
    """Return (rule, sentence) of the first no, or None."""
    meeting_type, capacity = situation.type, situation.capacity
    if permission not in _CORE and "." not in permission:
        return "default/unknown-permission", "not-granted"
    spoken = refusal_of(permission, capacity)
    events = policy.never_by_permission.get(permission, ())
    if events:
        band, encryption = band_for(situation), encryption_for(policy, situation)
        for event in events:
            if met(event, band=band, encryption=encryption, capacity=capacity, meeting_type=meeting_type):
                return f"never/{event.name}", spoken
    own, *raised = floors_of(policy, meeting_type, situation.raises)
    heading = _HEADING.get(permission, permission if permission in _CORE else "plugin_permissions")
    if not own.lets(permission, capacity):
        return f"band.{own.band}/{heading}", spoken
    if permission in _RECORDING and not _may_be_recorded(policy, situation):
        return f"{meeting_type.ref}/recording", spoken
    for floor in raised:
        if not floor.lets(permission, capacity):
            return f"raise/band:{floor.band}/{heading}", "turned-off-by-raise"
    if permission not in _CORE and permission.partition(".")[0] not in plugins_in_force(policy, situation):
        return f"band.{band_for(situation)}/integrations", "plugin-not-allowed"
    for each in situation.raises:
        closed, sentence = _CLOSED_BY.get(each.target, (frozenset(), ""))
        if permission in closed:
            return f"raise/{each.target}", sentence
    if permission in policy.strict.refuses and encryption_for(policy, situation) is Encryption.STRICT:
        made = any(each.target == STRICT_TARGET for each in situation.raises)
        return f"raise/{STRICT_TARGET}" if made else f"{meeting_type.ref}/encryption", "closed-by-strict"
    if situation.segment not in meeting_type.segments:
        return f"{meeting_type.ref}/segments", "not-for-segment"
    if permission in meeting_type.narrowed.get(situation.segment, {}).get(capacity, {}):
        return f"{meeting_type.ref}/segments/{situation.segment}/{heading}", spoken
    if capacity in STAFF_CAPACITIES:
        known = policy.packages
        usable = situation.packages & meeting_type.packages & known.keys()
        if not any(permission in known[name].permissions for name in usable):
            return f"packages/{permission}", "not-in-your-role"
    if permission not in meeting_type.grants.get(capacity, {}):
        return "default/not-granted", spoken
    return None


def _may_be_recorded(policy: Policy, situation: Situation) -> bool:
    rule = recording_for(policy, situation)
    if rule is RecordingRule.LEGAL:
        return bool(situation.type.recording_references)
    return rule is RecordingRule.JUSTIFIED


def _against(policy: Policy, situation: Situation, target: str) -> str:
    """Hold a wished target against what is in force: "up", "same", "lower" or "unknown"."""
    kind, _, value = target.partition(":")
    made = {each.target for each in situation.raises}
    band = raised_band(target)
    if band is not None:
        return _compare(band.order, band_for(situation).order)
    if kind == "encryption" and value in set(Encryption):
        compared = _compare(Encryption(value).order, encryption_for(policy, situation).order)
        return "unknown" if compared == "up" and target not in RAISE_TARGETS else compared
    if kind in ("share", "chat") and value != "off":
        return "lower"
    if target in RAISE_TARGETS:
        return "same" if target in made else "up"
    return "unknown"


def _compare(wished: int, present: int) -> str:
    if wished < present:
        return "lower"
    return "same" if wished == present else "up"
