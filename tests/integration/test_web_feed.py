"""Open pages hear what happened, from whichever process, within a second; and who is out hears nothing."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.adapters.sql.meeting_store import SqlMeetingStore
from sidecar.domain.errors import StoreUnavailableError
from sidecar.domain.ids import MeetingId
from sidecar.domain.permissions import Capacity
from sidecar.services.ports import Announcement, MeetingTx
from sidecar.testing import ELIN, MAJA, NOON, SAMIR, Browser, Product, guest
from sidecar.web.feed import Feed, event
from tests.servers.watching import until

ONE, OTHER = MeetingId("m_one"), MeetingId("m_other")
_PATIENCE_S = 60.0  # for a machine under load; what is promised is measured where it is promised


def told(kind: str, meeting: MeetingId = ONE) -> Announcement:
    return Announcement(kind, meeting, NOON)


def announce(store: SqlMeetingStore, *announcements: Announcement) -> None:
    def effect(tx: MeetingTx) -> None:
        for each in announcements:
            tx.announce(each)

    store.write(effect)


def of_one(announcement: Announcement) -> bool:
    return announcement.meeting == ONE


class Listener:
    """Somebody who listens in a thread of their own. heard: what came, in order, with the moment it came."""

    def __init__(self, heard: Iterator[Any]) -> None:
        self._heard = heard
        self.came: queue.Queue[tuple[float, Any]] = queue.Queue()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        for each in self._heard:
            self.came.put((time.monotonic(), each))
        self.over.set()

    def next(self, timeout: float = _PATIENCE_S) -> Any:
        return self.came.get(timeout=timeout)[1]

    def next_kinds(self) -> list[str]:
        return [announcement.kind for announcement in self.next()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "meetings.sqlite"


@pytest.mark.requirement("R134")
def test_what_one_process_did_another_ones_pages_hear_within_a_second(file: Path) -> None:
    here, there = SqlMeetingStore(file), SqlMeetingStore(file)
    listeners = [Listener(Feed(store).listen(of_one)) for store in (here, there)]
    for listener in listeners:
        assert listener.next() == []

    took: dict[Listener, list[float]] = {listener: [] for listener in listeners}
    for number in range(3):
        announce(here if number % 2 else there, told("hand.raised"))
        done = time.monotonic()
        for listener in listeners:
            moment, heard = listener.came.get(timeout=_PATIENCE_S)
            assert [each.kind for each in heard] == ["hand.raised"]
            took[listener].append(moment - done)
    assert all(min(each) < 1.0 for each in took.values()), took


def test_nothing_is_lost_between_the_first_picture_and_the_first_news(file: Path) -> None:
    """The page's picture is taken at the first yield: what is announced from then on must come."""
    store = SqlMeetingStore(file)
    announce(store, told("before"))
    heard = Feed(store).listen(of_one)
    assert next(heard) == []
    announce(store, told("right.after"))

    assert [each.kind for each in next(heard)] == ["right.after"]


def test_a_slow_listener_misses_nothing_that_was_announced_meanwhile(file: Path) -> None:
    store = SqlMeetingStore(file)
    feed = Feed(store)
    slow, quick = feed.listen(of_one), Listener(feed.listen(of_one))
    assert (next(slow), quick.next()) == ([], [])
    heard: list[str] = []
    for number in range(30):
        announce(store, told(f"kind.{number}"))
    while len(heard) < 30:
        heard += quick.next_kinds()

    assert heard == [f"kind.{number}" for number in range(30)]
    assert [each.kind for each in next(slow)] == heard


def test_who_fell_too_far_behind_is_let_go_to_connect_anew(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Better no line than a line with a gap: the page gets a fresh picture when it connects again."""
    monkeypatch.setattr("sidecar.web.feed._KEPT", 5)
    store = SqlMeetingStore(file)
    feed = Feed(store)
    slow, quick = feed.listen(of_one), Listener(feed.listen(of_one))
    assert (next(slow), quick.next()) == ([], [])
    announce(store, *(told(f"kind.{number}") for number in range(10)))
    assert quick.over.wait(_PATIENCE_S), "ten at once are more than are kept here"

    assert list(slow) == []


def test_a_silent_line_is_kept_open_also_while_others_are_busy(file: Path) -> None:
    """Before, news of other meetings put off the heartbeat for ever, and proxies closed the line."""
    store = SqlMeetingStore(file)
    moment, asked = [0.0], list[threading.Thread]()

    def monotonic() -> float:
        now = moment[0]
        asked.append(threading.current_thread())
        return now

    feed = Feed(store, heartbeat_s=15.0, monotonic=monotonic)
    heard = feed.listen(of_one)
    busy = Listener(feed.listen(lambda announcement: True))
    assert (next(heard), busy.next()) == ([], [])
    came = Listener(heard)
    until(lambda: came.thread in asked)  # from here on its silence is counted

    for number in range(4):
        moment[0] += 4.0
        announce(store, told(f"kind.{number}", OTHER))
        assert busy.next_kinds() == [f"kind.{number}"]

    assert came.next() == [], "sixteen seconds without news of one's own: a sign of life"


def test_only_what_is_wanted_is_told(file: Path) -> None:
    store = SqlMeetingStore(file)
    listener = Listener(Feed(store).listen(of_one))
    assert listener.next() == []
    announce(store, told("secret", OTHER), told("hand.raised"), told("another", OTHER))

    assert listener.next_kinds() == ["hand.raised"]


def test_a_store_that_fails_for_a_while_silences_nobody_for_good(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqlMeetingStore(file)
    listener = Listener(Feed(store).listen(of_one))
    assert listener.next() == []
    failed: queue.Queue[Exception] = queue.Queue()
    really, failures = store.announcements_after, [StoreUnavailableError("disk"), ValueError("a row of tomorrow")]

    def flaky(*args: Any, **options: Any) -> Any:
        if failures:
            failed.put(failures[0])
            raise failures.pop(0)
        return really(*args, **options)

    monkeypatch.setattr(store, "announcements_after", flaky)
    announce(store, told("hand.raised"))

    assert listener.next_kinds() == ["hand.raised"]
    assert failed.qsize() == 2


def test_a_listener_that_could_not_begin_leaves_nothing_behind(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqlMeetingStore(file)
    feed = Feed(store)

    def down() -> int:
        raise StoreUnavailableError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(store, "last_announcement", down)
        with pytest.raises(StoreUnavailableError):
            next(feed.listen(of_one))

    assert feed._listeners == 0
    assert next(feed.listen(of_one)) == []


def test_an_event_is_written_as_browsers_read_it() -> None:
    assert event("state", {"text": "två\nrader"}) == 'event: state\ndata: {"text": "två\\nrader"}\n\n'


# The streams of the pages


@contextmanager
def stream(browser: Browser, path: str) -> Iterator[Callable[[], tuple[str, Any]]]:
    """Open a page's stream, in a thread of its own as a server does, and yield what reads its next event.

    An event is (name, data), a heartbeat ("", None), the end of the stream ("over", None).
    """
    heard: queue.Queue[tuple[str, Any]] = queue.Queue()
    closed = threading.Event()

    def listen() -> None:
        answer = browser.get(path)
        if answer.mimetype == "text/event-stream":
            for chunk in answer.iter_encoded():
                heard.put(_event_of(chunk.decode()))
                if closed.is_set():
                    break
        answer.close()
        heard.put(("over", None))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield lambda: heard.get(timeout=_PATIENCE_S)
    finally:
        closed.set()
        store = browser.product.services.meetings
        meetings = {each.id for each in store.between(NOON - timedelta(days=1), NOON + timedelta(days=1))}
        announce(store, *(told("meeting.booked", meeting) for meeting in meetings))
        thread.join(_PATIENCE_S)


def _event_of(text: str) -> tuple[str, Any]:
    if text.startswith(":"):
        return "", None
    name, data = text.removesuffix("\n\n").split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def held(product: Product) -> tuple[Browser, Browser]:
    """Return Maja's browser in the lobby and Elin's in the room."""
    meeting = product.book(guests=[guest(SAMIR)])
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
    return maja, product.opens(meeting)


@pytest.mark.requirement("R001", "R011")
def test_the_stream_leads_from_the_lobby_into_the_room_and_out_again(product: Product) -> None:
    maja, elin = held(product)

    with stream(maja, "events") as read:
        name, lobby = read()
        assert name == "state"
        assert "people" not in lobby
        elin.post("room/admit", {"participant": maja.place})
        assert read() == ("go", {"url": f"/v/{maja.place}/room"})
        name, room = read()
        assert (name, room["me"]["id"]) == ("state", maja.place)
        elin.post("room/mute", {"participant": maja.place, "kind": "audio"})
        name, notice = read()
        assert (name, notice["urgent"]) == ("notice", True)
        assert read()[0] == "state"
        elin.post("room/expel", {"participant": maja.place})
        assert read() == ("go", {"url": f"/v/{maja.place}/left"})
        assert read()[0] == "over"


@pytest.mark.requirement("R001")
def test_a_browser_that_only_has_the_link_hears_nothing_of_a_running_meeting(product: Product) -> None:
    """Before, whoever opened the link elsewhere was streamed names and chat of the room Maja was in."""
    maja, elin = held(product)
    elin.post("room/admit", {"participant": maja.place})
    maja.joins()
    elin.post("room/chat", {"text": "Hon har två lån till."})
    other = product.arrives(product.place(maja.place), consents=False)

    answer = other.get("events")

    assert answer.status_code == 401
    assert "lån" not in answer.text


@pytest.mark.requirement("R011")
def test_the_stream_ends_where_the_same_person_identified_elsewhere(product: Product) -> None:
    maja, elin = held(product)
    elin.post("room/admit", {"participant": maja.place})

    with stream(maja, "events") as read:
        assert read()[0] == "state"
        product.clock.on(minutes=1)
        other = product.arrives(product.place(maja.place), consents=False)
        other.identifies(MAJA)
        seen = [read() for _ in range(1)]
        while seen[-1][0] != "go":
            seen.append(read())
        assert seen[-1] == ("go", {"url": f"/v/{maja.place}/identify"})
        assert read() == ("over", None), "after that nothing of the room is told to this browser"


@pytest.mark.requirement("R048")
def test_the_stream_of_somebody_who_was_away_too_long_shows_the_room_no_more(product: Product) -> None:
    maja, elin = held(product)
    elin.post("room/admit", {"participant": maja.place})
    maja.joins()

    with stream(maja, "events") as read:
        assert read()[0] == "state"
        maja.post("room/leave")
        assert read()[0] == "state"
        product.clock.on(minutes=31)
        elin.post("room/chat", {"text": "Hon är borta."})
        assert read() == ("go", {"url": f"/v/{maja.place}/left"})


def test_the_desk_is_told_that_something_changed_and_not_what(product: Product) -> None:
    elin = product.signs_in(ELIN)
    with stream(elin, "/desk/events") as read:
        assert read()[0] == "state"
        product.book()
        assert read() == ("state", {"last": product.services.meetings.last_announcement()})


def test_the_end_of_the_meeting_reaches_every_page(product: Product) -> None:
    maja, elin = held(product)
    with stream(maja, "events") as read:
        read()
        product.clock.on(minutes=1)
        elin.post("room/end")
        assert read() == ("go", {"url": f"/v/{maja.place}/left"})


def test_the_room_goes_on_for_its_booked_time_and_half_an_hour(product: Product) -> None:
    maja, elin = held(product)
    elin.post("room/admit", {"participant": maja.place})
    until = product.place(maja.place).session_until

    assert until == product.meeting(product.place(maja.place).meeting).ends_at + timedelta(minutes=30)
