"""The journal as a story and a type against its floor: what the pages show, decided without a page."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import sidecar.web
from sidecar.adapters.policy_files import SHIPPED, load_policy
from sidecar.domain.audit import KINDS, AuditRecord, Entry
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, RoomName, StaffId
from sidecar.domain.journal import describe
from sidecar.domain.meetings import Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.opening_hours import read_opening_hours
from sidecar.domain.permissions import NOWHERE, ONLY_ON_JITSI, Capacity, Permission
from sidecar.domain.policy import Band, Policy, Segment
from sidecar.web.desk import story as story_module
from sidecar.web.desk.rules_view import Rule, grants, narrowed, rules_of
from sidecar.web.desk.story import Story, story_of
from sidecar.web.desk.times import grid

NOON = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
ELIN, MAJA = "st_elin", "per_maja"
NAMES = {ELIN: "Elin Sjöhage", MAJA: "Maja Granlid", "p_elin": "Elin Sjöhage", "p_maja": "Maja Granlid"}
MEETING = Meeting(
    id=MeetingId("m_1"),
    state=MeetingState.ENDED,
    type_ref="mortgage@1",
    brand="exempelbanken",
    segment=Segment.PRIVATE,
    adviser=StaffId(ELIN),
    packages=frozenset({"mortgage-adviser"}),
    room=RoomName("r"),
    region="eu-north-se",
    purpose="Utöka lånet",
    language="sv",
    starts_at=NOON,
    ends_at=NOON + timedelta(minutes=45),
    booked_at=NOON - timedelta(days=2),
    retain_until=NOON + timedelta(days=3653),
    opened_at=NOON,
    ended_at=NOON + timedelta(minutes=36),
)
PLACES = [
    Participant(
        ParticipantId("p_elin"), MEETING.id, Capacity.ADVISER, ParticipantState.LEFT, staff=StaffId(ELIN)
    ),
    Participant(
        ParticipantId("p_maja"), MEETING.id, Capacity.CUSTOMER, ParticipantState.LEFT, person=PersonId(MAJA)
    ),
]  # fmt: skip


def entry(kind: str, actor: str = ELIN, *, minutes: float = 1, **data: object) -> Entry:
    record = AuditRecord(kind, MEETING.id, actor, NOON + timedelta(minutes=minutes), data)
    return Entry(index=0, record=record, canonical=b"")


def told(*entries: Entry, meeting: Meeting = MEETING) -> Story:
    return story_of(
        entries,
        meeting=meeting,
        places=PLACES,
        names=NAMES,
        say=lambda each: describe(each, "sv", NAMES),
        words=lambda key, value: {"mortgage@1": "Bolån, version 1"}.get(value, ""),
    )


def texts(lines: object) -> list[str]:
    return [line.text for line in lines]  # type: ignore[attr-defined]  # a tuple of Line


@pytest.mark.requirement("R117", "R120")
def test_story_is_told_by_part_of_the_meeting_and_nothing_is_lost() -> None:
    entries = (
        entry("meeting.booked", minutes=-600, type="mortgage@1"),
        entry("staff.call_check", minutes=-0.5, passed=True, amr=["pwd", "hwk"]),
        entry("meeting.opened", minutes=0),
        entry("token.minted", MAJA, minutes=1, participant="p_maja"),
        entry("participant.joined", MAJA, minutes=1, participant="p_maja"),
        entry("media.keys", MAJA, minutes=1, participant="p_maja"),
        entry("meeting.ended", minutes=36),
        entry("summary.sent", "system", minutes=37, participant="p_maja", channel="inbox"),
    )
    found = told(*entries)

    assert texts(found.before) == ["Elin Sjöhage bokade mötet. Regler: Bolån, version 1."]
    assert texts(found.during) == [
        "Elin Sjöhage startade mötet med säkerhetsnyckel.",
        "Maja Granlid kom in som kund.",
        "Mötet avslutades.",
    ]
    assert texts(found.after) == ["Sammanställningen skickades till Maja Granlid med bankens inkorg."]
    assert [line.kind for line in found.technical] == ["staff.call_check", "token.minted", "media.keys"]
    shown = sum(line.count for part in (found.before, found.during, found.after) for line in part)
    assert shown + len(found.technical) == len(entries)


def test_equal_entries_one_after_another_are_told_once_with_their_number() -> None:
    found = told(entry("chat.sent"), entry("chat.sent"), entry("chat.sent", MAJA), entry("chat.sent"))

    assert [(line.lead, line.count) for line in found.during] == [
        ("Elin Sjöhage", 2), ("Maja Granlid", 1), ("Elin Sjöhage", 1),
    ]  # fmt: skip


def test_what_was_refused_is_marked_and_never_counted_as_technical() -> None:
    found = told(
        entry("permission.refused", MAJA, rule="band.high/recording", act="record.refused"),
        entry("sign_in.wrong_person", MAJA),
        entry("track.dropped", MAJA),
        entry("staff.call_check", passed=False, amr=["pwd"]),
    )

    assert [line.refused for line in found.during] == [True, True, True, True]
    assert found.during[0].lead == "Nekat:"
    assert found.technical == ()


def test_the_adviser_letting_themselves_in_is_technical_but_a_customer_is_told() -> None:
    found = told(
        entry("participant.admitted", participant="p_elin"), entry("participant.admitted", participant="p_maja")
    )

    assert texts(found.during) == ["Elin Sjöhage släppte in Maja Granlid."]
    assert len(found.technical) == 1


def test_only_the_first_message_to_each_is_told() -> None:
    first = entry(
        "invitation.sent", "system", minutes=-60, participant="p_maja", template="invitation", channel="inbox"
    )
    notice = entry("invitation.sent", "system", minutes=-60, participant="p_maja", template="notice", channel="sms")
    found = told(first, notice)

    assert texts(found.before) == ["Inbjudan skickades till Maja Granlid med bankens inkorg."]
    assert [line.kind for line in found.technical] == ["invitation.sent"]


def test_a_meeting_that_never_began_has_one_part() -> None:
    missed = replace(MEETING, state=MeetingState.MISSED, opened_at=None)
    found = told(entry("meeting.booked", minutes=-60), entry("meeting.missed", "system", minutes=90), meeting=missed)

    assert len(found.before) == 2
    assert (found.during, found.after) == ((), ())


def test_the_log_itself_is_not_changed_by_what_the_story_adds() -> None:
    joined = entry("participant.joined", MAJA, participant="p_maja")
    told(joined)

    assert dict(joined.record.data) == {"participant": "p_maja"}


def test_every_kind_the_story_knows_is_one_the_log_has_and_every_picture_exists() -> None:
    sprite = (Path(sidecar.web.__file__).parent / "static" / "icons.svg").read_text("utf-8")
    icons = set(re.findall(r'id="i-([a-z-]+)"', sprite))

    assert story_module._TECHNICAL | story_module._LOOKS.keys() | story_module._REFUSED <= KINDS.keys()
    assert {icon for icon, _ in story_module._LOOKS.values()} | {"info", "shield-off"} <= icons


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(SHIPPED)


def rule(policy: Policy, name: str, topic: str) -> Rule:
    found = policy.types[f"{name}@1"]
    return next(each for each in rules_of(policy, found) if each.topic == topic)


def below(found: Rule) -> list[str]:
    return [option.key for option in found.below]


def chosen(found: Rule) -> list[str]:
    return [option.key for option in found.above if option.chosen]


@pytest.mark.requirement("R027")
@pytest.mark.parametrize("name", ["advice", "onboarding", "mortgage", "corporate-fx"])
def test_every_rule_has_something_chosen_and_nothing_chosen_lies_below_the_floor(policy: Policy, name: str) -> None:
    for found in rules_of(policy, policy.types[f"{name}@1"]):
        assert chosen(found), found.topic
        assert not any(option.chosen for option in found.below), found.topic
        assert not {option.key for option in found.below} & {option.key for option in found.above}


@pytest.mark.requirement("R027")
def test_a_high_type_shows_what_its_floor_rules_out(policy: Policy) -> None:
    assert below(rule(policy, "mortgage", "sign_in")) == ["code", "substantial"]
    assert chosen(rule(policy, "mortgage", "sign_in")) == ["country-highest"]
    assert below(rule(policy, "mortgage", "share")) == ["screen", "everybody"]
    assert chosen(rule(policy, "mortgage", "share")) == ["adviser"]
    assert below(rule(policy, "mortgage", "documents")) == ["free", "fetch"]
    assert below(rule(policy, "mortgage", "signing")) == ["touch", "sms", "eid"]
    assert below(rule(policy, "mortgage", "staff")) == ["password", "two_steps"]
    assert chosen(rule(policy, "mortgage", "recording")) == ["never"]
    assert chosen(rule(policy, "mortgage", "integrations")) == ["own_parts"]


def test_a_low_type_keeps_its_freedom_above_the_floor(policy: Policy) -> None:
    assert below(rule(policy, "advice", "sign_in")) == []
    assert chosen(rule(policy, "advice", "sign_in")) == ["code"]
    assert chosen(rule(policy, "advice", "share")) == ["everybody"]
    assert below(rule(policy, "advice", "share")) == ["screen"]
    assert chosen(rule(policy, "advice", "integrations")) == ["approved"]


def test_the_law_may_ask_for_a_recording_where_the_type_names_it(policy: Policy) -> None:
    assert chosen(rule(policy, "corporate-fx", "recording")) == ["legal"]
    assert below(rule(policy, "corporate-fx", "recording")) == ["justified"]


@pytest.mark.requirement("R027")
@pytest.mark.parametrize("name", ["advice", "onboarding", "mortgage", "corporate-fx"])
def test_grants_are_grouped_by_reason_and_none_is_lost(policy: Policy, name: str) -> None:
    found = policy.types[f"{name}@1"]
    pairs = {
        (capacity, permission)
        for each in grants(found)
        for capacity in each.capacities
        for permission in each.permissions
    }

    assert pairs == {(c.value, p) for c, granted in found.grants.items() for p in granted}
    assert all(each.reason.get("sv") and each.reason.get("en") for each in grants(found))


@pytest.mark.parametrize("permission", Permission)
def test_a_right_has_a_hand_on_our_pages_or_is_said_to_have_none(permission: Permission) -> None:
    """Before, the rules page told with reasons who may draw on a whiteboard that no page has."""
    web = Path(sidecar.web.__file__).parent
    ours = [*(web.parent / "services").rglob("*.py"), *web.rglob("*.py"), *web.rglob("static/js/**/*.js")]
    plugins = [each for each in (web.parents[1] / "plugins").glob("*/tillit_*/**/*.py") if "tests" not in each.parts]
    sources = [
        each.read_text("utf-8")
        for each in (*ours, *plugins)
        if each.name != "rules_view.py" and ".test." not in each.name
    ]
    asks = re.compile(
        rf"""Permission\.{permission.name}\b|may\(\w[\w.()]*, "{permission}"\)|permission="{permission}\""""
    )
    names = re.compile(rf"""Permission\.{permission.name}\b|["']{permission}["']""")

    if permission in ONLY_ON_JITSI | NOWHERE:
        assert not any(asks.search(source) for source in sources)
    else:
        assert any(names.search(source) for source in sources)


def test_what_a_segment_may_not_do_is_listed(policy: Policy) -> None:
    assert [(each.segment, each.capacity, each.permission) for each in narrowed(policy.types["advice@1"])] == [
        ("corporate", "customer", "share_window")
    ]
    assert policy.types["advice@1"].band is Band.LOW


def test_a_working_day_has_the_same_times_and_an_evening_only_where_the_bank_is_open() -> None:
    zone = ZoneInfo("Europe/Stockholm")
    start = datetime(2026, 11, 24, tzinfo=zone)
    end = start + timedelta(days=1)
    day = [each.strftime("%H:%M") for each in grid(start, end)]
    evening = read_opening_hours({"tuesday": "08:00-20:00"}, zone="Europe/Stockholm")
    longer = [each.strftime("%H:%M") for each in grid(start, end, evening)]

    assert (day[0], day[-1]) == ("08:00", "17:45")
    assert {"11:00", "14:00", "14:45", "16:15"} <= set(day)
    assert longer[: len(day)] == day
    assert longer[len(day) :] == ["18:30", "19:15"]
