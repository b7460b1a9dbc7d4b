"""The meetings store: durable, one winner of two who change the same thing, and a failure stays with its own act."""

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidecar.adapters.sql.codec import from_json, to_json
from sidecar.adapters.sql.meeting_store import SqlMeetingStore
from sidecar.domain.errors import ConflictError, NotFoundError, StoreUnavailableError
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, RoomName, StaffId
from sidecar.domain.meetings import ChatLine, Consent, Identified, Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Raise, Segment
from sidecar.services.ports import Announcement, Errand, MeetingStore, MeetingTx
from tests.contract.conftest import Places

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MEETING = MeetingId("m_one")
PLACE = ParticipantId("p_maja")


def meeting(name: str = "m_one", **changed: object) -> Meeting:
    made = Meeting(
        id=MeetingId(name),
        state=MeetingState.BOOKED,
        type_ref="mortgage@1",
        brand="exempelbanken",
        segment=Segment.PRIVATE,
        adviser=StaffId("st_elin"),
        packages=frozenset({"mortgage-adviser", "private-banker"}),
        room=RoomName("0123abcd"),
        region="eu-north-se",
        purpose="Utöka bolånet",
        language="sv",
        starts_at=NOON,
        ends_at=NOON + timedelta(minutes=45),
        booked_at=NOON,
        retain_until=NOON + timedelta(days=3653),
        raises=(Raise("share:off", NOON, "st_elin"),),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def place(name: str = "p_maja", **changed: object) -> Participant:
    made = Participant(
        id=ParticipantId(name),
        meeting=MEETING,
        capacity=Capacity.CUSTOMER,
        state=ParticipantState.IDENTIFIED,
        person=PersonId("per_maja"),
        link_digest=f"digest of {name}",
        link_channel="email",
        earlier_link_channels=("inbox", "sms"),
        identified=Identified("bankid", "bankid-qr", "eid", 2, 2, NOON, evidence=("o_1",), evidence_digests=("ab",)),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def errand(name: str, *, due: datetime = NOON, kind: str = "message", of: str = "m_one") -> Errand:
    return Errand(id=name, kind=kind, meeting=MeetingId(of), due_at=due, body={"participant": "p_maja"})


Open = Callable[[], MeetingStore]


@pytest.fixture
def open_store(places: Places) -> Open:
    """Another store over the same data, as another process has it."""
    return lambda: SqlMeetingStore(places("meetings"))


@pytest.fixture
def store(open_store: Open) -> MeetingStore:
    store = open_store()

    def effect(tx: MeetingTx) -> None:
        tx.add_meeting(meeting())
        tx.add_participant(place())

    store.write(effect)
    return store


def test_what_was_written_reads_back_the_same_in_this_process_and_in_another(
    store: MeetingStore, open_store: Open
) -> None:
    for each in (store, open_store()):
        assert each.get(MEETING) == meeting()
        assert each.participant(PLACE) == place()
        assert each.participants(MEETING) == [place()]


def test_a_place_stored_before_every_way_of_its_link_was_kept_still_reads() -> None:
    stored = json.loads(to_json(place()))
    del stored["earlier_link_channels"]

    assert from_json(Participant, json.dumps(stored)).link_channels == ("email",)


def test_what_is_not_there_is_said_to_be_not_there(store: MeetingStore) -> None:
    with pytest.raises(NotFoundError):
        store.get(MeetingId("m_other"))
    with pytest.raises(NotFoundError):
        store.participant(ParticipantId("p_other"))
    with pytest.raises(NotFoundError):
        store.get_errand("e_other")
    assert store.participants(MeetingId("m_other")) == []


def test_an_odd_text_finds_nothing_and_breaks_nothing(store: MeetingStore) -> None:
    for text in ("p_\0maja", "p_maja\0", "p_maja' OR '1'='1", "?", "$1", "%s", "å" * 10_000):
        with pytest.raises(NotFoundError):
            store.participant(ParticipantId(text))
        assert store.find_by_link(text) is None
    assert store.participant(PLACE) == place()


def test_what_people_write_reads_back_sign_by_sign(store: MeetingStore) -> None:
    words = "null \0, ?, $1, %s, 'quoted', \\, \U0001f600, \u2028, å"
    store.write(lambda tx: tx.add_chat(ChatLine("c_odd", MEETING, PLACE, NOON, words)))

    assert [line.text for line in store.chat(MEETING)] == [words]


def test_a_place_is_found_by_its_link_until_the_link_is_spent_for_good(store: MeetingStore) -> None:
    assert store.find_by_link("digest of p_maja") == place()
    assert store.find_by_link("another digest") is None

    store.write(lambda tx: tx.save_participant(place(link_digest="")))

    assert store.find_by_link("digest of p_maja") is None
    assert store.find_by_link("") is None, "nobody may come in by an empty link"


def test_of_two_changes_to_what_was_read_once_only_the_first_is_kept(store: MeetingStore) -> None:
    read = store.get(MEETING)
    store.write(lambda tx: tx.save_meeting(replace(read, state=MeetingState.OPEN)))

    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.save_meeting(replace(read, state=MeetingState.CANCELLED)))
    assert store.get(MEETING).state is MeetingState.OPEN
    assert store.get(MEETING).version == read.version + 1


def test_of_two_changes_to_one_place_only_the_first_is_kept(store: MeetingStore) -> None:
    saved = store.write(lambda tx: tx.save_participant(place(hand=True)))

    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.save_participant(place(sharing=True)))
    assert store.participant(PLACE) == saved


def test_an_effect_that_fails_half_way_leaves_nothing(store: MeetingStore) -> None:
    def effect(tx: MeetingTx) -> None:
        tx.add_chat(ChatLine("c_1", MEETING, PLACE, NOON, "Hej"))
        tx.announce(Announcement("chat.sent", MEETING, NOON, PLACE))
        tx.add_errand(errand("e_1"))
        tx.save_participant(place(version=99))

    with pytest.raises(ConflictError):
        store.write(effect)
    assert store.chat(MEETING) == []
    assert store.last_announcement() == 0
    assert store.errands(MEETING) == []


@pytest.mark.parametrize(
    "failure",
    [ConflictError(), ValueError(), TypeError(), AttributeError(), OverflowError(), sqlite3.IntegrityError()],
    ids=lambda failure: type(failure).__name__,
)
def test_a_failing_effect_takes_nobody_else_down_who_shares_its_commit(store: MeetingStore, failure: Exception) -> None:
    """Writes that arrive together share one fsync. Before, a TypeError in one undid all and told the others: done."""
    inside, go_on = threading.Event(), threading.Event()
    outcomes: dict[str, object] = {}

    def slow(tx: MeetingTx) -> None:
        inside.set()
        assert go_on.wait(60)

    def run(name: str, effect: Callable[[MeetingTx], object]) -> None:
        try:
            outcomes[name] = store.write(effect)
        except Exception as error:
            outcomes[name] = error

    def fails(tx: MeetingTx) -> None:
        tx.add_chat(ChatLine("c_bad", MEETING, PLACE, NOON, "half done"))
        raise failure

    def says(number: int) -> Callable[[MeetingTx], str]:
        def effect(tx: MeetingTx) -> str:
            tx.add_chat(ChatLine(f"c_{number}", MEETING, PLACE, NOON + timedelta(seconds=number), "Hej"))
            return "kept"

        return effect

    first = threading.Thread(target=run, args=("slow", slow))
    first.start()
    assert inside.wait(60)
    behind = [threading.Thread(target=run, args=(f"c_{number}", says(number))) for number in range(4)]
    behind.insert(2, threading.Thread(target=run, args=("c_bad", fails)))
    for thread in behind:
        thread.start()
    go_on.set()
    for thread in (first, *behind):
        thread.join(60)

    assert outcomes.pop("c_bad") is failure
    assert outcomes == {"slow": None, **{f"c_{number}": "kept" for number in range(4)}}
    assert [line.id for line in store.chat(MEETING)] == [f"c_{number}" for number in range(4)]


def test_more_writers_than_one_commit_takes_are_all_kept(store: MeetingStore) -> None:
    """With 200 in line, whoever stands behind the first 64 must not hear "done" before it is."""
    inside, go_on = threading.Event(), threading.Event()
    seen: dict[int, bool] = {}

    def slow(tx: MeetingTx) -> None:
        inside.set()
        assert go_on.wait(60)

    def add(number: int) -> None:
        line = ChatLine(f"c_{number:03d}", MEETING, PLACE, NOON, "Hej")
        store.write(lambda tx: tx.add_chat(line))
        seen[number] = line in store.chat(MEETING)

    threads = [threading.Thread(target=store.write, args=(slow,))]
    threads[0].start()
    assert inside.wait(60)
    threads += [threading.Thread(target=add, args=(number,)) for number in range(200)]
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(60)

    assert len(seen) == 200
    assert all(seen.values()), "a write that returned was not there to read"


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from sidecar.adapters.sql.meeting_store import SqlMeetingStore
from sidecar.adapters.sql.opening import store_place
from sidecar.domain.meetings import ChatLine
where = "sqlite" if sys.argv[1].startswith("/") else sys.argv[1]
store = SqlMeetingStore(store_place(where, key="stores.meetings", file=Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    line = ChatLine(f"c_{sys.argv[2]}_{number}", "m_one", "p_maja", datetime(2026, 11, 24, tzinfo=UTC), "Hej")
    store.write(lambda tx: tx.add_chat(line))
"""


def test_two_processes_write_without_losing_anything(store: MeetingStore, places: Places) -> None:
    file = places.text("meetings")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, file, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in ("web", "worker")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)

    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(store.chat(MEETING)) == 80


def test_two_processes_that_start_on_an_empty_disk_both_start(places: Places) -> None:
    failed: list[Exception] = []

    def start() -> None:
        try:
            SqlMeetingStore(places("fresh")).last_announcement()
        except Exception as error:
            failed.append(error)

    places.text("fresh")
    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []


def test_a_full_disk_is_told_to_whoever_writes_and_nothing_is_kept(tmp_path: Path) -> None:
    store = SqlMeetingStore(tmp_path / "meetings.sqlite")
    store.write(lambda tx: tx.add_meeting(meeting()))
    line = ChatLine("c_big", MEETING, PLACE, NOON, "x" * 200_000)

    def fill(tx: MeetingTx) -> None:
        # The page limit is SQLite's own way to meet a full disk: the same error, in the middle of an effect.
        connection: sqlite3.Connection = tx._db
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        tx.announce(Announcement("chat.sent", MEETING, NOON))
        tx.add_chat(line)

    with pytest.raises(StoreUnavailableError):
        store.write(fill)

    assert store.chat(MEETING) == []
    assert store.last_announcement() == 0
    another = SqlMeetingStore(tmp_path / "meetings.sqlite")
    another.write(lambda tx: tx.add_chat(replace(line, text="there is room again")))
    assert [each.text for each in another.chat(MEETING)] == ["there is room again"]


def test_a_store_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "meetings.sqlite").write_bytes(b"this is no database, but it is long enough to look at" * 40)

    with pytest.raises(StoreUnavailableError):
        SqlMeetingStore(tmp_path / "meetings.sqlite")


@pytest.mark.requirement("R011")
def test_a_join_token_is_spent_once_also_after_a_restart(store: MeetingStore, open_store: Open) -> None:
    spend = lambda tx: tx.spend_token("j_1", expires_at=NOON, now=NOON)  # noqa: E731
    store.write(spend)

    with pytest.raises(ConflictError):
        open_store().write(spend)


def test_a_spent_token_is_forgotten_only_long_after_it_expired(store: MeetingStore) -> None:
    def spend(jti: str, now: datetime) -> None:
        store.write(lambda tx: tx.spend_token(jti, expires_at=NOON + timedelta(seconds=90), now=now))

    spend("j_1", NOON)
    spend("j_2", NOON + timedelta(minutes=59))
    with pytest.raises(ConflictError):
        spend("j_1", NOON + timedelta(minutes=59))
    spend("j_3", NOON + timedelta(hours=2))
    spend("j_1", NOON + timedelta(hours=2))


def test_meetings_are_found_by_when_they_start_and_whose_they_are(store: MeetingStore) -> None:
    def effect(tx: MeetingTx) -> None:
        tx.add_meeting(meeting("m_late", starts_at=NOON + timedelta(hours=3)))
        tx.add_meeting(meeting("m_other", starts_at=NOON + timedelta(hours=1), adviser=StaffId("st_siv")))

    store.write(effect)
    day = (NOON, NOON + timedelta(hours=3))

    assert [each.id for each in store.between(*day)] == ["m_one", "m_other"], "the end is not part of the span"
    assert [each.id for each in store.between(*day, adviser=StaffId("st_siv"))] == ["m_other"]


def test_hundreds_of_future_bookings_do_not_hide_what_is_due_now(store: MeetingStore) -> None:
    """The worker and the calls in line ask for 500 meetings at the most; those far ahead are not among them."""

    def effect(tx: MeetingTx) -> None:
        for number in range(600):
            later = NOON + timedelta(days=1 + number)
            tx.add_meeting(meeting(f"m_{number}", starts_at=later, ends_at=later + timedelta(minutes=45)))

    store.write(effect)
    booked = (MeetingState.BOOKED,)

    assert [each.id for each in store.in_states(booked, started_by=NOON)] == ["m_one"]
    assert [each.id for each in store.in_states(booked, ended_by=NOON + timedelta(hours=2))] == ["m_one"]
    assert store.in_states(booked, ended_by=NOON) == []
    assert store.in_states((MeetingState.OPEN,)) == []
    assert store.in_states(booked)[0].id == "m_one"


def test_announcements_come_in_the_order_they_were_made(store: MeetingStore) -> None:
    for number in range(3):
        told = Announcement("hand.raised", MEETING, NOON, PLACE, {"n": number})
        store.write(lambda tx, told=told: tx.announce(told))  # type: ignore[misc]

    numbers = [number for number, _ in store.announcements_after(0)]

    assert numbers == sorted(numbers)
    assert [told.data["n"] for _, told in store.announcements_after(numbers[0])] == [1, 2]
    assert store.last_announcement() == numbers[-1]
    assert store.announcements_after(numbers[-1]) == []


def test_errands_are_due_at_their_time_and_no_longer_once_done(store: MeetingStore) -> None:
    def effect(tx: MeetingTx) -> None:
        tx.add_errand(errand("e_later", due=NOON + timedelta(minutes=1)))
        tx.add_errand(errand("e_now"))
        tx.add_errand(errand("e_now", due=NOON + timedelta(days=1)))  # told twice: the first one counts

    store.write(effect)

    assert [each.id for each in store.due_errands(NOON)] == ["e_now"]
    store.write(lambda tx: tx.save_errand(replace(store.get_errand("e_now"), state="done", attempts=1)))
    assert store.due_errands(NOON) == []
    assert store.get_errand("e_now").attempts == 1
    assert [each.id for each in store.errands(MEETING)] == ["e_now", "e_later"]


def test_dropping_what_waits_leaves_what_was_done_and_other_meetings(store: MeetingStore) -> None:
    def effect(tx: MeetingTx) -> None:
        tx.add_errand(errand("e_done"))
        tx.add_errand(errand("e_waiting"))
        tx.add_errand(errand("e_other", of="m_other"))

    store.write(effect)
    store.write(lambda tx: tx.save_errand(replace(store.get_errand("e_done"), state="done")))
    store.write(lambda tx: tx.drop_waiting_errands(MEETING))

    assert [each.id for each in store.errands(MEETING)] == ["e_done"]
    assert [each.id for each in store.errands(MeetingId("m_other"))] == ["e_other"]


def test_a_template_is_kept_by_brand_and_language_until_it_is_dropped(store: MeetingStore) -> None:
    for body in ("first", "second"):
        store.write(
            lambda tx, body=body: tx.put_template(brand="a", language="sv", key="k", body=body)  # type: ignore[misc]
        )
    store.write(lambda tx: tx.put_template(brand="b", language="sv", key="k", body="the other bank's"))

    assert store.templates("a") == {("sv", "k"): "second"}
    store.write(lambda tx: tx.drop_template(brand="a", language="sv", key="k"))
    assert store.templates("a") == {}
    assert store.templates("b") == {("sv", "k"): "the other bank's"}


def test_a_report_is_taken_once_and_forgotten_after_a_month(store: MeetingStore) -> None:
    store.write(lambda tx: tx.take_report("se:ev_1", now=NOON))
    assert store.has_report("se:ev_1")
    assert not store.has_report("fi:ev_1")
    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.take_report("se:ev_1", now=NOON))

    def undone(tx: MeetingTx) -> None:
        tx.take_report("se:ev_2", now=NOON)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        store.write(undone)
    assert not store.has_report("se:ev_2"), "what did not happen was not taken in"

    store.write(lambda tx: tx.take_report("se:ev_3", now=NOON + timedelta(days=31)))
    assert not store.has_report("se:ev_1")


def test_of_lobby_pages_those_unseen_are_found_and_one_seen_since_is_not_forgotten(
    store: MeetingStore, open_store: Open
) -> None:
    samir, later = ParticipantId("p_samir"), NOON + timedelta(seconds=20)
    store.write(lambda tx: tx.see_page(PLACE, at=NOON))
    store.write(lambda tx: tx.see_page(samir, at=later))
    assert open_store().pages_unseen_since(NOON) == [(PLACE, NOON)], "by any process"
    assert store.pages_unseen_since(later) == [(PLACE, NOON), (samir, later)]

    store.write(lambda tx: tx.see_page(PLACE, at=later))
    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.forget_page(PLACE, seen_by=NOON))
    store.write(lambda tx: tx.forget_page(PLACE, seen_by=later))
    assert store.pages_unseen_since(later) == [(samir, later)]


@pytest.mark.requirement("R065")
def test_a_persons_yes_is_found_by_the_words_it_was_given_to_the_newest_first(open_store: Open) -> None:
    store, maja = open_store(), PersonId("per_maja")
    for version, words, hour in (("1", "ab", 1), ("2", "cd", 2), ("1", "ab", 3)):
        consent = Consent(version, words, NOON + timedelta(hours=hour))
        store.write(lambda tx, consent=consent: tx.put_consent(maja, consent))

    again = open_store()
    assert again.consents(maja) == [
        Consent("1", "ab", NOON + timedelta(hours=3)),
        Consent("2", "cd", NOON + timedelta(hours=2)),
    ]
    assert again.consents(PersonId("per_ture")) == []
