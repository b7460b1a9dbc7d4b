"""A real Prosody with our modules, a stand-in sidecar that serves keys and takes events, and tokens for both."""

import asyncio
import contextlib
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import requests
from cryptography.hazmat.primitives import serialization

from sidecar.domain.clock import utc_now
from sidecar.domain.control_tokens import SeenIds, mint_control_token, verify_control_token
from sidecar.domain.ids import ParticipantId
from sidecar.domain.jws import JwkSet, LocalSigningKey, local_signing_key, new_private_key
from sidecar.domain.policy.features import jitsi_features
from sidecar.domain.tokens import mint_join_token, new_jti
from sidecar.testing.tokens import join_claims
from tests.prosody.xmpp_client import PATIENCE_S, XmppClient
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]
PROSODY = os.environ.get("PROSODY_UNDER_TEST", "prosody")  # script/prosody-13 names another than the installed one
HOST, MUC, AUTH = "meet.test", "muc.meet.test", "auth.meet.test"
FOCUS_JID = f"focus@{AUTH}"
COMPONENTS = ("polls", "metadata", "avmoderation", "filesharing", "endconference", "breakout", "speakerstats", "focus")

CONFIG = """
run_as_root = true; daemonize = false; pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"; plugin_paths = {{ "{modules}" }}
log = {{ {{ levels = {{ min = "info" }}, to = "file", filename = "{folder}/prosody.log" }} }}
modules_enabled = {{ "saslauth", "roster", "disco", "ping", "websocket" }}
modules_disabled = {{ "s2s", "offline" }}
c2s_ports = {{ }}; c2s_direct_tls_ports = {{ }}; component_ports = {{ }}; legacy_ssl_ports = {{ }}
http_interfaces = {{ "127.0.0.1" }}; http_ports = {{ {port} }}; https_ports = {{ }}
consider_websocket_secure = true; c2s_require_encryption = false; allow_unencrypted_plain_auth = true
http_default_host = "{muc}"
admins = {{ "{focus}" }}
tillit_issuer = "tillit"; tillit_audience = "shard-se"; tillit_join_algorithm = "RS256"
tillit_join_keys = "http://127.0.0.1:{sidecar}/join.json"; tillit_join_keys_refresh = {refresh}
tillit_sidecar_patience = {patience}
tillit_control_keys = "http://127.0.0.1:{sidecar}/control.json"; tillit_control_keys_refresh = {refresh}
tillit_events_url = "http://127.0.0.1:{sidecar}/internal/bridge/events"; tillit_events_key = "{folder}/events.pem"
tillit_muc_host = "{muc}"
{more}

VirtualHost "{host}"
  authentication = "{login}"
  modules_enabled = {{ {gates} }}

VirtualHost "ungated.test"
  authentication = "tillit"

VirtualHost "{auth}"
  authentication = "insecure"; insecure_open_authentication = "Yes please, I know what I'm doing!"

Component "{muc}" "muc"
  storage = "memory"; muc_room_cache_size = 10000
  restrict_room_creation = true; muc_room_locking = false; muc_tombstones = false; muc_room_default_public_jids = true
  modules_enabled = {{ {doors} }}

Component "lobby.{host}" "muc"
  muc_room_locking = false
"""


class Sidecar:
    """Serves the key sets and takes the events; can be taken away and brought back on the same port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.join_key = local_signing_key("RS256", new_private_key("RS256"))
        self.control_key = local_signing_key("ES256", new_private_key("ES256"))
        self.events_key: LocalSigningKey = local_signing_key("ES256", new_private_key("ES256"))
        self.join_keys = [self.join_key]
        self.events: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.changed = Condition()
        self._seen = SeenIds()
        self._server: ThreadingHTTPServer | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                keys = outer.join_keys if self.path == "/join.json" else [outer.control_key]
                self._answer(200, json.dumps({"keys": [key.public_jwk() for key in keys]}).encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.take(self.headers.get("Authorization", ""), self.path, body)
                self._answer(200, b"{}")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # Prosody may be killed while it is told
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def take(self, authorization: str, path: str, body: bytes) -> None:
        """Take a batch as the real sidecar does: by its own verifier of control tokens."""
        verify_control_token(
            authorization.removeprefix("Bearer "),
            jwks=JwkSet([self.events_key.public_jwk()]),
            expected_issuer="tillit-prosody",
            expected_audience="tillit-web",
            method="POST",
            path=path,
            body=body,
            now=utc_now(),
            seen=self._seen,
        )
        with self.changed:
            self.events += json.loads(body)["events"]
            self.changed.notify_all()

    def wait_for_event(self, kind: str, *, within: float = PATIENCE_S, **data: str) -> dict[str, Any]:
        def find() -> dict[str, Any] | None:
            return next(
                (
                    e
                    for e in self.events
                    if e["kind"] == kind and all({**e["data"], **e}.get(k) == v for k, v in data.items())
                ),
                None,
            )

        with self.changed:
            self.changed.wait_for(lambda: find() is not None, timeout=within)
        found = find()
        assert found is not None, f"no {kind} {data} among {[(e['kind'], e['data']) for e in self.events]}"
        return found


_numbers = itertools.count(1)


def somebody() -> ParticipantId:
    """Return a participant id that no test had: of what one person is refused, a rule is told once a minute."""
    return ParticipantId(f"p_{next(_numbers)}")


@dataclass
class Stand:
    """One running Prosody. Made by `running_stand`; `folder` is its own and outlives restarts."""

    folder: Path
    sidecar: Sidecar
    port: int = field(default_factory=free_port)
    refresh: int = 1
    patience: int = 30  # as in the product; shorter, a busy machine would close the door to somebody
    login: str = "tillit"
    more: str = ""  # lines of the global section
    gates: str = '"tillit_permissions", "tillit_sources"'
    doors: str = '"tillit_events", "tillit_admission", "tillit_control", "join_queue"'
    components: Mapping[str, str] = field(default_factory=dict)  # which module stands in for one, where not "echo"
    extra: str = ""  # hosts of the test's own, at the end of the configuration
    replaced: Mapping[str, str] = field(default_factory=dict)  # what stands otherwise in the configuration
    process: subprocess.Popen[bytes] | None = None
    clients: list[XmppClient] = field(default_factory=list)

    def start(self) -> None:
        """Start Prosody and wait until it answers."""
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "certs").mkdir(exist_ok=True)
        (self.folder / "events.pem").write_bytes(
            self.sidecar.events_key.private_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        config = CONFIG.format(
            folder=self.folder,
            modules=ROOT / "prosody-modules",
            port=self.port,
            sidecar=self.sidecar.port,
            refresh=self.refresh,
            patience=self.patience,
            gates=self.gates,
            doors=self.doors,
            login=self.login,
            more=self.more,
            host=HOST,
            muc=MUC,
            auth=AUTH,
            focus=FOCUS_JID,
        )
        for usual, other in self.replaced.items():
            assert usual in config
            config = config.replace(usual, other)
        config += "".join(f'Component "{name}.{HOST}" "{self.components.get(name, "echo")}"\n' for name in COMPONENTS)
        config += self.extra
        config = config.replace("plugin_paths = { ", f'plugin_paths = {{ "{Path(__file__).parent / "modules"}", ')
        (self.folder / "prosody.cfg.lua").write_text(config)
        self.process = subprocess.Popen(
            [PROSODY, "--config", self.folder / "prosody.cfg.lua"],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr.log").open("ab"),
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            restore_signals=False,  # a write past the limit of `fill_disk` fails instead of killing
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                requests.get(f"http://127.0.0.1:{self.port}/", timeout=5)
                return
            except requests.RequestException:
                time.sleep(0.02)
        raise RuntimeError(f"Prosody did not start: {self.log()[-2000:]}")

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:  # it waits for streams to close: on a busy machine, longer than we do
                self.process.kill()
                self.process.wait()
        self.process = None

    def fill_disk(self) -> None:
        """From now on no file of Prosody's grows."""
        assert self.process
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def empty_disk(self) -> None:
        assert self.process
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def log(self) -> str:
        path = self.folder / "prosody.log"
        return path.read_text() if path.exists() else ""

    def token(self, who: str = "maja", permissions: Iterable[str] = (), **changes: Any) -> str:
        """Return a join token. changes: any field of JoinClaims; `ttl` and `session` in seconds; `key`; `now`."""
        now = changes.pop("now", utc_now())
        ttl, key = changes.pop("ttl", 60), changes.pop("key", self.sidecar.join_key)
        moderator = changes.get("moderator", False)
        claims = {
            "jti": new_jti(),
            "user_id": ParticipantId(f"p_{who}"),
            "name": who.capitalize(),
            "affiliation": "owner" if moderator else "member",
            "moderator": moderator,
            "features": jitsi_features(frozenset(permissions)),
            "band": "medium",
            "method": "bankid",
            "permissions": frozenset(permissions),
            "session_until": now + timedelta(seconds=changes.pop("session", 3600)),
        }
        return mint_join_token(join_claims(**claims | changes), signing_key=key, now=now, ttl=timedelta(seconds=ttl))

    async def connect(self, token: str, room: str = "r7hq2m", *, host: str = HOST) -> XmppClient:
        """Log in with a join token. Raises RefusedError."""
        client = await XmppClient.open(self.port, host=host, query={"token": token, "room": room})
        self.clients.append(client)
        return await client.log_in()

    async def account(self, name: str) -> XmppClient:
        """Return a client of one of the operator's own accounts, which have passwords."""
        client = await XmppClient.open(self.port, host=AUTH)
        self.clients.append(client)
        return await client.log_in("PLAIN", f"\0{name}\0insecure".encode())

    async def focus(self, room: str = "r7hq2m") -> XmppClient:
        """Return a scripted Jicofo that has opened the room."""
        client = await self.account("focus")
        await client.join(f"{room}@{MUC}", "focus")
        return client

    async def person(self, who: str = "maja", permissions: Iterable[str] = (), **changes: Any) -> XmppClient:
        """Return a client that is in the room, nick = who."""
        inside = changes.pop("inside", "")
        room = changes.get("room", "r7hq2m")
        client = await self.connect(self.token(who, permissions, **changes), room)
        await client.join(f"{room}@{MUC}", who, inside=inside)
        return client

    async def command(self, method: str, target: str, body: Any = None, **changes: Any) -> requests.Response:
        """Send one command as the sidecar does. changes: what is signed instead (path, body, key, audience, token)."""
        data = json.dumps(body).encode() if body is not None else b""
        token = changes.pop("token", None) or self.command_token(method, target, data, **changes)
        return await asyncio.to_thread(
            requests.request,
            method,
            f"http://127.0.0.1:{self.port}{target}",
            data=data,
            headers={"Authorization": f"Bearer {token}", "Host": MUC},
            timeout=PATIENCE_S,
        )

    def command_token(self, method: str, target: str, data: bytes, **changes: Any) -> str:
        claims: dict[str, Any] = {
            "signing_key": self.sidecar.control_key,
            "issuer": "tillit",
            "audience": "tillit-prosody",
            "method": method,
            "path": target,
            "body": data,
            "now": utc_now(),
        }
        return mint_control_token(**claims | changes)

    async def close_clients(self) -> None:
        for client in self.clients:
            await client.close()
        self.clients.clear()


def new_stand(folder: Path, **options: Any) -> Stand:
    sidecar = Sidecar(free_port())
    sidecar.start()
    stand = Stand(folder, sidecar, **options)
    try:
        stand.start()
    except BaseException:
        stand.stop()
        sidecar.stop()
        raise
    return stand


@contextlib.asynccontextmanager
async def lateness(beside: XmppClient) -> AsyncIterator[Callable[[], float]]:
    """Yield what says, in seconds, how much this machine may have added to what happened in the block.

    beside: somebody whose pings are answered meanwhile. A ping is two steps, the longest act measured here eight.
    """
    slowest, loop = 0.0, asyncio.get_running_loop()
    asked_at = loop.time()

    async def ping() -> None:
        nonlocal slowest, asked_at
        while True:
            asked_at = loop.time()
            await beside.settle()
            slowest = max(slowest, loop.time() - asked_at)
            await asyncio.sleep(0.01)

    pinging = asyncio.create_task(ping())
    try:
        yield lambda: 4 * max(slowest, loop.time() - asked_at)
    finally:
        pinging.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pinging


def has_prosody() -> bool:
    return shutil.which(PROSODY) is not None
