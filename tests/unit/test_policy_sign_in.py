"""What somebody must show to come in."""

from datetime import UTC, datetime, timedelta

import pytest

from sidecar.adapters.policy_files import load_policy
from sidecar.domain.identity import LoA
from sidecar.domain.permissions import GUEST_CAPACITIES, Capacity
from sidecar.domain.policy import (
    Raise,
    Segment,
    Situation,
    count_factors,
    integrations_for,
    sign_in_for,
    signing_for,
    staff_sign_in_for,
)

POLICY = load_policy()
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def customer(ref: str, *raises: str, capacity: Capacity = Capacity.CUSTOMER) -> Situation:
    made = tuple(Raise(target, NOON, "st_elin") for target in raises)
    return Situation(POLICY.type(ref), Segment.PRIVATE, frozenset({"private-banker"}), capacity, made)


@pytest.mark.requirement("R003", "R004")
def test_a_code_opens_a_conversation_and_not_a_loan() -> None:
    advice = sign_in_for(POLICY, customer("advice@1"))
    mortgage = sign_in_for(POLICY, customer("mortgage@1"))

    assert advice.judge(provider="otp_link", kind="code", loa=LoA.LOW, factors=2).allowed
    refused = mortgage.judge(provider="otp_link", kind="code", loa=LoA.LOW, factors=2)
    assert (refused.allowed, refused.rule, refused.sentence) == (
        False,
        "mortgage@1/sign_in",
        "level-too-low",
    )


@pytest.mark.requirement("R002")
def test_one_factor_is_refused_with_a_reason_of_its_own() -> None:
    for ref in ("advice@1", "onboarding@1", "mortgage@1"):
        rule = sign_in_for(POLICY, customer(ref))
        decision = rule.judge(provider="bankid", kind="eid", loa=LoA.SUBSTANTIAL, factors=1)
        assert (decision.allowed, decision.sentence) == (False, "two-factors-missing")


@pytest.mark.requirement("R004", "R005")
def test_the_high_band_asks_for_the_highest_the_country_has() -> None:
    rule = sign_in_for(POLICY, customer("mortgage@1"))

    assert rule.judge(provider="bankid", kind="eid", loa=LoA.SUBSTANTIAL, factors=2).allowed
    norwegian = rule.judge(provider="nbid", kind="eid", loa=LoA.SUBSTANTIAL, factors=2)
    assert (norwegian.allowed, norwegian.sentence) == (False, "eid-too-weak")
    assert rule.judge(provider="nbid", kind="eid", loa=LoA.HIGH, factors=2).allowed
    assert rule.step_up_each_act


@pytest.mark.requirement("R006")
def test_a_provider_nobody_listed_is_not_accepted_however_sure_it_is() -> None:
    rule = sign_in_for(POLICY, customer("mortgage@1"))

    decision = rule.judge(provider="itsme", kind="eid", loa=LoA.HIGH, factors=2)

    assert (decision.allowed, decision.sentence) == (False, "eid-not-accepted")


@pytest.mark.requirement("R002", "R032")
@pytest.mark.parametrize("capacity", sorted(GUEST_CAPACITIES))
def test_a_guest_shows_as_much_as_the_customer(capacity: Capacity) -> None:
    for ref in POLICY.types:
        guest = sign_in_for(POLICY, customer(ref, capacity=capacity))
        assert guest == sign_in_for(POLICY, customer(ref))


@pytest.mark.requirement("R007")
def test_staff_come_in_by_the_banks_identity_service_and_a_recorder_not_at_all() -> None:
    adviser = sign_in_for(POLICY, customer("mortgage@1", capacity=Capacity.ADVISER))
    recorder = sign_in_for(POLICY, customer("mortgage@1", capacity=Capacity.RECORDER))

    assert adviser.kinds == {"staff"}
    assert not adviser.judge(provider="bankid", kind="eid", loa=LoA.HIGH, factors=2).allowed
    assert recorder.kinds == frozenset()


@pytest.mark.requirement("R025")
def test_a_raised_band_asks_for_the_sign_in_of_that_band() -> None:
    before = sign_in_for(POLICY, customer("advice@1"))
    medium = sign_in_for(POLICY, customer("advice@1", "band:medium"))
    high = sign_in_for(POLICY, customer("advice@1", "band:high"))

    assert (before.min_loa, medium.min_loa) == (LoA.LOW, LoA.SUBSTANTIAL)
    assert "otp_link" in before.providers
    assert "otp_link" not in medium.providers | high.providers
    assert high.required["mitid"] is LoA.HIGH
    assert (medium.rule, high.rule) == ("band.medium/sign_in", "band.high/sign_in")


def test_the_accepted_sign_ins_and_their_plugins_may_be_called_in_the_meeting() -> None:
    advice = integrations_for(POLICY, customer("advice@1"))
    mortgage = integrations_for(POLICY, customer("mortgage@1"))

    assert {"otp_link", "bankid", "oidc_eid"} <= advice
    assert {"bankid", "oidc_eid", "document_room"} <= mortgage
    assert "otp_link" not in mortgage


@pytest.mark.requirement("R082")
def test_a_touch_on_the_screen_signs_nothing_above_the_low_band() -> None:
    assert "touch" in signing_for(POLICY, customer("advice@1"))
    assert signing_for(POLICY, customer("advice@1", "band:medium")) == {"eid", "eid_step_up"}
    assert signing_for(POLICY, customer("mortgage@1")) == {"eid_step_up"}


@pytest.mark.requirement("R009", "R015")
def test_a_mortgage_call_starts_with_a_key_or_telephone_used_just_now() -> None:
    rule = staff_sign_in_for(POLICY, POLICY.type("mortgage@1"))

    fresh = {"authenticated_at": NOON - timedelta(seconds=rule.call_fresh_seconds), "now": NOON}
    assert rule.judge_call(amr=["pwd", "hwk"], **fresh).allowed
    assert rule.judge_call(amr=["pin", "swk"], **fresh).allowed
    assert rule.judge_call(amr=["pwd", "sms"], **fresh).sentence == "staff-key-missing"
    assert rule.judge_call(amr=["pwd"], **fresh).sentence == "staff-two-factors-missing"
    stale = NOON - timedelta(seconds=rule.call_fresh_seconds + 1)
    assert rule.judge_call(amr=["pwd", "hwk"], authenticated_at=stale, now=NOON).sentence == ("staff-check-too-old")
    ahead = NOON + timedelta(minutes=5)
    assert not rule.judge_call(amr=["pwd", "hwk"], authenticated_at=ahead, now=NOON).allowed


@pytest.mark.requirement("R007")
def test_raising_a_conversation_to_high_asks_the_adviser_for_a_key_as_well() -> None:
    advice = POLICY.type("advice@1")

    assert staff_sign_in_for(POLICY, advice).strong_methods == frozenset()
    raised = staff_sign_in_for(POLICY, advice, (Raise("band:high", NOON, "st_elin"),))
    assert raised.strong_methods == {"hwk", "sc", "swk"}
    assert raised.call_fresh == timedelta(seconds=300)


@pytest.mark.parametrize(
    ("amr", "factors"),
    [((), 0), (("pwd",), 1), (("pwd", "pin"), 1), (("pwd", "otp"), 2), (("mfa",), 2), (("fpt", "hwk"), 2)],
)
def test_two_methods_of_one_kind_are_one_factor(amr: tuple[str, ...], factors: int) -> None:
    assert count_factors(amr) == factors
