"""What holds for every policy question that can be asked, found out by asking many."""

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sidecar.adapters.policy_files import SHIPPED, load_policy, policy_from
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.permissions import GUEST_CAPACITIES, Capacity, Permission
from sidecar.domain.policy import (
    RAISE_TARGETS,
    Band,
    Raise,
    Segment,
    Situation,
    band_for,
    decide,
    encryption_for,
    integrations_for,
    log_for,
    may_raise,
    permissions_for,
    prove,
    recording_for,
    sign_in_for,
    signing_for,
    staff_sign_in_for,
)

POLICY = load_policy()
FILES = {path.relative_to(SHIPPED).as_posix(): path.read_text() for path in SHIPPED.rglob("*.toml")}
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
IDENTIFIED = sorted(GUEST_CAPACITIES | {Capacity.CUSTOMER})

raises = st.lists(st.sampled_from(RAISE_TARGETS), unique=True, max_size=5).map(
    lambda targets: tuple(Raise(target, NOON, "st_elin") for target in targets)
)
situations = st.builds(
    Situation,
    type=st.sampled_from(sorted(POLICY.types.values(), key=lambda each: each.ref)),
    segment=st.sampled_from(Segment),
    packages=st.frozensets(st.sampled_from(sorted([*POLICY.packages, "invented"]))),
    capacity=st.sampled_from(Capacity),
    raises=raises,
)
permissions = st.sampled_from([*Permission, "document_room.annotate", "crm_webhook.read"])


def with_raise(situation: Situation, target: str) -> Situation:
    made = (*situation.raises, Raise(target, NOON, "st_elin"))
    return Situation(situation.type, situation.segment, situation.packages, situation.capacity, made)


@pytest.mark.requirement("R025", "R203")
@given(situations, st.sampled_from(RAISE_TARGETS))
def test_a_raise_never_grants_anything(situation: Situation, target: str) -> None:
    raised = with_raise(situation, target)

    assert permissions_for(POLICY, raised) <= permissions_for(POLICY, situation)
    assert integrations_for(POLICY, raised) <= integrations_for(POLICY, situation)
    assert signing_for(POLICY, raised) <= signing_for(POLICY, situation)


@pytest.mark.requirement("R025", "R203")
@given(situations, st.sampled_from(RAISE_TARGETS), st.sampled_from(IDENTIFIED))
def test_a_raise_never_asks_for_less(situation: Situation, target: str, capacity: Capacity) -> None:
    before = Situation(situation.type, situation.segment, situation.packages, capacity, situation.raises)
    after = with_raise(before, target)

    rule, raised = sign_in_for(POLICY, before), sign_in_for(POLICY, after)
    assert raised.providers <= rule.providers
    assert raised.kinds <= rule.kinds
    assert raised.factors >= rule.factors
    assert raised.step_up_each_act >= rule.step_up_each_act
    assert all(raised.required[name] >= rule.required[name] for name in raised.required)
    staff = staff_sign_in_for(POLICY, before.type, before.raises)
    raised_staff = staff_sign_in_for(POLICY, after.type, after.raises)
    assert raised_staff.call_fresh_seconds <= staff.call_fresh_seconds
    assert band_for(after).order >= band_for(before).order
    assert encryption_for(POLICY, after).order >= encryption_for(POLICY, before).order
    assert log_for(POLICY, after).order >= log_for(POLICY, before).order
    assert recording_for(POLICY, after).order >= recording_for(POLICY, before).order


@given(situations, st.randoms(use_true_random=False))
def test_the_order_of_raises_does_not_matter(situation: Situation, random: object) -> None:
    shuffled = list(situation.raises)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a Random
    other = Situation(situation.type, situation.segment, situation.packages, situation.capacity, tuple(shuffled))

    assert permissions_for(POLICY, other) == permissions_for(POLICY, situation)


@pytest.mark.requirement("R022")
@given(situations, st.frozensets(st.sampled_from(sorted(POLICY.packages))))
def test_a_further_package_never_takes_away_and_never_helps_a_guest(situation: Situation, more: frozenset[str]) -> None:
    wider = Situation(
        situation.type,
        situation.segment,
        situation.packages | more,
        situation.capacity,
        situation.raises,
    )

    assert permissions_for(POLICY, situation) <= permissions_for(POLICY, wider)
    if situation.capacity not in (Capacity.ADVISER, Capacity.SPECIALIST):
        assert permissions_for(POLICY, situation) == permissions_for(POLICY, wider)


@pytest.mark.requirement("R023")
@given(situations, st.text(max_size=30))
def test_a_permission_nobody_knows_is_refused(situation: Situation, name: str) -> None:
    assume(name not in set(Permission))

    assert not decide(POLICY, situation, name).allowed


@given(situations, permissions)
def test_a_decision_names_its_rule_and_agrees_with_the_tokens_list(situation: Situation, permission: str) -> None:
    decision = decide(POLICY, situation, permission)

    assert decision.allowed is (permission in permissions_for(POLICY, situation))
    assert "/" in decision.rule
    assert decision.sentence
    assert decision == decide(POLICY, situation, permission)


@pytest.mark.requirement("R025")
@given(situations, st.sampled_from(Band))
def test_no_band_below_the_present_one_can_be_reached(situation: Situation, band: Band) -> None:
    assume(band.order < band_for(situation).order)

    decision = may_raise(POLICY, situation, f"band:{band}")

    assert (decision.allowed, decision.rule) == (False, "raise/cannot-lower")


@given(situations)
def test_what_is_allowed_to_be_raised_takes_effect(situation: Situation) -> None:
    for target in RAISE_TARGETS:
        if may_raise(POLICY, situation, target).allowed:
            assert not may_raise(POLICY, with_raise(situation, target), target).allowed


def loads(files: dict[str, str]) -> bool:
    try:
        policy_from(files)
    except ConfigurationError:
        return False
    return True


WEAKER = st.tuples(
    st.sampled_from(["types/advice-1.toml", "types/onboarding-1.toml", "types/mortgage-1.toml"]),
    st.sampled_from(sorted(Capacity)),
    st.sampled_from(sorted(Permission)),
)


@pytest.mark.requirement("R203")
@settings(max_examples=40, deadline=None)
@given(WEAKER)
def test_one_more_grant_is_refused_with_the_combination_or_stays_above_the_floor(
    change: tuple[str, Capacity, Permission],
) -> None:
    """Whatever single grant somebody adds: either the loader names it, or the proof still holds."""
    file, capacity, permission = change
    extra = (
        f'\n[[grant]]\nto = ["{capacity}"]\nmay = ["{permission}"]\nbecause = {{ sv = "Ett försök.", en = "A try." }}\n'
    )

    meeting_type = next(each for each in POLICY.types.values() if each.source_name == file)
    files = {**FILES, file: FILES[file] + extra}
    if capacity in POLICY.bands[meeting_type.band].ceiling[permission] and loads(files):
        assert prove(policy_from(files)).weak == ()
        return
    with pytest.raises(ConfigurationError) as caught:
        policy_from(files)
    assert file in caught.value.detail
    assert permission in caught.value.detail
    assert capacity in caught.value.detail
