"""The bridge as a process: real tokens, its internal interface, its reports, and how it stops."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sidecar.adapters.key_files import KeyRing
from sidecar.bridge.testing import ALL_MEDIA, Client, eventually, local_address
from sidecar.domain import clock
from sidecar.domain.control_tokens import SeenIds, mint_control_token, verify_control_token
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.domain.tokens import mint_join_token, new_jti
from sidecar.testing.tokens import join_claims
from tests.servers.ports import free_port


@dataclass
class WebProcess:
    """Stands where the web process is: takes reports, after refusing as often as told."""

    ring: KeyRing
    refuse: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    seen: SeenIds = field(default_factory=SeenIds)

    async def take(self, request: web.Request) -> web.Response:
        verify_control_token(
            request.headers["Authorization"].removeprefix("Bearer "),
            jwks=self.ring.jwks("control"),
            expected_issuer="tillit-bridge",
            expected_audience="tillit-web",
            method="POST",
            path="/internal/bridge/events",
            body=await request.read(),
            now=clock.utc_now(),
            seen=self.seen,
        )
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        self.events += (await request.json())["events"]
        return web.Response(status=204)

    def kinds(self) -> list[tuple[str, str]]:
        return [(event["kind"], event["participant"]) for event in self.events]


@dataclass
class Started:
    """A running bridge process and who speaks to it."""

    ring: KeyRing
    web: WebProcess
    process: asyncio.subprocess.Process
    url: str
    media: tuple[str, int]
    http: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        data = json.dumps(body).encode() if body is not None else b""
        token = token if token is not None else self.control_token(method, path, data)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(method, self.url + path, data=data, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else {}

    def control_token(self, method: str, path: str, body: bytes) -> str:
        return mint_control_token(
            signing_key=self.ring.signing_key("control"),
            issuer="tillit",
            audience="tillit-bridge",
            method=method,
            path=path,
            body=body,
            now=clock.utc_now(),
        )

    def join_token(self, participant: str, room: str = "kitchen", permissions: frozenset[str] = ALL_MEDIA) -> str:
        now = clock.utc_now()
        claims = join_claims(
            audience="tillit-local",
            room=RoomName(room),
            jti=new_jti(),
            user_id=ParticipantId(participant),
            permissions=permissions,
            session_until=now + timedelta(hours=1),
        )
        return mint_join_token(claims, signing_key=self.ring.signing_key("join"), now=now, ttl=timedelta(seconds=60))

    async def join(self, client: Client, participant: str, **more: Any) -> None:
        body = {"token": self.join_token(participant, **more), "sdp": await client.offer()}
        status, answer = await self.call("POST", "/v1/rooms/kitchen/participants", body)
        assert status == 201, answer
        await client.answered(answer["sdp"])
        await eventually(lambda: client.channel.readyState == "open")


@asynccontextmanager
async def started(folder: Path, *, refuse: int = 0) -> AsyncIterator[Started]:
    ring = KeyRing.open(folder / "keys")
    web_process = WebProcess(ring, refuse)
    application = web.Application()
    application.router.add_post("/internal/bridge/events", web_process.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    events_url = f"http://127.0.0.1:{runner.addresses[0][1]}/internal/bridge/events"
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sidecar.bridge", "--listen", f"127.0.0.1:{port}", "--media", f"{local_address()}:0"),
        *("--keys", str(folder / "keys"), "--events-url", events_url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    media_port = int(line.rpartition(", ")[2].strip("()\n, ")) if "UDP" in line else 0
    async with aiohttp.ClientSession() as http:
        try:
            yield Started(ring, web_process, process, f"http://127.0.0.1:{port}", (local_address(), media_port), http)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await runner.cleanup()


async def waited_for_a_processor(pid: int) -> float:
    """Return for how many seconds a process was ready to run and others ran, from now until it is gone (Linux)."""
    account, seen = Path(f"/proc/{pid}/schedstat"), [0]
    with contextlib.suppress(OSError, IndexError):  # it is gone
        seen = [int(account.read_text().split()[1])]
        while True:
            await asyncio.sleep(0.005)
            seen.append(int(account.read_text().split()[1]))
    return (seen[-1] - seen[0]) / 1e9


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 200))


@pytest.mark.requirement("R217", "R106")
def test_a_meeting_by_commands_from_beginning_to_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with started(tmp_path, refuse=2) as bridge, Client() as maja, Client() as elin:
            await bridge.join(maja, "p_maja")
            await bridge.join(elin, "p_elin")
            await eventually(lambda: maja.frames("video") > 5 and elin.frames("video") > 5)

            status, room = await bridge.call("GET", "/v1/rooms/kitchen")
            assert status == 200
            assert [p["id"] for p in room["participants"]] == ["p_maja", "p_elin"]
            assert all(p["tracks"]["camera"]["flowing"] and p["dtls_fingerprint"] for p in room["participants"])

            body = {"permissions": ["speak"], "session_until": clock.to_text(clock.utc_now() + timedelta(hours=1))}
            path = "/v1/rooms/kitchen/participants/p_maja"
            assert (await bridge.call("PUT", f"{path}/permissions", body))[0] == 204
            await eventually(lambda: elin.last("media").get("camera") is False)

            assert (await bridge.call("POST", f"{path}/mute", {"kind": "audio"}))[0] == 204
            await eventually(lambda: maja.last("muted"))

            assert (await bridge.call("DELETE", f"{path}?reason=expelled"))[0] == 204
            await eventually(lambda: maja.last("removed").get("reason") == "expelled")
            assert (await bridge.call("DELETE", "/v1/rooms/kitchen?reason=ended"))[0] == 204
            await eventually(lambda: elin.last("removed").get("reason") == "ended")
            assert (await bridge.call("GET", "/v1/rooms/kitchen"))[0] == 404

            # In order and each once, though the web process refused twice
            await eventually(lambda: ("media.left", "p_elin") in bridge.web.kinds())
            kinds = [each for each in bridge.web.kinds() if each[0] != "speaker"]
            assert kinds == [
                ("media.joined", "p_maja"),
                ("media.joined", "p_elin"),
                ("track.dropped", "p_maja"),
                ("media.left", "p_maja"),
                ("media.left", "p_elin"),
            ]
            assert len({event["id"] for event in bridge.web.events}) == len(bridge.web.events)

    run(story())


@pytest.mark.requirement("R001")
def test_nobody_enters_without_a_token_for_this_room_used_for_the_first_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with started(tmp_path) as bridge, Client(camera=False) as maja:
            path, sdp = "/v1/rooms/kitchen/participants", await maja.offer()
            good = bridge.join_token("p_maja")
            assert (await bridge.call("POST", path, {"token": good, "sdp": sdp}))[0] == 201

            for token in (good, bridge.join_token("p_maja", room="cellar"), good[:-4] + "AAAA", "", "a.b.c"):
                status, problem = await bridge.call("POST", path, {"token": token, "sdp": sdp})
                assert status == 401
                assert problem["title"] == "The token was refused"

    run(story())


@pytest.mark.requirement("R216")
def test_no_command_is_taken_without_a_token_for_this_very_request(tmp_path: Path) -> None:
    async def story() -> None:
        async with started(tmp_path) as bridge, Client(camera=False) as maja:
            await bridge.join(maja, "p_maja")
            path = "/v1/rooms/kitchen/participants/p_maja?reason=expelled"
            assert (await bridge.call("DELETE", path, token=""))[0] == 401
            other = bridge.control_token("DELETE", path.replace("maja", "elin"), b"")
            assert (await bridge.call("DELETE", path, token=other))[0] == 401
            spent = bridge.control_token("GET", "/v1/rooms/kitchen", b"")
            assert (await bridge.call("GET", "/v1/rooms/kitchen", token=spent))[0] == 200
            assert (await bridge.call("GET", "/v1/rooms/kitchen", token=spent))[0] == 401
            assert (await bridge.call("GET", "/v1/rooms/kitchen", token=bridge.join_token("p_maja")))[0] == 401
            assert maja.last("removed") == {}

    run(story())


def test_a_useless_offer_is_a_clear_problem_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story() -> None:
        async with started(tmp_path) as bridge, Client(camera=False) as maja:
            path, sdp = "/v1/rooms/kitchen/participants", await maja.offer()
            for offer, sentence in (
                (sdp.replace("a=rtcp-mux", "a=x"), "media section 0 must use rtcp-mux"),
                ("v=0\r\n", "the session description has no media sections"),
                ("v=0" + "x" * 300_000, "the session description is larger than 256 KiB"),
                (7, "token and sdp are needed, both text"),
            ):
                body = {"token": bridge.join_token("p_maja"), "sdp": offer}
                status, problem = await bridge.call("POST", path, body)
                assert (status, problem["detail"]) == (400, sentence)
                assert problem["type"] == "/problems#invalid-input"
            assert (await bridge.call("POST", path, {"sdp": "x" * 600_000}))[0] == 413
            metrics = (await bridge.call("GET", "/metrics", token=""))[1]
            assert (metrics["rooms"], metrics["participants"]) == (0, 0)

    run(story())


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v1/rooms/kitchen/participants/p_maja/permissions", {"permissions": "all"}, 400),
        (
            "PUT",
            "/v1/rooms/kitchen/participants/p_maja/permissions",
            {"permissions": [], "session_until": "tomorrow"},
            400,
        ),
        ("POST", "/v1/rooms/kitchen/participants/p_maja/mute", {"kind": "everything"}, 400),
        ("POST", "/v1/rooms/kitchen/participants/p_maja/mute", [], 400),
        ("DELETE", "/v1/rooms/kitchen/participants/p_maja?reason=Because+I+say+so", None, 400),
        ("DELETE", "/v1/rooms/kitchen/participants/p_nobody", None, 404),
        ("DELETE", "/v1/rooms/cellar", None, 404),
        ("GET", "/v1/rooms/a.b", None, 404),
        ("GET", "/v2", None, 404),
    ],
)
def test_a_command_that_makes_no_sense_is_a_problem(
    tmp_path: Path, method: str, path: str, body: object, status: int
) -> None:
    async def story() -> None:
        async with started(tmp_path) as bridge, Client(camera=False) as maja:
            await bridge.join(maja, "p_maja")
            found, problem = await bridge.call(method, path, body)
            assert found == status
            assert problem["status"] == status

    run(story())


def test_asked_to_stop_it_says_goodbye_and_is_gone_within_a_second(tmp_path: Path) -> None:
    """A bridge that decoded once ignored SIGTERM."""

    async def story() -> None:
        async with started(tmp_path) as bridge, Client() as maja, Client() as elin:
            await bridge.join(maja, "p_maja")
            await bridge.join(elin, "p_elin")
            await eventually(lambda: maja.frames("video") > 5)

            asked_at, waiting = time.monotonic(), asyncio.create_task(waited_for_a_processor(bridge.process.pid))
            bridge.process.send_signal(signal.SIGTERM)
            assert await bridge.process.wait() == 0
            took = time.monotonic() - asked_at
            assert took - await waiting < 1.0
            await eventually(lambda: maja.last("removed").get("reason") == "bridge_stopped")
            assert ("media.left", "p_elin") in bridge.web.kinds()

    run(story())


def test_its_log_names_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        async with started(tmp_path) as bridge, Client() as maja:
            await bridge.join(maja, "p_maja")
            await bridge.call("POST", "/v1/rooms/kitchen/participants", {"token": "x", "sdp": "y"})
            bridge.process.send_signal(signal.SIGTERM)
            log = b"".join(await bridge.process.communicate())
            for secret in (b"Maja", b"p_maja", b"kitchen", local_address().encode(), b"eyJ"):
                assert secret not in log

    run(story())


def test_a_storm_of_damaged_datagrams_harms_nobody(tmp_path: Path) -> None:
    """From addresses that are unknown, and from one that has proven itself."""

    async def story() -> None:
        async with started(tmp_path) as bridge, Client() as maja, Client() as elin:
            await bridge.join(maja, "p_maja")
            await bridge.join(elin, "p_elin")
            await eventually(lambda: elin.frames("video") > 5)

            chance = random.Random(5)
            genuine: list[bytes] = []
            transport = maja.connection.getSenders()[0].transport.transport
            send = transport._send

            async def recorded(data: bytes) -> None:
                genuine.append(data)
                await send(data)

            transport._send = recorded
            await eventually(lambda: len(genuine) > 60)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for number in range(3000):
                    data = bytearray(chance.choice(genuine) if number % 2 else os.urandom(chance.randrange(1, 300)))
                    for _ in range(chance.randrange(4)):
                        data[chance.randrange(len(data))] = chance.randrange(256)
                    data = data[: chance.randrange(1, len(data) + 1)]
                    stranger.sendto(data, bridge.media)
                    await send(bytes(data))
                    if number % 50 == 0:
                        await asyncio.sleep(0.01)
            seen = elin.frames("video")
            await eventually(lambda: elin.frames("video") > seen + 10)
            assert elin.last("removed") == maja.last("removed") == {}
            bridge.process.send_signal(signal.SIGTERM)
            log = b"".join(await bridge.process.communicate())
            assert b"could not be handled" not in log
            assert b"Traceback" not in log

    run(story())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--media", "0.0.0.0:5000"],
        ["--media", "example.org:5000"],
        ["--media", "127.0.0.1:99999"],
        ["--media", "127.0.0.1:0=bank"],
    ],
)
def test_it_does_not_start_on_what_it_cannot_use(tmp_path: Path, arguments: list[str]) -> None:
    async def story() -> None:
        KeyRing.open(tmp_path / "keys")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sidecar.bridge", "--keys", str(tmp_path / "keys")),
            *arguments,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        assert process.returncode == 2
        assert errors.startswith(b"bridge: ")

    run(story())
