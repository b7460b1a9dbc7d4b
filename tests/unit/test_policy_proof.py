"""The proved floor (R203): every combination, held against the table of floors written down here a second time."""

from itertools import combinations

import pytest

from sidecar.adapters.policy_files import load_policy
from sidecar.domain.identity import LoA
from sidecar.domain.permissions import GUEST_CAPACITIES, Capacity, Permission
from sidecar.domain.policy import (
    Band,
    Encryption,
    LogLevel,
    Policy,
    RecordingRule,
    Situation,
    decide,
    encryption_for,
    integrations_for,
    log_for,
    permissions_for,
    prove,
    recording_for,
    sign_in_for,
    signing_for,
    situations,
    staff_sign_in_for,
)

POLICY = load_policy()
IDENTIFIED = GUEST_CAPACITIES | {Capacity.CUSTOMER}
OUTSIDE = {"cobrowsing", "crm_webhook", "crm_salesforce", "crm_dynamics", "notify_sms"}
DOCUMENTS = {"upload_document", "present_document", "view_document", "download_document"}
IN_CHARGE = {"admit", "invite_guest", "mute_others", "expel", "end_meeting", "raise_security"}


def package_sets(policy: Policy) -> list[frozenset[str]]:
    """No package, each one, each pair, and all of them."""
    names = sorted(policy.packages)
    few = [frozenset(chosen) for size in (0, 1, 2) for chosen in combinations(names, size)]
    return [*few, frozenset(names)]


def band_in_force(situation: Situation) -> Band:
    bands = [situation.type.band]
    bands += [Band(each.target.removeprefix("band:")) for each in situation.raises if "band:" in each.target]
    return max(bands, key=["low", "medium", "high"].index)


def forbidden(situation: Situation) -> set[str]:
    """What nobody in this place may hold, by the design's table of floors. Not read from the rule files."""
    band, capacity = band_in_force(situation), situation.capacity
    targets = {each.target for each in situation.raises}
    never = {"share_screen", "send_file"}
    if band is Band.LOW:
        never |= {"upload_document", "download_document", "record", "transcribe", "see_unmasked"}
    if band is Band.HIGH:
        never |= {"private_chat", "whiteboard_import", "download_document", "cobrowse", "transcribe"}
        if capacity is not Capacity.ADVISER:
            never |= {"share_window"}
        if not situation.type.recording_references:
            never |= {"record"}
    if "encryption:strict" in targets:
        never |= {"record", "transcribe", "cobrowse"}
    if "share:off" in targets:
        never |= {"share_window", "share_screen"}
    if "chat:off" in targets:
        never |= {"chat", "private_chat"}
    if capacity not in (Capacity.ADVISER, Capacity.SPECIALIST):
        never |= IN_CHARGE | {"present_document", "calculate"}
    if capacity is Capacity.OBSERVER:
        never |= DOCUMENTS | {"sign", "approve_transaction", "see_unmasked"}
    if capacity is Capacity.RECORDER:
        never |= {permission.value for permission in Permission} - {"record"}
    elif capacity is not Capacity.ADVISER:
        never |= {"record", "transcribe"}
    if situation.segment not in situation.type.segments:
        never |= {permission.value for permission in Permission}
    if capacity in (Capacity.ADVISER, Capacity.SPECIALIST):
        usable = situation.packages & situation.type.packages
        carried = {each for name in usable for each in POLICY.packages[name].permissions}
        never |= {permission.value for permission in Permission} - carried
    return never


def assert_handling_at_or_above_floor(situation: Situation) -> None:
    band = band_in_force(situation)
    encryption = encryption_for(POLICY, situation)
    recording = recording_for(POLICY, situation)
    if band is Band.LOW:
        assert recording is RecordingRule.NEVER
    else:
        assert not signing_for(POLICY, situation) & {"touch", "sms"}
        assert log_for(POLICY, situation) is not LogLevel.EVENTS
    if band is Band.HIGH:
        assert encryption in (Encryption.BRIDGE, Encryption.STRICT)
        assert recording is not RecordingRule.JUSTIFIED
        assert signing_for(POLICY, situation) <= {"eid_step_up"}
        assert log_for(POLICY, situation) is LogLevel.CHAT
        assert not integrations_for(POLICY, situation) & OUTSIDE
    if any(each.target == "encryption:strict" for each in situation.raises):
        assert encryption is Encryption.STRICT
        assert recording is RecordingRule.NEVER


def assert_sign_in_at_or_above_floor(situation: Situation) -> None:
    band = band_in_force(situation)
    staff = staff_sign_in_for(POLICY, situation.type, situation.raises)
    assert staff.desk_factors >= 2
    assert staff.call_fresh_seconds <= (300 if band is Band.HIGH else 600)
    if band is Band.HIGH:
        assert staff.strong_methods
        assert staff.strong_methods <= {"hwk", "sc", "swk"}
    rule = sign_in_for(POLICY, situation)
    if situation.capacity not in IDENTIFIED:
        assert not rule.providers
        return
    assert rule.factors >= 2
    if band is Band.LOW:
        return
    assert rule.kinds <= {"eid"}
    assert rule.min_loa >= LoA.SUBSTANTIAL
    if band is Band.HIGH:
        assert rule.step_up_each_act
        for name, needed in rule.required.items():
            if POLICY.eids[name].country in ("NO", "DK"):
                assert needed is LoA.HIGH


@pytest.mark.requirement("R203", "R002", "R017", "R018", "R019", "R020", "R021", "R023", "R140")
def test_every_combination_is_at_or_above_its_bands_floor(capsys: pytest.CaptureFixture[str]) -> None:
    combinations_seen = granted = 0
    for situation in situations(POLICY, package_sets(POLICY)):
        held = permissions_for(POLICY, situation)
        assert not held & forbidden(situation), situation
        for permission in Permission:
            decision = decide(POLICY, situation, permission)
            assert decision.allowed is (permission in held), (situation, permission)
            combinations_seen += 1
            granted += decision.allowed
        assert_handling_at_or_above_floor(situation)
        assert_sign_in_at_or_above_floor(situation)

    assert granted > 10_000  # a policy that grants nothing would pass every line above
    with capsys.disabled():
        print(f"\npolicy floor: {combinations_seen:,} combinations, {granted:,} granted, 0 below the floor")


@pytest.mark.requirement("R203")
def test_the_proof_made_at_load_finds_nothing_and_says_how_much_it_looked_at() -> None:
    proof = prove(POLICY)

    assert proof.weak == ()
    assert proof.combinations == POLICY.proved > 10_000


@pytest.mark.requirement("R203")
def test_the_proof_sees_a_decision_below_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """If deciding itself went wrong, the proof must not agree with it."""
    monkeypatch.setattr(
        "sidecar.domain.policy.proof.permissions_for", lambda _policy, _situation: frozenset({"share_screen"})
    )

    weak = prove(POLICY).weak

    assert any("mortgage@1" in line and "share_screen" in line for line in weak)
    assert any("never-event high-whole-screen" in line for line in weak)
