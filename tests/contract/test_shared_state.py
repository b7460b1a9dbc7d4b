"""What web processes share: an id counts once, news wakes whoever waits, turns come one after the other."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sidecar.adapters.process_state import ProcessState
from sidecar.adapters.redis_address import read_redis_url
from sidecar.adapters.redis_state import RedisState
from sidecar.services.sharing import SharedState
from tests.servers.redis import Redis, has_redis, running_redis

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOON = NOON + timedelta(seconds=60)
Open = Callable[[], SharedState]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    if not has_redis():
        pytest.skip("Redis is not installed")
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=["process", "redis"])
def open_state(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Open:
    """The same state as another thread, or with Redis another process, has it."""
    monkeypatch.setattr("sidecar.adapters.redis_state._ANSWER_S", 30.0)  # for a busy machine
    if request.param == "process":
        state = ProcessState()
        return lambda: state
    running: Redis = request.getfixturevalue("server")
    running.client().flushall()
    return lambda: RedisState(read_redis_url(running.url, key="shared.url"))


@pytest.fixture
def state(open_state: Open) -> SharedState:
    return open_state()


def test_an_id_is_spent_once_whoever_asks(state: SharedState, open_state: Open) -> None:
    assert state.control_ids.spend("j_1", until=SOON, now=NOON)
    assert not state.control_ids.spend("j_1", until=SOON, now=NOON)
    assert not open_state().control_ids.spend("j_1", until=SOON, now=NOON)
    assert open_state().control_ids.spend("j_2", until=SOON, now=NOON)


def test_of_many_who_spend_one_id_at_the_same_moment_one_is_first(open_state: Open) -> None:
    start, won = threading.Barrier(8), list[bool]()

    def spend() -> None:
        mine = open_state()
        start.wait(60)
        won.append(mine.control_ids.spend("j_1", until=SOON, now=NOON))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(won) == [False] * 7 + [True]


def test_an_id_that_was_spent_for_nothing_can_be_spent_again(state: SharedState) -> None:
    assert state.control_ids.spend("j_1", until=SOON, now=NOON)
    state.control_ids.forget("j_1")

    assert state.control_ids.spend("j_1", until=SOON, now=NOON)


def test_news_wakes_every_listener_wherever_it_was_told(
    state: SharedState, open_state: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.adapters.redis_state._LISTEN_S", 200.0)
    woken: list[threading.Event] = [threading.Event() for _ in range(3)]
    ready = threading.Barrier(4)

    def listen(woke: threading.Event) -> None:
        line = open_state().news()
        line.wait()  # at once: whoever begins to listen looks first
        ready.wait(60)
        line.wait()
        woke.set()
        line.close()

    threads = [threading.Thread(target=listen, args=(woke,), daemon=True) for woke in woken]
    for thread in threads:
        thread.start()
    ready.wait(60)
    state.tell_news()

    for woke in woken:
        assert woke.wait(60), "a page would hear of it only at the next look"


def test_whoever_begins_to_listen_looks_at_once(state: SharedState) -> None:
    took = []
    for _ in range(3):
        line, started = state.news(), time.monotonic()
        line.wait()
        took.append(time.monotonic() - started)
        line.close()
        line.close()

    assert min(took) < 1.5


def test_a_turn_that_was_given_back_is_anothers_and_giving_back_twice_takes_nobodys_away(
    state: SharedState, open_state: Open
) -> None:
    first = state.take_turn("p_maja", longest_wait_s=1)
    assert first is not None
    state.give_turn_back("p_maja", first)
    second = open_state().take_turn("p_maja", longest_wait_s=1)
    assert second is not None
    state.give_turn_back("p_maja", first)

    if second:
        assert open_state().take_turn("p_maja", longest_wait_s=0.1) is None, "two would act on one sign-in at once"
    assert open_state().take_turn("p_samir", longest_wait_s=0.1) is not None


def test_it_says_that_it_answers(state: SharedState) -> None:
    assert state.is_healthy()
