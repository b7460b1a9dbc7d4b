"""The real sidecar behind a real Prosody: web application over HTTP, stores on disk, only people's browsers made up."""

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from werkzeug.serving import BaseWSGIServer, make_server

from sidecar.domain.clock import utc_now
from sidecar.domain.jws import LocalSigningKey, local_signing_key, new_private_key
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.testing import ELIN, MAJA, Browser, Clock, Product
from tests.integration.two_shards import lay_join_keys
from tests.prosody.stand import MUC, Sidecar, Stand, free_port

AUDIENCE = "shard-se"

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
control_host = "{muc}"
events_key = "events.pub.pem"
"""


class Now(Clock):
    """The time as it is: Prosody has no other."""

    def __call__(self) -> Any:
        return utc_now()


class RealSidecar:
    """Has of the stand-in what `Stand` asks for: a port, the key of reports, and a way to stop it."""

    def __init__(self, folder: Path, *, prosody: int, more: str = "") -> None:
        self.port = free_port()
        self.events_key: LocalSigningKey = local_signing_key("ES256", new_private_key("ES256"))
        public = self.events_key.private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (folder / "events.pub.pem").write_bytes(public)
        more = SETTINGS.format(prosody=prosody, muc=MUC) + more
        lay_join_keys(folder)
        self.product = Product(folder, clock=Now(), files=True, more=more, real_media=True)
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self.port, self.product.app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join(5)
            self._server.server_close()
            self._server = None


class Bank:
    """One shard: a Prosody with all our modules and the sidecar it reports to. Usable once started.

    settings: further ones, TOML, of the shard's own table first. stand: options of the Prosody.
    """

    def __init__(self, folder: Path, *, ask_at_the_door: bool = True, settings: str = "", **stand: Any) -> None:
        (folder / "sidecar").mkdir(exist_ok=True)
        (folder / "prosody").mkdir()
        prosody = stand.pop("prosody", 0) or free_port()
        self.sidecar = RealSidecar(folder / "sidecar", prosody=prosody, more=settings)
        at = f"http://127.0.0.1:{self.sidecar.port}"
        replaced = {
            '"websocket" }': '"websocket", "smacks", "same_user" }',
            f"{at}/join.json": f"{at}/internal/prosody/join-keys.json",
            f"{at}/control.json": f"{at}/internal/prosody/control-keys.json",
        }
        if ask_at_the_door:
            usual = f'tillit_muc_host = "{MUC}"'
            replaced[usual] = f'{usual}\ntillit_admission_url = "{at}/internal/prosody/admissions"'
        # It has of the stand-in what a stand asks for.
        self.stand = Stand(folder / "prosody", cast(Sidecar, self.sidecar), port=prosody, replaced=replaced, **stand)

    @property
    def product(self) -> Product:
        return self.sidecar.product

    def start(self) -> "Bank":
        self.sidecar.start()
        self.stand.start()
        self.wait_until_open()
        return self

    def wait_until_open(self) -> None:
        """Return when Prosody has fetched its keys: it answers a moment before."""
        deadline = time.monotonic() + 60
        while not self.product.services.conference.answers("se"):
            assert time.monotonic() < deadline, self.stand.log()[-2000:]
            time.sleep(0.05)

    def stop(self) -> None:
        self.stand.stop()
        self.sidecar.stop()

    def begin(self) -> "Held":
        """Book a mortgage meeting, open it as its adviser, and let the customer in from the lobby."""
        meeting = self.product.book()
        elin = self.product.opens(meeting, ELIN)
        maja = self.product.arrives(self.product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
        assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
        return Held(self.product, meeting, elin, maja)


class Held:
    """A meeting that has begun. elin, maja: browsers whose pages ask the sidecar; their XMPP clients are the test's."""

    def __init__(self, product: Product, meeting: Meeting, elin: Browser, maja: Browser) -> None:
        self.product, self._meeting, self.elin, self.maja = product, meeting, elin, maja

    @property
    def meeting(self) -> Meeting:
        return self.product.meeting(self._meeting)

    @property
    def room(self) -> str:
        return self.meeting.room

    def token(self, who: Browser) -> str:
        answer = who.post("room/token")
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["token"])

    def records(self, *kinds: str) -> list[tuple[str, str, Mapping[str, Any]]]:
        """Return kind, actor and data of what was recorded of this meeting, in order."""
        found = self.product.records(self._meeting)
        return [(r.kind, r.actor, json.loads(json.dumps(dict(r.data)))) for r in found if not kinds or r.kind in kinds]
