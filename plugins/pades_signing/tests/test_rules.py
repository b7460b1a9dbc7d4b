"""The state machine by itself: every order of events, and what each may become."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sidecar.plugin_api import LoA, Subject
from tillit_pades_signing import rules
from tillit_pades_signing.binding import digest, hidden_data
from tillit_pades_signing.model import (
    MOST_EVENTS,
    Amount,
    Attempt,
    Party,
    PartyState,
    Signature,
    SignedDocument,
    Signing,
    State,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MAJA = Subject("se-personnummer", "199002142389")
SAMIR = Subject("se-personnummer", "198805071233")


def a_document(**changed: Any) -> SignedDocument:
    return replace(SignedDocument("doc", "Skuldebrev", 3, "7f3a91c4d20e" + "0" * 52, 2048, 6, ("p1", "p2")), **changed)


def a_party(key: str, turn: int = 1) -> Party:
    return Party(key, f"place-{key}", f"person-{key}", f"Name {key}", "customer", turn, ("touch", "sms", "eid"))


def a_signing(**changed: Any) -> Signing:
    signing = Signing(
        id="sg1",
        meeting="m1",
        title="Skuldebrev",
        act="sign",
        documents=(a_document(),),
        parties=(a_party("p1"), a_party("p2")),
        deadline=NOON + timedelta(hours=1),
        created_at=NOON,
        created_by="st_1",
        language="sv",
        brand="bank",
    )
    return replace(signing, **changed)


def an_attempt(signing: Signing, key: str = "p1", **changed: Any) -> Attempt:
    attempt = Attempt("try1", "bankid", "eid", NOON, "The text", "")
    attempt = replace(attempt, **changed)
    return replace(attempt, hidden=hidden_data(signing, signing.party(key), attempt=attempt.id))


def a_claim(attempt: Attempt, **changed: Any) -> rules.Claimed:
    claim = rules.Claimed("bankid", "eid", LoA.SUBSTANTIAL, MAJA, NOON, digest(attempt.visible), digest(attempt.hidden))
    return replace(claim, **changed)


def check(signing: Signing, attempt: Attempt, claim: rules.Claimed, key: str = "p1", who: Subject = MAJA) -> None:
    rules.check_claim(
        attempt,
        claim,
        asked_visible=digest(attempt.visible),
        asked_hidden=digest(hidden_data(signing, signing.party(key), attempt=attempt.id)),
        subjects=(who,),
    )


def a_signature() -> Signature:
    return Signature("bankid", "eid", "bankid", 2, "Maja", NOON, "The text", "{}", "00" * 32)


def test_own_completion_is_accepted() -> None:
    signing = a_signing()
    attempt = an_attempt(signing)

    check(signing, attempt, a_claim(attempt))


@pytest.mark.requirement("R205")
@pytest.mark.parametrize(
    "changed",
    [
        {"documents": (a_document(sha256="00" * 32),)},
        {"documents": (a_document(length=2049),)},
        {"documents": (a_document(version=4),)},
        {"documents": (a_document(), a_document(id="doc2"))},
        {"amount": Amount(1, "SEK")},
    ],
)
def test_completion_for_another_document_or_amount_is_refused(changed: dict[str, Any]) -> None:
    """What was signed is held against what is to be signed now: another document has another digest."""
    attempt = an_attempt(a_signing())
    other = a_signing(**changed)

    with pytest.raises(rules.SigningRefusedError, match="another_act"):
        check(other, attempt, a_claim(attempt))


@pytest.mark.requirement("R205")
def test_completion_for_another_meeting_is_refused() -> None:
    attempt = an_attempt(a_signing())

    with pytest.raises(rules.SigningRefusedError, match="another_act"):
        check(a_signing(meeting="m2"), attempt, a_claim(attempt))


@pytest.mark.requirement("R205")
def test_completion_by_another_person_is_refused() -> None:
    signing = a_signing()
    attempt = an_attempt(signing)

    with pytest.raises(rules.SigningRefusedError, match="another_person"):
        check(signing, attempt, a_claim(attempt, subject=SAMIR))
    with pytest.raises(rules.SigningRefusedError, match="another_act"):
        check(signing, attempt, a_claim(attempt), key="p2", who=MAJA)
    with pytest.raises(rules.SigningRefusedError, match="another_person"):
        check(signing, attempt, a_claim(attempt, subject=None))


@pytest.mark.requirement("R205")
def test_second_use_of_a_try_is_refused() -> None:
    signing = a_signing()
    attempt = an_attempt(signing)
    signed = rules.sign(rules.begin(signing, "p1", attempt, NOON), "p1", attempt.id, a_signature(), NOON)

    with pytest.raises(rules.SigningRefusedError, match="already_signed"):
        rules.sign(signed, "p1", attempt.id, a_signature(), NOON)


@pytest.mark.parametrize(
    ("changed", "rule_"),
    [
        ({"visible_digest": digest("other")}, "another_text"),
        ({"hidden_digest": digest("other")}, "another_act"),
        ({"method": "sms"}, "another_method"),
        ({"kind": "touch"}, "another_method"),
        ({"loa": LoA.LOW}, "level_too_low"),
        ({"at": NOON - timedelta(minutes=6)}, "not_of_now"),
        ({"at": NOON + timedelta(minutes=16)}, "not_of_now"),
    ],
)
def test_completion_that_differs_is_refused(changed: dict[str, Any], rule_: str) -> None:
    signing = a_signing()
    attempt = an_attempt(signing)

    with pytest.raises(rules.SigningRefusedError, match=rule_):
        check(signing, attempt, a_claim(attempt, **changed))


def test_of_many_tries_the_oldest_are_forgotten_and_never_how_it_went_on() -> None:
    signing = a_signing(meeting="").with_event({"kind": "pades_signing.opened", "at": "0"})
    for at in range(3 * MOST_EVENTS):
        signing = signing.with_event({"kind": "pades_signing.begun", "at": str(at + 1)})
    signing = signing.with_event({"kind": "pades_signing.signed", "at": "end"})

    times = [each["at"] for each in signing.events]
    assert len(times) == MOST_EVENTS
    assert (times[0], times[-2:]) == ("0", [str(3 * MOST_EVENTS), "end"])


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (250_000_00, "EUR", "250 000 EUR"),
        (1_234_05, "SEK", "1 234,05 SEK"),
        (5_000, "JPY", "5 000 JPY"),
        (100, "ISK", "100 ISK"),
        (1_234_567, "KWD", "1 234,567 KWD"),
        (1_000, "BHD", "1 BHD"),
        (12_345, "CLF", "1,2345 CLF"),
    ],
)
def test_an_amount_is_read_in_the_currencys_own_smallest_unit(minor: int, currency: str, said: str) -> None:
    assert str(Amount(minor, currency)) == said


def test_order_is_kept() -> None:
    signing = a_signing(parties=(a_party("p1", 1), a_party("p2", 2)))

    with pytest.raises(rules.SigningRefusedError, match="not_your_turn"):
        rules.begin(signing, "p2", an_attempt(signing, "p2"), NOON)


def test_method_the_form_does_not_name_is_refused() -> None:
    party = replace(a_party("p1"), methods=("eid",))
    signing = a_signing(parties=(party,), documents=(a_document(parties=("p1",)),))

    with pytest.raises(rules.SigningRefusedError, match="method_not_allowed"):
        rules.begin(signing, "p1", an_attempt(signing, method="touch", kind="touch"), NOON)


def test_try_that_was_replaced_signs_nothing() -> None:
    """Two tabs: the newer one counts, the older one's answer comes too late."""
    signing = rules.begin(a_signing(), "p1", an_attempt(a_signing()), NOON)
    newer = rules.begin(signing, "p1", replace(an_attempt(a_signing()), id="try2"), NOON)

    with pytest.raises(rules.SigningRefusedError, match="attempt_over"):
        rules.sign(newer, "p1", "try1", a_signature(), NOON)
    assert rules.give_up(newer, "p1", "try1") == newer


@pytest.mark.requirement("R160")
def test_approval_is_complete_with_as_many_as_are_needed() -> None:
    parties = tuple(a_party(f"p{number}") for number in range(1, 4))
    signing = a_signing(act="approve", needed=2, parties=parties, amount=Amount(100, "SEK"))
    for key in ("p1", "p3"):
        attempt = an_attempt(signing, key)
        signing = rules.sign(rules.begin(signing, key, attempt, NOON), key, attempt.id, a_signature(), NOON)

    assert signing.state is State.SIGNED
    assert [each.key for each in signing.signed] == ["p1", "p3"]


@given(amount=st.none() | st.builds(Amount, st.integers(1, 10**12), st.sampled_from(["SEK", "EUR"])))
def test_signing_survives_the_store(amount: Amount | None) -> None:
    signing = a_signing(amount=amount)
    attempt = an_attempt(signing)
    begun = rules.begin(signing, "p1", attempt, NOON)
    signed = rules.sign(begun, "p1", attempt.id, a_signature(), NOON)
    for each in (signing, begun, signed):
        assert Signing.from_body(each.to_body()) == each


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes, in whatever order, at whatever time: nothing is lost, doubled or brought back."""

    @initialize(turns=st.lists(st.integers(1, 3), min_size=1, max_size=4))
    def open(self, turns: list[int]) -> None:
        parties = tuple(a_party(f"p{number}", turn) for number, turn in enumerate(turns, start=1))
        self.signing = a_signing(parties=parties, documents=(a_document(parties=tuple(p.key for p in parties)),))
        self.now, self.tries, self.seen_states = NOON, 0, [State.OPEN]
        self.signatures: dict[str, int] = {}

    def apply(self, change: Any) -> bool:
        try:
            after = change()
        except rules.SigningRefusedError:
            return False
        if after.state is not self.signing.state:
            self.seen_states.append(after.state)
        self.signing = after
        return True

    @rule(minutes=st.integers(0, 40))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(number=st.integers(1, 4))
    def begin(self, number: int) -> None:
        key = f"p{number}"
        if number <= len(self.signing.parties):
            self.tries += 1
            attempt = replace(an_attempt(self.signing, key), id=f"try{self.tries}", started_at=self.now)
            self.apply(lambda: rules.begin(self.signing, key, attempt, self.now))

    @rule(number=st.integers(1, 4), old=st.integers(0, 3))
    def sign(self, number: int, old: int) -> None:
        key = f"p{number}"
        if number <= len(self.signing.parties):
            name = f"try{max(1, self.tries - old)}"
            if self.apply(lambda: rules.sign(self.signing, key, name, a_signature(), self.now)):
                self.signatures[key] = self.signatures.get(key, 0) + 1
                assert self.now < self.signing.deadline

    @rule(number=st.integers(1, 4))
    def decline(self, number: int) -> None:
        if number <= len(self.signing.parties):
            self.apply(lambda: rules.decline(self.signing, f"p{number}", self.now))

    @rule()
    def expire(self) -> None:
        self.apply(lambda: rules.expire(self.signing, self.now))

    @rule()
    def withdraw(self) -> None:
        self.apply(lambda: rules.withdraw(self.signing, self.now))

    @rule()
    def seal(self) -> None:
        self.apply(lambda: rules.sealed(self.signing, {"doc": "o1"}, copies_by=None))

    @rule()
    def preserve(self) -> None:
        later = self.now + timedelta(days=1)
        self.apply(lambda: rules.preserved(self.signing, {"doc": "o2"}, now=self.now, renew_at=later))

    @invariant()
    def nobody_signs_twice_and_nothing_is_lost(self) -> None:
        if not hasattr(self, "signing"):
            return
        assert all(count == 1 for count in self.signatures.values())
        signed = {each.key for each in self.signing.parties if each.state is PartyState.SIGNED}
        assert signed == set(self.signatures)
        complete = self.signing.state in (State.SIGNED, State.SEALED, State.PRESERVED)
        assert complete == (len(signed) == len(self.signing.parties))
        assert complete or not self.signing.sealed

    @invariant()
    def states_only_go_forward(self) -> None:
        order = [State.OPEN, State.SIGNED, State.SEALED, State.PRESERVED]
        if hasattr(self, "seen_states") and self.seen_states[-1] in order:
            assert self.seen_states == order[: len(self.seen_states)]

    @invariant()
    def turns_are_kept(self) -> None:
        if hasattr(self, "signing"):
            signed = [each.turn for each in self.signing.parties if each.state is PartyState.SIGNED]
            waiting = [each.turn for each in self.signing.parties if each.state is PartyState.WAITING]
            assert not signed or not waiting or max(signed) <= min(waiting)


AnyOrder.TestCase.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
TestAnyOrder = AnyOrder.TestCase
