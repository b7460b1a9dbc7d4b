"""One join through everything a bank runs: nginx, two web processes, PostgreSQL, Redis, the worker, Prosody."""

import asyncio
import json
import queue
import re
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pg8000 import dbapi

from sidecar.domain.meetings import ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.testing import ELIN, MAJA
from tests.integration.stack import AUTH, HOST, MUC, STORES, WEB_HOST, XMPP, Stack, running_stack
from tests.prosody.xmpp_client import RefusedError, XmppClient
from tests.servers.nginx import has_nginx
from tests.servers.postgres import postgres_folder
from tests.servers.redis import has_redis
from tests.servers.watching import until

pytestmark = [
    pytest.mark.skipif(
        not (has_nginx() and has_redis() and postgres_folder() and shutil.which("prosody")),
        reason="nginx, Redis, PostgreSQL and Prosody are needed",
    ),
    pytest.mark.timeout(600),  # seven programs start with the first test; on a busy machine that takes its time
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


class Heard:
    """What an open page hears, in a thread of its own."""

    def __init__(self, answer: requests.Response) -> None:
        assert answer.status_code == 200, answer.text
        self._events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._answer = answer
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        name = ""
        try:
            for line in self._answer.iter_lines(chunk_size=1, decode_unicode=True):
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    self._events.put((name, json.loads(line[6:])))
        except requests.RequestException:
            return  # the server went away

    def until(self, name: str) -> Any:
        while True:
            found, data = self._events.get(timeout=60)
            if found == name:
                return data


async def jicofo(stack: Stack, room: str) -> XmppClient:
    """Return a scripted Jicofo that has opened the room, from the inner network."""
    focus = await XmppClient.open(stack.prosody, host=AUTH)
    await focus.log_in("PLAIN", b"\0focus\0insecure")
    await focus.join(f"{room}@{MUC}", "focus")
    return focus


async def come(stack: Stack, room: str, token: str) -> XmppClient:
    """Return the client of somebody who entered the room through nginx."""
    query = {"token": token, "room": room}
    client = await XmppClient.open(stack.https, host=XMPP, query=query, tls=stack.tls(), web_host=WEB_HOST)
    await client.log_in()
    await client.join(f"{room}@{MUC}", "maja")
    return client


def told(stack: Stack, message: str) -> list[dict[str, Any]]:
    """Return what the web processes logged with these words."""
    lines = [json.loads(line) for line in stack.log("web.log").splitlines() if line.startswith("{")]
    return [line for line in lines if line["message"] == message]


def every_process_is_back(stack: Stack) -> bool:
    """Whether each process found again each store it had lost: one of two answers for itself alone."""
    return len(told(stack, "database is back")) == len(told(stack, "database cannot be reached"))


def url(path: str, host: str = HOST) -> str:
    return f"https://{host}{path}"


@pytest.mark.requirement("R001", "R011", "R132", "R216")
def test_a_join_goes_through_proxy_sidecar_and_room_server_and_ends_at_the_advisers_word(stack: Stack) -> None:
    product = stack.product
    meeting = product.book()
    elin = product.opens(meeting, ELIN)
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
    her, his = stack.through(maja), stack.through(elin)
    page = Heard(her.get(url(f"/v/{maja.place}/events"), stream=True, timeout=120))
    page.until("state")

    refused = her.post(url(f"/v/{maja.place}/room/token"), json={}, timeout=60)
    assert refused.status_code == 403, "a token before the door was opened"
    admitted = his.post(url(f"/v/{elin.place}/room/admit"), json={"participant": maja.place}, timeout=60)
    assert admitted.status_code == 200, admitted.text
    assert page.until("go") == {"url": f"/v/{maja.place}/room"}
    room = product.meeting(meeting).room
    shown = her.get(url(f"/v/{maja.place}/room"), timeout=60)
    assert shown.status_code == 200
    assert WEB_HOST in shown.headers["Content-Security-Policy"], "the page may not load Jitsi Meet"
    token = her.post(url(f"/v/{maja.place}/room/token"), json={}, timeout=60).json()["token"]

    async def join() -> None:
        focus = await jicofo(stack, room)
        client = await come(stack, room, token)
        await asyncio.to_thread(until, lambda: product.place(maja.place).state is ParticipantState.IN_ROOM)
        with pytest.raises(RefusedError, match="token-spent"):
            await come(stack, room, token)

        answer = await asyncio.to_thread(
            his.post, url(f"/v/{elin.place}/room/expel"), json={"participant": maja.place}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        async with asyncio.timeout(60):
            await client.closed.wait()
        await client.close()
        await focus.close()

    asyncio.run(asyncio.wait_for(join(), 200))
    assert page.until("go") == {"url": f"/v/{maja.place}/left"}

    kinds = product.kinds(meeting)
    wanted = [
        *("sign_in.completed", "meeting.opened", "participant.admitted", "token.minted"),
        *("token.spent", "participant.joined", "participant.expelled"),
    ]
    assert [kind for kind in wanted if kind not in kinds] == []
    assert kinds.index("token.minted") < kinds.index("participant.joined") < kinds.index("participant.expelled")
    until(lambda: "media.left" in product.kinds(meeting))
    logs = "".join(stack.log(name) for name in ("nginx.log", "web.log", "worker.log", "prosody/prosody.log"))
    assert token not in logs
    assert not re.search(r"Maja|Granlid|199002142389|a-password-of", logs)


@pytest.mark.requirement("R216")
@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        (HOST, "/", None),
        (HOST, "/internal/prosody/join-keys.json", 404),
        (HOST, "/internal/bridge/events", 404),
        (HOST, "/Internal/../internal/prosody/join-keys.json", 404),
        (HOST, "/readyz", 404),
        (HOST, "/jitsi/branding.json", 200),
        (WEB_HOST, "/v1/rooms/x", 404),
        (WEB_HOST, "/jitsi/config.js", 200),
        (WEB_HOST, "/index.html", 200),
        ("nordlyset.example", "/healthz", 200),
    ],
)
def test_from_outside_only_pages_and_the_room_servers_door_are_reached(
    stack: Stack, host: str, path: str, status: int | None
) -> None:
    answer = stack.through().get(url(path, host), timeout=60, allow_redirects=False)

    if status is not None:
        assert answer.status_code == status
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    assert "," not in answer.headers["Strict-Transport-Security"], "said twice, it holds not at all"
    if path == "/index.html":
        assert answer.text == f"Jitsi Meet for {WEB_HOST}"
    if host == WEB_HOST and status == 200:
        assert answer.headers["Content-Security-Policy"] == f"frame-ancestors https://{HOST}"


def test_a_name_that_is_nobodys_is_shown_no_certificate(stack: Stack) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", stack.https), 60) as line, pytest.raises(ssl.SSLError):
        context.wrap_socket(line, server_hostname="other.example")


def test_without_the_database_nothing_happens_and_it_says_so_and_goes_on_by_itself_afterwards(stack: Stack) -> None:
    product = stack.product
    meeting = product.book()
    elin = product.opens(meeting, ELIN)
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
    his = stack.through(elin)
    before = len(product.kinds(meeting))
    stack.postgres.stop()
    try:
        answer = his.post(url(f"/v/{elin.place}/room/admit"), json={"participant": maja.place}, timeout=60)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems#store-unavailable")
        parts = stack.direct("/readyz").json()["parts"]
        assert {name: parts[name] for name in (*STORES, "shared")} == {
            "meetings": "down",
            "people": "down",
            "sessions": "down",
            "shared": "ok",
        }
        assert stack.through().get(url("/healthz"), timeout=60).status_code == 200
    finally:
        stack.postgres.start()
    until(lambda: stack.direct("/readyz").ok and every_process_is_back(stack))

    assert "participant.admitted" not in product.kinds(meeting)[before:]
    assert maja.get("lobby").status_code == 200, "her page is there again, however long that took"
    answer = his.post(url(f"/v/{elin.place}/room/admit"), json={"participant": maja.place}, timeout=60)
    assert answer.status_code == 200, answer.text
    lost = told(stack, "database cannot be reached")
    assert {line["store"] for line in lost} <= {"meetings", "people", "sessions"}
    assert 1 <= len(lost) <= 6, "told once by each process for each store, not at each try"


def test_without_redis_pages_go_on_and_reports_wait_until_somebody_can_say_that_they_are_new(stack: Stack) -> None:
    product = stack.product
    meeting = product.book()
    elin = product.opens(meeting, ELIN)
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
    her, his = stack.through(maja), stack.through(elin)
    page = Heard(her.get(url(f"/v/{maja.place}/events"), stream=True, timeout=120))
    page.until("state")
    stack.redis.stop()
    try:
        admitted = his.post(url(f"/v/{elin.place}/room/admit"), json={"participant": maja.place}, timeout=60)
        assert admitted.status_code == 200, "a meeting does not wait for news to be told faster"
        assert page.until("go") == {"url": f"/v/{maja.place}/room"}
        ready = stack.direct("/readyz")
        assert (ready.status_code, ready.json()["parts"]["shared"]) == (503, "down")
        token = her.post(url(f"/v/{maja.place}/room/token"), json={}, timeout=60).json()["token"]

        async def stand_at_the_door() -> None:
            focus = await jicofo(stack, product.meeting(meeting).room)
            with pytest.raises(RefusedError, match="sidecar-unreachable"):
                await come(stack, product.meeting(meeting).room, token)
            await focus.close()

        asyncio.run(asyncio.wait_for(stand_at_the_door(), 120))
    finally:
        stack.redis.start()
    until(lambda: stack.direct("/readyz").ok)
    his.post(url(f"/v/{elin.place}/room/expel"), json={"participant": maja.place}, timeout=60)
    assert page.until("go") == {"url": f"/v/{maja.place}/left"}
    lost, back = told(stack, "shared state cannot be reached"), told(stack, "shared state is back")
    assert 1 <= len(lost) <= len(back) + 2, "told once by each process, not at each try"


def test_the_worker_gives_a_sign_of_life_and_no_user_of_one_store_reaches_another(stack: Stack) -> None:
    alive = stack.tillit("worker-alive")
    assert (alive.returncode, alive.stdout) == (0, "The worker is at work.\n"), alive.stderr
    for user, password, database in (
        ("tillit_meetings", "a-password-of-meetings", "people"),
        ("tillit_sessions", "a-password-of-sessions", "meetings"),
        ("tillit_people", "a-password-of-people", "postgres"),
    ):
        with pytest.raises(dbapi.DatabaseError, match="42501"):
            dbapi.connect(user, host="127.0.0.1", port=stack.postgres.port, password=password, database=database)
