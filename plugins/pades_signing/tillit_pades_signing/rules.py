"""What may happen to a signing, and what it becomes: pure, each rule with the name of the sentence it answers with.

Nothing here reads a clock, a store or a network. A refusal is an exception with its rule, so that a caller
cannot go on by mistake.
"""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sidecar.plugin_api import LoA, PluginRefusedError, Subject
from tillit_pades_signing.model import Attempt, Party, PartyState, Signature, Signing, State

ATTEMPT_TTL = timedelta(minutes=15)  # longer than any method takes; older ones are of a browser that was closed
CLOCK_SKEW = timedelta(minutes=5)  # between a method's clock and ours

_LEAST = {"touch": LoA.LOW, "sms": LoA.LOW, "eid": LoA.SUBSTANTIAL}


class SigningRefusedError(PluginRefusedError):
    """This signing does not take that now. rule: the sentence's key below "pades_signing.refused."."""

    def __init__(self, rule: str, **params: object) -> None:
        super().__init__(f"Refused by the rule {rule} of signing.", sentence=f"pades_signing.refused.{rule}", **params)
        self.rule = rule


def require(holds: bool, rule: str, **params: object) -> None:
    """params: what the sentence names."""
    if not holds:
        raise SigningRefusedError(rule, **params)


# Reading


def next_turn(signing: Signing) -> int | None:
    """Return the lowest turn somebody still has to sign in."""
    turns = [each.turn for each in signing.parties if each.state is PartyState.WAITING]
    return min(turns) if turns else None


def may_sign_now(signing: Signing, party: Party, now: datetime) -> str | None:
    """Return the rule that holds a party back just now, None when it is their turn."""
    if signing.state is State.OPEN and now >= signing.deadline:
        return "deadline_passed"
    if signing.state is not State.OPEN:
        return {
            State.DECLINED: "was_declined",
            State.EXPIRED: "deadline_passed",
            State.WITHDRAWN: "was_withdrawn",
        }.get(signing.state, "already_signed")
    if party.state is PartyState.SIGNED:
        return "already_signed"
    if party.state is PartyState.DECLINED:
        return "was_declined"
    if party.turn != next_turn(signing):
        return "not_your_turn"
    return None


# Changing: each returns the new signing, or raises SigningRefusedError


def begin(signing: Signing, key: str, attempt: Attempt, now: datetime) -> Signing:
    """A party starts, or starts anew: the newer try takes the older one's place."""
    party = signing.party(key)
    _require_turn(signing, party, now)
    require(attempt.kind in party.methods, "method_not_allowed")
    return signing.with_party(replace(party, attempt=attempt))


def give_up(signing: Signing, key: str, attempt: str) -> Signing:
    """End a try without a signature. What is not there any more is no error."""
    party = signing.party(key)
    if party.attempt is None or party.attempt.id != attempt:
        return signing
    return signing.with_party(replace(party, attempt=None))


@dataclass(frozen=True)
class Claimed:
    """What a method says was signed, to be held against what was asked. digests: SHA-256 hex."""

    method: str
    kind: str
    loa: LoA
    subject: Subject | None
    at: datetime
    visible_digest: str
    hidden_digest: str


def check_claim(
    attempt: Attempt, claimed: Claimed, *, asked_visible: str, asked_hidden: str, subjects: tuple[Subject, ...]
) -> None:
    """Refuse a completion unless it is of this very act, by this very person, now.

    asked_visible, asked_hidden: the digests of what this try asked for, computed anew by the caller.
    subjects: whom it may be; an eID must name one of them.
    """
    require(claimed.method == attempt.method and claimed.kind == attempt.kind, "another_method")
    require(claimed.loa >= _LEAST.get(claimed.kind, LoA.HIGH), "level_too_low")
    require(hmac.compare_digest(claimed.visible_digest, asked_visible), "another_text")
    require(hmac.compare_digest(claimed.hidden_digest, asked_hidden), "another_act")
    require(attempt.started_at - CLOCK_SKEW <= claimed.at <= attempt.started_at + ATTEMPT_TTL, "not_of_now")
    if claimed.kind == "eid":
        require(claimed.subject is not None and claimed.subject in subjects, "another_person")


def sign(signing: Signing, key: str, attempt: str, signature: Signature, now: datetime) -> Signing:
    """Take a party's checked signature. With the last one needed, the signing is signed."""
    party = signing.party(key)
    _require_turn(signing, party, now)
    require(party.attempt is not None and party.attempt.id == attempt, "attempt_over")
    taken = signing.with_party(replace(party, state=PartyState.SIGNED, attempt=None, signature=signature))
    if len(taken.signed) < _needed(taken):
        return taken
    ended = tuple(replace(each, attempt=None) for each in taken.parties)
    return replace(taken, parties=ended, state=State.SIGNED, ended_at=now)


def decline(signing: Signing, key: str, now: datetime) -> Signing:
    """A party says no. For an approval by some of several, one no is a no: nobody outvotes it."""
    party = signing.party(key)
    require(signing.state is State.OPEN and now < signing.deadline, "too_late")
    require(party.state is PartyState.WAITING, "already_signed")
    said = signing.with_party(replace(party, state=PartyState.DECLINED, attempt=None))
    return replace(said, state=State.DECLINED, ended_at=now)


def expire(signing: Signing, now: datetime) -> Signing:
    """Close a signing whose deadline has passed; any other stays as it is."""
    if signing.state is not State.OPEN or now < signing.deadline:
        return signing
    return replace(_without_attempts(signing), state=State.EXPIRED, ended_at=now)


def withdraw(signing: Signing, now: datetime) -> Signing:
    """The bank takes it back, as long as nothing is complete."""
    require(signing.state is State.OPEN, "too_late")
    return replace(_without_attempts(signing), state=State.WITHDRAWN, ended_at=now)


def sealed(signing: Signing, objects: dict[str, str], *, copies_by: datetime | None) -> Signing:
    """The sealed files are stored. objects: document id -> object id. copies_by: as in Signing."""
    require(signing.state is State.SIGNED, "not_signed")
    require(set(objects) == {each.id for each in signing.documents}, "not_signed")
    kept = {key: (*signing.sealed.get(key, ()), value) for key, value in objects.items()}
    return replace(signing, state=State.SEALED, sealed=kept, copies_by=copies_by)


def preserved(signing: Signing, objects: dict[str, str], *, now: datetime, renew_at: datetime) -> Signing:
    """The files have a time-stamp, a first or a further one. Later versions come behind the earlier ones."""
    require(signing.state in (State.SEALED, State.PRESERVED), "not_signed")
    require(set(objects) == {each.id for each in signing.documents}, "not_signed")
    kept = {key: (*signing.sealed.get(key, ()), value) for key, value in objects.items()}
    return replace(signing, state=State.PRESERVED, sealed=kept, preserved_at=now, renew_at=renew_at, copies_by=None)


def _needed(signing: Signing) -> int:
    return signing.needed or len(signing.parties)


def _require_turn(signing: Signing, party: Party, now: datetime) -> None:
    rule = may_sign_now(signing, party, now)
    if rule is not None:
        raise SigningRefusedError(rule)


def _without_attempts(signing: Signing) -> Signing:
    return replace(signing, parties=tuple(replace(each, attempt=None) for each in signing.parties))
