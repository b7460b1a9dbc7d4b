"""From answers to sealed papers, with the real documents and signing: in a meeting, and the gala under load."""

import base64
import hashlib
import io
import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from sidecar.plugin_api import utc_now
from sidecar.testing import MAJA, Clock, Product
from sidecar.testing.far_ends import FakeCode
from sidecar.testing.product import ORIGIN
from simulators.bankid.remote import RemoteBankId

ORDERS = 24  # at once from eight browsers; the figure a second is a benchmark's
ANSWERS = {"phone": "070-174 06 05", "tickets": 2, "seat": "table", "gift": "500"}


@pytest.mark.requirement("R080", "R084", "R090")
def test_the_meetings_papers_go_to_its_documents_and_are_put_before_who_signs(signing_room: Any) -> None:
    room = signing_room
    form = room.begin()["id"]
    room.fill(form)
    ready = room.call(room.elin, "POST", f"forms/{form}/papers", {}).get_json()

    begun = room.call(room.elin, "POST", f"forms/{form}/sign", {})
    again = room.call(room.elin, "POST", f"forms/{form}/sign", {})

    assert begun.status_code == 200, begun.text
    assert begun.get_json()["state"] == "signing"
    assert again.get_json()["signing"] == begun.get_json()["signing"]
    documents = room.product.services.plugins.service("documents")
    kept = {each.id: each for each in documents.of_meeting(room.meeting.id)}
    assert {each["document"] for each in ready["files"]} == set(kept)
    [loan] = [each for each in kept.values() if each.critical]
    assert [clause.title for clause in loan.critical] == ["Räntan kan ändras"]
    view = room.product.services.plugins.service("signing").view(begun.get_json()["signing"])
    assert view["state"] == "open"
    assert len(view["parties"]) == 1
    assert len(view["documents"]) == 3
    assert room.set(room.maja, form, "insurance", "no", seen=1).status_code == 409


def test_papers_that_are_made_anew_replace_the_old_ones_among_the_documents(signing_room: Any) -> None:
    room = signing_room
    form = room.begin()["id"]
    room.fill(form)
    old = room.call(room.elin, "POST", f"forms/{form}/papers", {}).get_json()["files"]
    room.call(room.elin, "POST", f"forms/{form}/reopen", {})
    room.set(room.elin, form, "amount", "2 000 000", seen=1)

    new = room.call(room.elin, "POST", f"forms/{form}/papers", {}).get_json()["files"]

    before, after = ({each["key"]: each["document"] for each in files} for files in (old, new))
    assert before["loan"] != after["loan"]
    assert before["cover"] == after["cover"]  # the same bytes are the same document
    documents = room.product.services.plugins.service("documents")
    ready = {each.id for each in documents.of_meeting(room.meeting.id) if each.state == "ready"}
    assert ready == set(after.values())


@pytest.mark.requirement("R078", "R086", "R093", "R161")
def test_a_gala_evening_orders_by_api_signs_by_touch_and_everybody_has_their_copy(
    tmp_path: Path, seal: str, systems: tuple[str, str]
) -> None:
    page, settings = systems
    product = Product(tmp_path, clock=Clock(utc_now()), with_plugins=["forms", "pades_signing"], more=seal + settings)
    key = product.services.api_keys.create("biljettsystemet", ["forms.drive"])
    headers = {"Authorization": f"Bearer {key}"}

    def order(number: int) -> str:
        """One guest: another system posts the order, the guest signs on the page it was given."""
        client = product.app.test_client()
        answers = ANSWERS | {"name": f"Gäst Åberg {number:03d}", "email": f"gast{number}@example.org"}
        path = "/api/v1/x/forms/templates/gala_order/forms"
        made = client.post(path, json={"answers": answers}, headers=headers, base_url=ORIGIN)
        assert made.status_code == 201, made.text
        at = "/" + made.get_json()["sign_at"].split("/", 3)[3] + "/act"
        for body in (
            {"what": "start"},
            {"what": "start", "method": "touch"},
            {"what": "submit", "method": "touch", "answer": {"typed": answers["name"]}},
        ):
            step = client.post(at, json=body, base_url=ORIGIN)
            assert step.status_code == 200, step.text
        assert step.get_json()["status"] == "complete", step.text
        return str(made.get_json()["form"])

    with ThreadPoolExecutor(8) as guests:
        forms = list(guests.map(order, range(ORDERS)))
    for _ in range(40):
        product.clock.on(seconds=5)
        if not product.worker():
            break

    client = product.app.test_client()
    for form in forms:
        state = client.get(f"/api/v1/x/forms/forms/{form}", headers=headers, base_url=ORIGIN).get_json()
        assert state["state"] == "signed", state
        assert [each["state"] for each in state["deliveries"]] == ["delivered"]
    with urllib.request.urlopen(f"{page}letters", timeout=30) as answer:
        letters = {each["id"].partition(".")[0]: each for each in json.load(answer)["letters"]}
    assert set(forms) <= set(letters)
    assert {letters[form]["times"] for form in forms} == {1}
    for number, form in enumerate(forms):
        body = json.loads(letters[form]["body"])
        assert body["fields"]["name"] == f"Gäst Åberg {number:03d}"
        sealed = client.get(f"/api/v1/x/forms/forms/{form}/papers/order", headers=headers, base_url=ORIGIN).data
        assert body["documents"][0]["sha256"] == hashlib.sha256(sealed).hexdigest()
    copies = [each for channel in product.channels.values() for each in channel.sent]
    assert {each.address for each in copies if each.attachments} == {f"gast{n}@example.org" for n in range(ORDERS)}


@pytest.mark.requirement("R082", "R161")
def test_a_guest_may_sign_by_a_code_in_a_text_message_instead(tmp_path: Path, seal: str) -> None:
    forms = '[plugins.forms]\npublished = ["gala_order"]\n'
    product = Product(tmp_path, clock=Clock(utc_now()), with_plugins=["forms", "pades_signing"], more=forms + seal)
    client = product.app.test_client()
    answers = ANSWERS | {"name": "Åsa Öberg", "email": "asa@example.org"}
    begun = client.post("/x/forms/f/gala_order/begin", json={"answers": answers}, base_url=ORIGIN)
    at = begun.get_json()["path"] + "/act"

    def act(**body: Any) -> Any:
        step = client.post(at, json=body, base_url=ORIGIN)
        assert step.status_code == 200, step.text
        product.worker()
        return step.get_json()

    ways = {each["kind"]: each for each in act(what="start")["methods"]}
    assert {"touch", "sms"} <= set(ways)
    assert act(what="start", method=ways["sms"]["name"])["view"]["field"] == "code"
    [message] = [each for each in product.channels["sms"].sent if each.address == "+46701740605"]
    [code] = re.findall(r"\b[0-9]{6}\b", message.text)
    wrong = "000000" if code != "000000" else "111111"
    assert act(what="submit", answer={"code": wrong})["status"] == "pending"

    assert act(what="submit", answer={"code": code})["status"] == "complete"
    assert act(what="start")["status"] == "ended"


@pytest.mark.requirement("R079", "R085", "R086", "R089", "R159", "R161")
def test_a_loan_agreed_in_the_room_is_signed_with_bankid_and_each_system_gets_its_share(
    tmp_path: Path, stamped_seal: str, systems: tuple[str, str], bankid: RemoteBankId, enter_room: Any
) -> None:
    clock = Clock(utc_now().replace(microsecond=0))
    bankid.phone("clock", seconds=clock.now.timestamp() - bankid.phone("clock", seconds=0, stands_still=True)["now"])
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in bankid.plugin_settings().items())
    plugins = ["bankid", "forms", "pades_signing"]
    more = f"[plugins.bankid]\n{table}\n{stamped_seal}{systems[1]}"
    product = Product(tmp_path, clock=clock, with_plugins=plugins, methods=(FakeCode(clock),), more=more)

    def answers() -> None:
        """Maja scans the newest code, reads and approves, two seconds later."""
        order = bankid.orders()[0]
        bankid.phone("scan", qr=order["qr"], person=MAJA.key)
        bankid.phone("read", order=order["order"], person=MAJA.key)
        bankid.phone("approve", order=order["order"], person=MAJA.key)
        clock.on(seconds=2)
        bankid.phone("clock", seconds=2)

    room = enter_room(product, answers)
    form = room.begin()["id"]
    room.fill(form)
    room.call(room.elin, "POST", f"forms/{form}/papers", {})
    signing = room.call(room.elin, "POST", f"forms/{form}/sign", {}).get_json()["signing"]
    begun = room.maja.post(f"x/pades_signing/signings/{signing}/start", {"method": "bankid"})
    assert begun.get_json()["status"] == "pending", begun.text
    answers()
    signed = room.maja.post(f"x/pades_signing/signings/{signing}/poll").get_json()
    assert signed["status"] == "complete", signed

    for _ in range(10):
        clock.on(seconds=5)
        product.worker()

    assert room.call(room.elin, "GET", f"forms/{form}").get_json()["state"] == "signed"
    with urllib.request.urlopen(f"{systems[0]}letters", timeout=30) as answer:
        found = [each for each in json.load(answer)["letters"] if each["id"].startswith(form)]
    bodies = {each["system"]: json.loads(each["body"]) for each in found}
    assert set(bodies) == {"loan_system", "payments", "insurer"}
    assert bodies["loan_system"]["fields"]["binding_time"] == "floating"
    assert bodies["loan_system"]["fields"]["customer"] == f"se-personnummer:{MAJA.number}"
    assert [each["name"] for each in bodies["payments"]["documents"]] == ["Medgivande om autogiro.pdf"]
    assert [each["name"] for each in bodies["insurer"]["documents"]] == ["Ansökan om låneskydd.pdf"]
    assert "2270000" not in json.dumps(bodies["insurer"]["fields"])
    assert [each["time_stamped"] for each in bodies.values()] == [True] * 3
    paper = base64.b64decode(bodies["insurer"]["documents"][0]["data"])
    assert len(PdfFileReader(io.BytesIO(paper)).embedded_timestamp_signatures) == 1
    [mine] = [each for channel in product.channels.values() for each in channel.sent if each.attachments]
    assert {len(PdfFileReader(io.BytesIO(each[2])).embedded_timestamp_signatures) for each in mine.attachments} == {1}
    kinds = product.kinds(room.meeting)
    assert kinds.count("forms.delivered") == 3
    assert kinds.index("forms.papers_made") < kinds.index("forms.signing_begun") < kinds.index("forms.signed")


@pytest.mark.requirement("R079", "R161")
def test_a_guest_who_gave_their_number_may_sign_by_eid_and_another_is_not_offered_it(
    gala_with_bankid: Product, bankid: RemoteBankId
) -> None:
    client = gala_with_bankid.app.test_client()

    def begins(**more: str) -> Any:
        answers = ANSWERS | {"name": "Maja Granlid", "email": "maja@example.org"} | more
        begun = client.post("/x/forms/f/gala_order/begin", json={"answers": answers}, base_url=ORIGIN)
        assert begun.status_code == 201, begun.text

        def act(**body: Any) -> Any:
            step = client.post(begun.get_json()["path"] + "/act", json=body, base_url=ORIGIN)
            assert step.status_code == 200, step.text
            return step.get_json()

        return act

    nobody, maja = begins(), begins(number=MAJA.number)
    assert {each["kind"] for each in nobody(what="start")["methods"]} == {"touch", "sms"}
    assert {each["kind"] for each in maja(what="start")["methods"]} == {"touch", "sms", "eid"}

    assert maja(what="start", method="bankid")["status"] == "pending"
    order = bankid.orders()[0]
    bankid.phone("scan", qr=order["qr"], person=MAJA.key)
    bankid.phone("read", order=order["order"], person=MAJA.key)
    bankid.phone("approve", order=order["order"], person=MAJA.key)
    gala_with_bankid.clock.on(seconds=2)
    bankid.phone("clock", seconds=2)
    assert maja(what="poll")["status"] == "complete"
