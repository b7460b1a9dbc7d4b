"""A whole meeting with everything that goes wrong in it leaves nothing personal in the logs: neither of the two."""

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.domain.verify_evidence import verify
from sidecar.logs import JsonFormatter
from sidecar.services.ports import DeliveryFailedError
from sidecar.testing import BERIT, ELIN, MAJA, SAMIR, SDP, TURE, Browser, Product, guest

pytestmark = pytest.mark.requirement("R118", "R119", "R202")

WORDS = "Jag vill låna 2 400 000 kronor"
PURPOSE = "Utöka bolånet för renovering av sommarstugan"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything any logger writes, at every level, as the product writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


class Journey:
    """One meeting, held to its end. secrets: what may stand in no log."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.secrets: set[str] = {WORDS, PURPOSE, "482113", SDP.strip()}
        for who in (MAJA, SAMIR, TURE, ELIN, BERIT):
            self.secrets |= {part for part in who.personal if len(part) > 3}
        self.secrets |= {MAJA.number[2:], MAJA.phone[1:], SAMIR.number[2:]}

    def hold(self) -> None:
        product = self.product
        product.channels["inbox"].broken = DeliveryFailedError(retry=True)
        self.meeting = meeting = product.book(guests=[guest(SAMIR)], purpose=PURPOSE)
        product.clock.on(seconds=11)
        product.worker()
        product.channels["inbox"].broken = None
        maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER))
        samir = product.arrives(product.place_of(meeting, Capacity.OBSERVER))
        self.secrets |= {product.services.links.secret(each.place) for each in (maja, samir)}  # type: ignore[arg-type]
        maja.identifies(TURE)
        maja.post("sign-in/start", {"method": MAJA.email, "same_device": False})
        maja.waits(MAJA)
        samir.waits(SAMIR)
        elin = product.opens(meeting)
        for browser in (maja, samir):
            elin.post("room/admit", {"participant": browser.place})
        for browser in (maja, samir, elin):
            token = browser.post("room/token").get_json()["token"]
            self.secrets |= {token, token.split(".")[1]}
            browser.post("room/join", {"token": token, "sdp": SDP})
            browser.post("room/join", {"token": token, "sdp": SDP})
        maja.post("room/chat", {"text": WORDS})
        samir.post("room/chat", {"text": WORDS})
        elin.post("room/raise", {"target": MAJA.email})
        elin.post("room/raise", {"target": "chat:off"})
        elin.post("room/invite", {"name": TURE.name, "capacity": "observer", "email": TURE.phone, "national_id": "x"})
        self.mistakes(maja, elin)
        elin.post("room/end")
        product.worker()
        elin.get(f"/desk/meetings/{meeting.id}/journal")
        self.secrets |= {maja.cookie("tillit_visit"), elin.cookie("tillit_staff"), maja.csrf(), elin.csrf()}

    def mistakes(self, maja: Browser, elin: Browser) -> None:
        """What only goes wrong: unknown paths with secrets in them, a crash with names in its text, a lost store."""
        product = self.product
        product.browser().get(f"/m/{MAJA.number}")
        product.browser().get(f"/{MAJA.email}?phone={MAJA.phone}")
        maja.get(f"room?name={MAJA.name}")
        product.bridge_says(
            {"id": "ev_1", "kind": "message.dropped", "participant": maja.place, "data": {"type": MAJA.email}}
        )

        def crash() -> None:
            raise RuntimeError(f"{MAJA.name} {MAJA.number} could not be signed in")

        product.eid.on_poll = crash
        maja.post("sign-in/start", {"method": "bankid", "same_device": False})
        assert maja.post("sign-in/poll").status_code == 500
        product.eid.on_poll = lambda: None
        with product.dead_audit():
            elin.post("room/chat", {"text": WORDS})
        product.channels["email"].broken = DeliveryFailedError(f"no mailbox {SAMIR.email}", retry=False)


def test_neither_log_holds_anything_personal(tmp_path: Path, lines: io.StringIO) -> None:
    product = Product(tmp_path, files=True)
    journey = Journey(product)
    journey.hold()
    log = lines.getvalue()
    audit = b"".join(path.read_bytes() for path in sorted((tmp_path / "data" / "audit").rglob("*")) if path.is_file())

    assert len(log.splitlines()) > 8, "the log was listened to"
    assert audit.count(b'"kind"') > 40, "the audit log was looked at"
    for secret in journey.secrets:
        assert secret not in log, secret
        assert secret.encode() not in audit, secret
        assert json.dumps(secret)[1:-1] not in log, "written with escapes"
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}", log), "a token"
    assert not re.search(r"\b(?:127\.0\.0\.1|\d{1,3}(?:\.\d{1,3}){3})\b", log), "an address"


def test_the_evidence_of_that_meeting_verifies_and_names_nobody(tmp_path: Path) -> None:
    product = Product(tmp_path, files=True)
    journey = Journey(product)
    journey.hold()
    data = product.services.journals.evidence(journey.meeting.id, actor="system")

    assert verify(data, fingerprints=frozenset(product.services.evidence_fingerprints())).genuine
    for secret in journey.secrets:
        assert secret.encode() not in data, secret


@pytest.mark.requirement("R036", "R125")
def test_only_the_people_store_and_sealed_objects_know_who_it_was(tmp_path: Path) -> None:
    """Names and addresses lie sealed in the people store; the words of the chat in the meetings store."""
    product = Product(tmp_path, files=True)
    journey = Journey(product)
    journey.hold()
    kept_in_meetings = {WORDS, PURPOSE}

    for path in sorted((tmp_path / "data").rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        for secret in journey.secrets - kept_in_meetings:
            assert secret.encode() not in data, (path.name, secret)


def test_a_refusal_told_outside_repeats_nothing_that_was_sent(tmp_path: Path) -> None:
    product = Product(tmp_path)
    elin = product.signs_in(ELIN)
    answers = [
        elin.post("/desk/book", {"type": "mortgage", "customer": MAJA.number, "purpose": WORDS, "starts_at": "x"}),
        elin.post("/desk/meetings/m_none/guests", {"name": SAMIR.name, "national_id": SAMIR.number + "1"}),
        product.browser().get(f"/v/{MAJA.number}/arrive"),
        product.browser().get(f"/m/{MAJA.number}"),
    ]

    for answer in answers:
        assert answer.status_code >= 400
        for secret in (MAJA.number, SAMIR.number, SAMIR.name, WORDS):
            assert secret not in answer.text
