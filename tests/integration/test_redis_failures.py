"""Redis gone, slow, full or with another password: nothing counts twice, pages go on hearing, and it is told once."""

import json
import queue
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest

from sidecar.adapters.redis_address import read_redis_url
from sidecar.adapters.redis_state import RedisState
from sidecar.adapters.sql.meeting_store import SqlMeetingStore, SqlMeetingTx
from sidecar.domain.errors import ConfigurationError, StoreUnavailableError
from sidecar.domain.ids import MeetingId
from sidecar.services.ports import Announcement
from sidecar.testing import Product
from sidecar.web.feed import Feed
from tests.servers.redis import Redis, has_redis, running_redis
from tests.servers.watching import logged, until

pytestmark = pytest.mark.skipif(not has_redis(), reason="Redis is not installed")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOON = NOON + timedelta(seconds=60)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_redis(folder) as running:
        yield running


def opened(server: Redis) -> RedisState:
    return RedisState(read_redis_url(server.url, key="shared.url"))


def test_without_redis_no_id_is_spent_and_nobody_waits_long_to_hear_so(server: Redis) -> None:
    """Letting it through would let one command be used at each web process once."""
    state = opened(server)
    assert state.control_ids.spend("j_1", until=SOON, now=NOON)
    server.stop()

    with logged() as said:
        took = []
        for _ in range(20):
            started = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                state.control_ids.spend("j_2", until=SOON, now=NOON)
            took.append(time.monotonic() - started)
        assert median(took) < 2
        assert not state.is_healthy()
        server.start()
        until(state.is_healthy)

    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["shared state cannot be reached", "shared state is back"]
    assert server.password not in said.getvalue()
    assert state.control_ids.spend("j_2", until=SOON, now=NOON)


def test_a_redis_that_answers_nothing_counts_as_down_within_a_second_or_two(server: Redis) -> None:
    state = opened(server)
    assert state.is_healthy()
    server.stop(signal.SIGSTOP)
    try:
        took = []
        for _ in range(3):
            state._down_until = 0.0  # as if the last try were long ago
            started = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                state.control_ids.spend("j_1", until=SOON, now=NOON)
            took.append(time.monotonic() - started)
        assert min(took) < 3
    finally:
        server.go_on()


def test_a_full_redis_refuses_instead_of_forgetting_an_id_early(server: Redis) -> None:
    state = opened(server)
    server.client().config_set("maxmemory", 1)
    server.client().config_set("maxmemory-policy", "noeviction")

    with pytest.raises(StoreUnavailableError):
        state.control_ids.spend("j_1", until=SOON, now=NOON)


def test_turns_are_not_waited_for_where_nobody_can_tell_whose_it_is(server: Redis) -> None:
    state = opened(server)
    server.stop()

    turn = state.take_turn("p_maja", longest_wait_s=5)

    assert turn == ""
    state.give_turn_back("p_maja", turn)


def test_a_password_that_changed_is_read_anew(server: Redis) -> None:
    state = opened(server)
    assert state.is_healthy()
    server.client().config_set("requirepass", "another")
    server.password_file.write_text("another\n")
    server.password = "another"
    server.client().client_kill_filter(_type="normal", skipme=True)

    until(state.is_healthy)


@pytest.mark.requirement("R134")
def test_pages_of_another_process_hear_at_once_and_go_on_hearing_while_redis_is_away(
    server: Redis, tmp_path: Path
) -> None:
    here, there = opened(server), opened(server)
    store = SqlMeetingStore(tmp_path / "meetings.sqlite", announced=there.tell_news)
    feed = Feed(SqlMeetingStore(tmp_path / "meetings.sqlite"), here)
    heard: queue.Queue[str] = queue.Queue()
    ready = threading.Event()

    def listen() -> None:
        for told in feed.listen(lambda _: True):
            ready.set()
            for each in told:
                heard.put(each.kind)

    threading.Thread(target=listen, daemon=True).start()
    assert ready.wait(60)

    def tell(kind: str) -> float:
        def effect(tx: SqlMeetingTx) -> None:
            tx.announce(Announcement(kind, MeetingId("m_one"), NOON))

        store.write(effect)
        started = time.monotonic()
        assert heard.get(timeout=60) == kind
        return time.monotonic() - started

    until(lambda: bool(server.client().pubsub_numsub("tillit:news")[0][1]))
    assert min(tell("hand.raised") for _ in range(5)) < 0.1, "they wait for the next look instead of being told"
    server.stop()
    assert min(tell("hand.lowered") for _ in range(3)) < 5
    server.start()
    until(lambda: bool(server.client().pubsub_numsub("tillit:news")[0][1]))
    assert min(tell("hand.raised") for _ in range(5)) < 0.1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("redis://:hunter2@redis/0", "holds a password"),
        ("redis://redis/zero", "form"),
        ("redis://redis/0?password=hunter2", "not an option"),
        ("redis://redis/0?password_file=secrets/redis", "absolute"),
        ("http://redis/0", "form"),
        ("redis:///0", "form"),
    ],
)
def test_what_is_no_address_of_a_redis_stops_the_start_without_telling_a_password(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_redis_url(text, key="shared.url")

    assert says in refused.value.detail
    assert "hunter2" not in refused.value.detail


@pytest.mark.requirement("R011")
def test_a_report_is_refused_with_503_while_nobody_can_say_whether_its_token_was_used(
    server: Redis, tmp_path: Path
) -> None:
    product = Product(tmp_path, more=f'[shared]\nurl = "{server.url}"\n')
    told = {"id": "e_1", "kind": "media.joined", "participant": "p_nobody", "at": "2026-11-24T12:00:00.000Z"}
    token = product.bridge_token(told)
    server.stop()

    assert product.bridge_says(told, token=token).status_code == 503
    ready = product.app.test_client().get("/readyz")
    assert (ready.status_code, ready.get_json()["parts"]["shared"]) == (503, "down")

    server.start()
    until(lambda: product.services.shared.is_healthy())
    assert product.bridge_says(told, token=token).status_code == 200
    assert product.bridge_says(told, token=token).status_code == 401, "one token, one request"
