"""The stack of docker-compose.yml without containers: every program real and from this machine's packages."""

import os
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives import serialization
from requests.adapters import HTTPAdapter

from sidecar.adapters.jitsi_config import Surroundings, render, write
from sidecar.domain.jws import local_signing_key, new_private_key
from sidecar.testing import ORIGIN, Browser, Product
from tests.prosody.real_sidecar import Now
from tests.prosody.stand import PROSODY
from tests.servers.certificates import TestCa
from tests.servers.nginx import running_nginx
from tests.servers.ports import free_port
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.redis import Redis, running_redis

ROOT = Path(__file__).parents[2]
HOST = ORIGIN.removeprefix("https://")
WEB_HOST = f"meet.{HOST}"
XMPP, MUC, AUTH = "meet.jitsi", "muc.meet.jitsi", "auth.meet.jitsi"
STORES = ("meetings", "people", "sessions")
_START_S = 200.0

SETTINGS = """
[tokens]
algorithm = "RS256"
[conference]
kind = "jitsi"
[[shards]]
id = "se"
region = "eu-north-se"
domiciles = ["SE", "FI"]
audience = "shard-se"
url = "http://127.0.0.1:{prosody}"
control_host = "muc.meet.jitsi"
events_key = "events.pub.pem"
"""

# What the image's own configuration has around ours: hosts, WebSocket, and a login, since plain Prosody has no
# token module of Jitsi's.
PROSODY_CONFIG = """
run_as_root = true; daemonize = false; pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"; plugin_paths = {{ "{root}/tests/prosody/modules", "{root}/prosody-modules" }}
log = {{ {{ levels = {{ min = "info" }}, to = "file", filename = "{folder}/prosody.log" }} }}
modules_enabled = {{ "saslauth", "roster", "disco", "ping", "websocket" }}
modules_disabled = {{ "s2s", "offline" }}
c2s_ports = {{ }}; c2s_direct_tls_ports = {{ }}; component_ports = {{ }}; legacy_ssl_ports = {{ }}
http_interfaces = {{ "127.0.0.1" }}; http_ports = {{ {port} }}; https_ports = {{ }}
consider_websocket_secure = true; c2s_require_encryption = false; allow_unencrypted_plain_auth = true
http_default_host = "meet.jitsi"; trusted_proxies = {{ "127.0.0.1" }}
admins = {{ "focus@auth.meet.jitsi" }}
Include "{rendered}/prosody/tillit.cfg.lua"

VirtualHost "meet.jitsi"
  authentication = "tillit"
  modules_enabled = {{ "tillit_permissions", "tillit_sources" }}

VirtualHost "auth.meet.jitsi"
  authentication = "insecure"; insecure_open_authentication = "Yes please, I know what I'm doing!"

Component "muc.meet.jitsi" "muc"
  restrict_room_creation = true; muc_room_locking = false; muc_tombstones = false; muc_room_default_public_jids = true
  modules_enabled = {{ "tillit_events", "tillit_admission", "tillit_control" }}
"""


class ToOneAddress(HTTPAdapter):
    """Takes every request to one port of this machine, under the name and certificate of its URL."""

    def __init__(self, port: int, ca: Path) -> None:
        self._port, self._ca = port, str(ca)
        super().__init__()

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        name = request.url.split("/")[2]
        return self.poolmanager.connection_from_host(
            "127.0.0.1",
            port=self._port,
            scheme="https",
            pool_kwargs={
                "ca_certs": self._ca,
                "cert_reqs": "CERT_REQUIRED",
                "assert_hostname": name,
                "server_hostname": name,
            },
        )

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        return None  # said in the pool's own arguments

    def add_headers(self, request: Any, **_: Any) -> None:
        request.headers["Host"] = request.url.split("/")[2]


class StaticPages:
    """Stands for the image that serves Jitsi Meet's files: says which host it was asked under."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"Jitsi Meet for {self.headers['Host']}".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@dataclass
class Stack:
    """Everything that runs. product: the same stores from this process, for the people that are made up."""

    folder: Path
    postgres: Postgres
    redis: Redis
    ca: TestCa
    product: Product
    https: int
    web: int
    prosody: int
    environ: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def through(self, browser: Browser | None = None) -> requests.Session:
        """Return a browser that goes through nginx, with the cookies of one that was made up in this process."""
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", ToOneAddress(self.https, self.ca.file))
        if browser is not None:
            for name in ("tillit_visit", "tillit_staff", "__Host-tillit_visit", "__Host-tillit_staff"):
                if value := browser.cookie(name):
                    session.cookies.set(name, value, domain=HOST)
            session.headers["X-Tillit-CSRF"] = browser.csrf()
        return session

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca.file)

    def direct(self, path: str) -> requests.Response:
        """Ask the web process from the inner network."""
        return requests.get(f"http://127.0.0.1:{self.web}{path}", timeout=60)

    def tillit(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as an operator does, over the same settings."""
        return subprocess.run(
            [ROOT / ".venv" / "bin" / "python", "-m", "sidecar", "--settings", self.folder / "tillit.toml", *command],
            capture_output=True,
            text=True,
            timeout=200,
            env=os.environ | self.environ,
            cwd=ROOT,
        )

    def log(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    with ExitStack() as running:
        servers = _start_together(
            lambda: running.enter_context(running_postgres()),
            lambda: running.enter_context(running_redis(_made(folder / "redis"))),
        )
        postgres, redis = servers
        web, prosody, https, http = (free_port() for _ in range(4))
        ca, pages = TestCa(folder / "ca"), StaticPages()
        running.callback(pages.server.server_close)
        running.callback(pages.server.shutdown)
        _make_stores(postgres, folder / "secrets")
        _make_reports_key(folder)
        environ = {
            "TILLIT_WEB__LISTEN": f"127.0.0.1:{web}",
            "TILLIT_WEB__WORKERS": "2",
            "TILLIT_WEB__TRUSTED_PROXIES": "127.0.0.1",
            "TILLIT_BRIDGE__EVENTS_URL": f"http://127.0.0.1:{web}/internal/bridge/events",
            "TILLIT_SHARED__URL": redis.url,
            "TILLIT_WORKER__INTERVAL": "1s",
            "TILLIT_PLUGINS__APPROVALS": str(ROOT / "plugins" / "approvals.toml"),
            **{
                f"TILLIT_STORES__{store.upper()}": f"postgresql://tillit_{store}@127.0.0.1:{postgres.port}/{store}"
                f"?password_file={folder}/secrets/pg_{store}"
                for store in STORES
            },
        }
        more = SETTINGS.format(prosody=prosody)
        product = Product(folder, clock=Now(), files=True, more=more, real_media=True, environ=environ)
        around = Surroundings(
            sidecar_address=f"127.0.0.1:{web}",
            prosody_address=f"127.0.0.1:{prosody}",
            web_address=f"127.0.0.1:{pages.port}",
            listen_http=f"127.0.0.1:{http}",
            listen_https=f"127.0.0.1:{https}",
            resolver="",
            tls=str(_certificates(folder, ca)),
            run=str(_made(folder / "nginx")),
            events_key=str(folder / "events.pem"),
        )
        templates = ROOT / "jitsi-config" / "stable-11146-2"
        write(render(product.services.settings, templates=templates, around=around), folder / "rendered")
        stack = Stack(folder, postgres, redis, ca, product, https=https, web=web, prosody=prosody, environ=environ)
        running.callback(_stop, stack.processes)
        for command in ("web", "worker"):
            stack.processes.append(_tillit(folder, command, environ))
        _until(lambda: stack.direct("/healthz").ok, stack)
        stack.processes.append(_prosody(folder, prosody))
        running.enter_context(running_nginx(folder / "rendered/nginx/nginx.conf", port=https, log=folder / "nginx.log"))
        _until(lambda: stack.direct("/readyz").ok, stack)
        yield stack


def _start_together(*starts: Callable[[], Any]) -> list[Any]:
    found: dict[int, Any] = {}
    failed: list[BaseException] = []

    def run(number: int, start: Callable[[], Any]) -> None:
        try:
            found[number] = start()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number, start)) for number, start in enumerate(starts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in failed:
        raise error
    return [found[number] for number in range(len(starts))]


def _make_stores(postgres: Postgres, secrets: Path) -> None:
    """Run the very script the container runs at its first start."""
    for store in STORES:
        (_made(secrets) / f"pg_{store}").write_text(f"a-password-of-{store}\n")
    subprocess.run(
        [ROOT / "jitsi-config" / "postgres" / "stores.sh"],
        check=True,
        timeout=120,
        env={
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres.port),
            "PGPASSWORD": postgres.password,
            "POSTGRES_USER": "tillit",
            "STORES_SECRETS": str(secrets),
        },
    )


def _make_reports_key(folder: Path) -> None:
    key = local_signing_key("ES256", new_private_key("ES256")).private_key
    (folder / "events.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "events.pub.pem").write_bytes(public)


def _certificates(folder: Path, ca: TestCa) -> Path:
    """Return the folder of certificates, one for each brand's host, good for Jitsi Meet's host below it."""
    tls = _made(folder / "tls")
    for host in (HOST, "nordlyset.example"):
        key, certificate = ca.issue(host, f"meet.{host}")
        key.rename(tls / f"{host}-key.pem")
        certificate.rename(tls / f"{host}.pem")
    return tls


def _tillit(folder: Path, command: str, environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    program = [ROOT / ".venv" / "bin" / "python", "-m", "sidecar", "--settings", folder / "tillit.toml", command]
    with (folder / f"{command}.log").open("ab") as log:
        return subprocess.Popen(
            program, stdout=log, stderr=subprocess.STDOUT, env=os.environ | environ, cwd=ROOT, start_new_session=True
        )


def _prosody(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    own = _made(folder / "prosody")
    _made(own / "data")
    _made(own / "certs")
    text = PROSODY_CONFIG.format(folder=own, root=ROOT, port=port, rendered=folder / "rendered")
    (own / "prosody.cfg.lua").write_text(text)
    with (own / "stderr.log").open("ab") as log:
        return subprocess.Popen(
            [PROSODY, "--config", own / "prosody.cfg.lua"],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )


def _stop(processes: "list[subprocess.Popen[bytes]]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                continue
        if number == signal.SIGTERM:
            deadline = time.monotonic() + 30
            while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
                time.sleep(0.05)
    for process in processes:
        process.wait(60)


def _until(condition: Callable[[], bool], stack: Stack) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            if condition():
                return
        except requests.RequestException:
            pass
        if time.monotonic() > deadline or any(process.poll() is not None for process in stack.processes):
            names = ("web.log", "worker.log", "nginx.log", "prosody/prosody.log", "prosody/stderr.log")
            raise RuntimeError("\n".join(f"{name}: {stack.log(name)[-1500:]}" for name in names))
        time.sleep(0.05)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
