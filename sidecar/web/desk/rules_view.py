"""A meeting type held against its band's floor, as rows of a page: pure, without the web."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sidecar.domain.permissions import NOWHERE, ONLY_ON_JITSI, Capacity, Permission
from sidecar.domain.policy import Band, Encryption, Floor, LogLevel, MeetingType, Policy, RecordingRule, SignInLevel

Reason = Mapping[str, str]  # language -> why

_SIGN_IN = ("code", SignInLevel.SUBSTANTIAL.value, SignInLevel.COUNTRY_HIGHEST.value, SignInLevel.HIGH.value)
_SIGNING = ("touch", "sms", "eid", "eid_step_up")
_NO_REASON: Reason = {}


@dataclass(frozen=True)
class Option:
    """One possible choice. key: its text is desk.rule.<topic>.<key>."""

    key: str
    chosen: bool = False


@dataclass(frozen=True)
class Rule:
    """One rule of a type. below: what its floor rules out; above: what could be chosen, and what is.

    topic: its heading is the text desk.rule.<topic>.
    """

    topic: str
    reason: Reason
    below: tuple[Option, ...]
    above: tuple[Option, ...]


@dataclass(frozen=True)
class Grant:
    """Who may do what, and why: capacities and permissions that share one reason."""

    capacities: tuple[str, ...]
    permissions: tuple[str, ...]
    reason: Reason

    @property
    def only_on_jitsi(self) -> tuple[str, ...]:
        """Return those that hold in other clients on Jitsi and have no hand on our pages."""
        return tuple(each for each in self.permissions if each in ONLY_ON_JITSI)

    @property
    def nowhere(self) -> tuple[str, ...]:
        """Return those that no part of the service does."""
        return tuple(each for each in self.permissions if each in NOWHERE)


@dataclass(frozen=True)
class Narrowing:
    """What one segment may not do although the type grants it to others."""

    segment: str
    capacity: str
    permission: str
    reason: Reason


def rules_of(policy: Policy, meeting_type: MeetingType) -> tuple[Rule, ...]:
    """Return the rules of a type in the order a lawyer asks: who gets in, what they may do, what is kept."""
    floor = policy.bands[meeting_type.band]
    reasons = meeting_type.reasons
    why = {topic: reasons.get(topic, _NO_REASON) for topic in ("sign_in", "staff", "signing", "recording")}
    return (
        _scale("sign_in", why["sign_in"], _SIGN_IN, floor=_sign_in(floor), chosen=_sign_in_of(meeting_type)),
        _scale(
            "each_act",
            why["signing"],
            ("once", "each_act"),
            floor=int(floor.sign_in.step_up_each_act),
            chosen=int(meeting_type.sign_in.step_up_each_act),
        ),
        _scale(
            "staff",
            why["staff"],
            ("password", "two_steps", "strong"),
            floor=2 if floor.staff.strong_methods else 1,
            chosen=2 if meeting_type.staff.strong_methods or floor.staff.strong_methods else 1,
        ),
        _signing(why["signing"], floor, meeting_type),
        _share(floor, meeting_type),
        _documents(floor, meeting_type),
        _chat(floor, meeting_type),
        _scale(
            "recording",
            why["recording"],
            tuple(RecordingRule),
            floor=floor.recording.order,
            chosen=max(floor.recording.order, meeting_type.recording.order),
        ),
        _scale(
            "encryption",
            reasons.get("encryption", _NO_REASON),
            tuple(Encryption),
            floor=floor.encryption.order,
            chosen=max(floor.encryption.order, meeting_type.encryption.order),
        ),
        _scale(
            "log",
            reasons.get("log", _NO_REASON),
            tuple(LogLevel),
            floor=floor.log.order,
            chosen=max(floor.log.order, meeting_type.log.order),
        ),
        _scale(
            "integrations",
            reasons.get("integrations", _NO_REASON),
            ("any", "approved", "own_parts"),
            floor=1 if floor.plugins is None else 2,
            chosen=1 if floor.plugins is None and not _only_own(policy, meeting_type) else 2,
        ),
    )


def grants(meeting_type: MeetingType) -> tuple[Grant, ...]:
    """Return who may do what, grouped by the reason that was written once for all of them."""
    grouped: dict[tuple[tuple[str, str], ...], tuple[list[str], list[str]]] = {}
    for capacity, granted in meeting_type.grants.items():
        for permission, reason in granted.items():
            capacities, permissions = grouped.setdefault(tuple(sorted(reason.items())), ([], []))
            if capacity.value not in capacities:
                capacities.append(capacity.value)
            if permission not in permissions:
                permissions.append(permission)
    return tuple(
        Grant(tuple(capacities), tuple(permissions), dict(reason))
        for reason, (capacities, permissions) in grouped.items()
    )


def narrowed(meeting_type: MeetingType) -> tuple[Narrowing, ...]:
    return tuple(
        Narrowing(segment.value, capacity.value, permission, reason)
        for segment, capacities in meeting_type.narrowed.items()
        for capacity, refused in capacities.items()
        for permission, reason in refused.items()
    )


def _scale(topic: str, reason: Reason, options: Sequence[str], *, floor: int, chosen: int) -> Rule:
    """Return a rule whose options are ordered from weakest to strictest."""
    return Rule(
        topic,
        reason,
        below=tuple(Option(str(each)) for each in options[:floor]),
        above=tuple(Option(str(each), number == chosen) for number, each in enumerate(options) if number >= floor),
    )


def _sign_in(floor: Floor) -> int:
    return 0 if "code" in floor.sign_in.kinds else _level(floor.sign_in.level)


def _sign_in_of(meeting_type: MeetingType) -> int:
    return 0 if "code" in meeting_type.sign_in.kinds else _level(meeting_type.sign_in.level)


def _level(level: SignInLevel) -> int:
    return max(1, level.order)  # an electronic ID vouches for more than a code, whatever its own level


def _signing(reason: Reason, floor: Floor, meeting_type: MeetingType) -> Rule:
    return Rule(
        "signing",
        reason,
        below=tuple(Option(each) for each in _SIGNING if each not in floor.signing),
        above=tuple(Option(each, each in meeting_type.signing) for each in _SIGNING if each in floor.signing),
    )


def _share(floor: Floor, meeting_type: MeetingType) -> Rule:
    window, screen = Permission.SHARE_WINDOW, Permission.SHARE_SCREEN
    everybody = _granted(meeting_type, Capacity.CUSTOMER, window)
    adviser = _granted(meeting_type, Capacity.ADVISER, window)
    options = (
        (bool(floor.ceiling.get(screen)), Option("screen", _granted(meeting_type, Capacity.ADVISER, screen))),
        (floor.lets(window, Capacity.CUSTOMER), Option("everybody", everybody)),
        (True, Option("adviser", adviser and not everybody)),
        (True, Option("nobody", not adviser and not everybody)),
    )
    return _sorted("share", _why(meeting_type, window), options)


def _documents(floor: Floor, meeting_type: MeetingType) -> Rule:
    reads = _granted(meeting_type, Capacity.CUSTOMER, Permission.VIEW_DOCUMENT)
    fetches = _granted(meeting_type, Capacity.CUSTOMER, Permission.DOWNLOAD_DOCUMENT)
    options = (
        (bool(floor.ceiling.get(Permission.SEND_FILE)), Option("free")),
        (floor.lets(Permission.DOWNLOAD_DOCUMENT, Capacity.CUSTOMER), Option("fetch", fetches)),
        (True, Option("read", reads and not fetches)),
        (True, Option("none", not reads and not fetches)),
    )
    return _sorted("documents", _why(meeting_type, Permission.VIEW_DOCUMENT), options)


def _chat(floor: Floor, meeting_type: MeetingType) -> Rule:
    private = _granted(meeting_type, Capacity.ADVISER, Permission.PRIVATE_CHAT)
    everybody = _granted(meeting_type, Capacity.CUSTOMER, Permission.CHAT)
    options = (
        (bool(floor.ceiling.get(Permission.PRIVATE_CHAT)), Option("private", private)),
        (True, Option("everybody", everybody and not private)),
        (True, Option("off", not everybody and not private)),
    )
    return _sorted("chat", _why(meeting_type, Permission.CHAT), options)


def _sorted(topic: str, reason: Reason, options: Sequence[tuple[bool, Option]]) -> Rule:
    return Rule(
        topic,
        reason,
        below=tuple(option for allowed, option in options if not allowed),
        above=tuple(option for allowed, option in options if allowed),
    )


def _granted(meeting_type: MeetingType, capacity: Capacity, permission: str) -> bool:
    return permission in meeting_type.grants.get(capacity, {})


def _why(meeting_type: MeetingType, permission: str) -> Reason:
    found = (granted.get(permission) for granted in meeting_type.grants.values())
    return next((reason for reason in found if reason), _NO_REASON)


def _only_own(policy: Policy, meeting_type: MeetingType) -> bool:
    """Say whether a type names no more integrations than the strictest band would let it."""
    own = policy.bands[Band.HIGH].plugins
    return own is not None and meeting_type.integrations <= own
