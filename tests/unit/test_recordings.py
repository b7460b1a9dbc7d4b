"""Before a recording: what is asked of whoever wants one, and the order in which it refuses. Pure decisions."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from sidecar.adapters.policy_files import SHIPPED, load_policy
from sidecar.domain.ids import MeetingId, ParticipantId, RecordingId, StaffId
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Band, Policy, Raise, RecordingRule, Segment, Situation, faults
from sidecar.domain.recordings import (
    Hold,
    HoldReason,
    Recording,
    RecordingState,
    Wish,
    latest_deletion,
    may_ask,
    may_begin,
    may_delete,
    stays_allowed,
)
from sidecar.services.recording_ports import RecordingOutline

TODAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FRIDA, AGNES = ParticipantId("p_frida"), ParticipantId("p_agnes")
WISH = Wish("client-order", "mifid-ii-16-7", TODAY + timedelta(days=30))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(SHIPPED)


def where(policy: Policy, **changed: object) -> Situation:
    found = Situation(
        type=policy.type("corporate-fx@1"),
        segment=Segment.CORPORATE,
        packages=frozenset({"fx-desk"}),
        capacity=Capacity.ADVISER,
    )
    return replace(found, **changed)  # type: ignore[arg-type]  # the fields of Situation


def recording(**changed: object) -> Recording:
    made = Recording(
        id=RecordingId("rec_a"),
        meeting=MeetingId("m_a"),
        state=RecordingState.ASKING,
        purpose="client-order",
        reference="mifid-ii-16-7",
        delete_at=NOON + timedelta(days=30),
        asked_by=FRIDA,
        asked_at=NOON,
        region="eu-north-se",
    )
    return replace(made, **changed)  # type: ignore[arg-type]  # the fields of Recording


@pytest.mark.requirement("R021", "R099")
def test_a_whole_wish_may_be_asked_and_each_gap_has_its_own_sentence(policy: Policy) -> None:
    assert may_ask(policy, where(policy), WISH, today=TODAY).allowed
    gaps = {
        "recording-purpose-missing": replace(WISH, purpose=""),
        "recording-reference-missing": replace(WISH, reference=""),
        "recording-date-missing": replace(WISH, delete_on=None),
        "recording-date-past": replace(WISH, delete_on=TODAY),
        "recording-date-too-late": replace(WISH, delete_on=TODAY + timedelta(days=1827)),
    }
    for sentence, wish in gaps.items():
        assert may_ask(policy, where(policy), wish, today=TODAY).sentence == sentence
        assert policy.sentences.say(sentence, "fi")


@pytest.mark.requirement("R021", "R052")
def test_where_the_type_or_the_role_says_no_nothing_else_is_looked_at(policy: Policy) -> None:
    for situation in (
        where(policy, type=policy.type("mortgage@1"), segment=Segment.PRIVATE),
        where(policy, packages=frozenset({"customer-service"})),
        where(policy, capacity=Capacity.CUSTOMER),
    ):
        found = may_ask(policy, situation, replace(WISH, purpose=""), today=TODAY)
        assert not found.allowed
        assert found.sentence != "recording-purpose-missing"


@pytest.mark.requirement("R208")
def test_everybody_present_must_have_said_yes_and_the_last_answer_counts() -> None:
    asked = recording().answered(FRIDA, yes=True, at=NOON)

    assert may_begin(asked, [FRIDA, AGNES]).params["waiting"] == (AGNES,)
    assert may_begin(asked, [FRIDA]).allowed
    agreed = asked.answered(AGNES, yes=True, at=NOON)
    assert may_begin(agreed, [FRIDA, AGNES]).allowed
    withdrawn = agreed.answered(AGNES, yes=False, at=NOON)
    assert may_begin(withdrawn, [FRIDA, AGNES]).sentence == "recording-consent-declined"
    assert not may_begin(replace(agreed, state=RecordingState.DELETED), [FRIDA]).allowed


@pytest.mark.requirement("R102")
def test_deletion_waits_for_the_date_and_for_every_hold() -> None:
    kept = recording(state=RecordingState.STOPPED)
    later = kept.delete_at

    assert not may_delete(kept, later - timedelta(seconds=1)).allowed
    assert may_delete(kept, later).allowed
    held = replace(kept, hold=Hold(HoldReason.DISPUTE, StaffId("st_a"), NOON))
    assert may_delete(held, later).rule == "recording/hold"
    assert not may_delete(replace(kept, state=RecordingState.RUNNING), later).allowed


@pytest.mark.requirement("R107")
def test_strict_encryption_leaves_nobody_who_may_record(policy: Policy) -> None:
    raised = where(policy, raises=(Raise("encryption:strict", NOON, "st_a"),))

    assert stays_allowed(policy, where(policy), recording())
    assert not stays_allowed(policy, raised, recording())


@pytest.mark.requirement("R021")
def test_where_a_law_is_asked_for_a_recording_without_one_does_not_stay_though_its_type_names_laws(
    policy: Policy,
) -> None:
    own = replace(policy.type("corporate-fx@1"), band=Band.MEDIUM, recording=RecordingRule.JUSTIFIED)
    before = where(policy, type=own)
    raised = replace(before, raises=(Raise("band:high", NOON, "st_a"),))
    without = recording(reference="")

    assert stays_allowed(policy, before, without)
    assert not stays_allowed(policy, raised, without)
    assert stays_allowed(policy, raised, recording())


def test_a_file_must_have_its_end_only_where_the_recorder_said_that_it_wrote_one() -> None:
    told = recording(state=RecordingState.STOPPED, stop_reason="stopped", length_ms=5000, confirmed=True)

    assert told.was_closed
    assert replace(told, stop_reason="bridge_stopped").was_closed
    assert not replace(told, stop_reason="disk-full").was_closed
    assert not replace(told, length_ms=0).was_closed, "it was killed after somebody stopped it here"


def test_the_law_bounds_the_date_where_it_is_shorter_than_the_types(policy: Policy) -> None:
    found = policy.type("corporate-fx@1")

    assert latest_deletion(found, "mifid-ii-16-7", TODAY) == TODAY + timedelta(days=1826)
    shorter = replace(found, recording_references=(replace(found.recording_references[0], retention_days=10),))
    assert latest_deletion(shorter, "mifid-ii-16-7", TODAY) == TODAY + timedelta(days=10)


def test_a_purpose_nobody_wrote_words_for_stops_the_start(policy: Policy) -> None:
    found = policy.type("corporate-fx@1")
    types = {**policy.types, found.ref: replace(found, recording_purposes=("client-order", "curiosity"))}

    assert any("recording-purpose.curiosity" in str(fault) for fault in faults(replace(policy, types=types)))


def test_a_moment_of_the_meeting_is_found_on_a_time_line_that_leaves_pauses_out() -> None:
    pause = (10_000, NOON + timedelta(seconds=10), NOON + timedelta(seconds=70))
    outline = RecordingOutline(True, NOON, 30_000, (), (pause,))

    assert outline.position_ms(NOON + timedelta(seconds=5)) == 5_000
    assert outline.position_ms(NOON + timedelta(seconds=40)) == 10_000
    assert outline.position_ms(NOON + timedelta(seconds=75)) == 15_000
    assert outline.position_ms(NOON + timedelta(hours=2)) == 30_000
    assert outline.position_ms(NOON - timedelta(hours=2)) == 0
