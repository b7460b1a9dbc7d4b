"""Several agreements to several recipients from one signing: each gets what concerns them, and nothing else."""

import hashlib
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pypdf import PdfReader

from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import ClientView
from sidecar.testing import AGNES, FRIDA, YLVA, Product, guest
from tillit_pades_signing.verify import Verdict, examine

HERE = ClientView(ip="127.0.0.1", user_agent="Mozilla/5.0", referring_domain="bank.example", device="ab" * 32)
PEOPLE = {"customer": "Åsa Öberg", "lender": "Långivaren AB", "insurer": "Försäkringen AB"}
PAPERS = {"loan": ("customer", "lender"), "cover": ("customer", "insurer")}


def attached(file: bytes) -> dict[str, bytes]:
    return {name: parts[0] for name, parts in PdfReader(io.BytesIO(file)).attachments.items()}


@pytest.mark.requirement("R086", "R087", "R078")
def test_two_agreements_signed_by_three_in_one_go_reach_each_with_their_own_alone(
    make_room: Callable[..., Any], pdf: Callable[..., bytes]
) -> None:
    room = make_room()
    product: Product = room.product
    service = room.service()
    people = {
        key: room.core.add_person(name=name, email=f"{key}@example.org", phone=f"+4670174061{at}")
        for at, (key, name) in enumerate(PEOPLE.items())
    }
    signing = service.begin(
        meeting=None,
        brand="exempelbanken",
        language="sv",
        title="Lån och låneskydd",
        text="",
        documents=[{"key": key, "name": f"{key}.pdf", "data": pdf(key), "parties": who} for key, who in PAPERS.items()],
        parties=[{"key": key, "person": people[key], "methods": ["touch"]} for key in PEOPLE],
        deadline=product.clock.now + timedelta(days=1),
        by="system",
        reference="",
    )
    for key, name in PEOPLE.items():
        assert product.channels["email"].sent == []  # nothing leaves before the last of them has signed
        service.act(signing, key, "start", client=HERE, method="touch")
        signed = service.act(signing, key, "submit", client=HERE, answer={"typed": name})
        assert signed["status"] == "complete", signed
    for _ in range(3):
        room.later(3)
        product.worker()

    assert service.view(signing)["state"] in ("sealed", "preserved")
    sent = {each.address: each.attachments for each in product.channels["email"].sent}
    assert {address: sorted(part[0] for part in parts) for address, parts in sent.items()} == {
        "customer@example.org": ["cover.pdf", "loan.pdf"],
        "lender@example.org": ["loan.pdf"],
        "insurer@example.org": ["cover.pdf"],
    }
    for key, who in PAPERS.items():
        file = service.sealed(signing, key)
        page = PdfReader(io.BytesIO(file)).pages[-1].extract_text()
        assert {name for name in PEOPLE.values() if name in page} == {PEOPLE[each] for each in who}
        parts = attached(file)
        signers = json.loads(parts["manifest.json"])["signers"]
        assert {each["person"] for each in signers} == {people[each] for each in who}
        assert "mötet" not in page
        events = [json.loads(line) for line in parts["events.jsonl"].splitlines()]
        assert [each["kind"].rpartition(".")[2] for each in events] == ["opened", *["begun", "signed"] * 2, "completed"]
        assert {each["actor"] for each in events} == {*(people[each] for each in who), "system"}
        assert events[0]["data"]["documents_sha256"] == [hashlib.sha256(pdf(key)).hexdigest()]
        logged = [each.data for each in product.records() if each.data.get("signing") == signing]
        assert all(each["data"] in logged for each in events[1:])
        found = {each.part: each for each in examine(file, roots=[], eid_roots=[])}["The events"]
        assert found.verdict is Verdict.HOLDS
        assert found.sentences[0].startswith("6 events")
        other = {"loan": "cover", "cover": "loan"}[key]
        lent = b"".join(data for name, data in parts.items() if not name.endswith("-1.txt"))  # the customer's own text
        assert f"{other}.pdf".encode() not in lent


@pytest.mark.requirement("R086", "R087")
def test_a_file_tells_nothing_of_who_signed_another_in_the_same_meeting(
    make_room: Callable[..., Any], pdf: Callable[..., bytes]
) -> None:
    room = make_room(type_name="corporate-fx", adviser=FRIDA, customer=AGNES, guests=[guest(YLVA, Capacity.CUSTOMER)])
    agnes, ylva = room.enter(AGNES), room.enter(YLVA)
    papers = [
        {"key": "hers", "name": "Hennes.pdf", "data": pdf("Hennes"), "parties": ["p1"]},
        {"key": "other", "name": "Den andras.pdf", "data": pdf("Den andras"), "parties": ["p2"]},
    ]
    signing = room.opens(agnes, ylva, documents=papers)
    room.signs(agnes, signing, AGNES)
    assert room.signs(ylva, signing, YLVA)["signing"]["state"] == "sealed"

    base = f"x/pades_signing/signings/{signing}/documents"
    assert agnes.get(f"{base}/other/copy").status_code == ylva.get(f"{base}/hers/copy").status_code == 404
    assert [each["name"] for each in room.show(agnes, signing)["documents"]] == ["Hennes.pdf"]
    file = agnes.get(f"{base}/hers/copy").data
    told = b"".join(attached(file).values())
    person = room.product.place(ylva.place).person
    assert str(person).encode() not in told
    assert ylva.place.encode() not in told
    assert b"Den andras" not in told
    assert hashlib.sha256(pdf("Den andras")).hexdigest().encode() not in told
    opened = json.loads(attached(file)["events.jsonl"].splitlines()[0])["data"]
    own = hashlib.sha256(pdf("Hennes")).hexdigest()
    assert (opened["documents_sha256"], opened["parties_count"]) == ([own], 1)
    for _ in range(3):
        room.later(3)
        room.product.worker()
    copies = [each for channel in room.product.channels.values() for each in channel.sent]
    names = {each.address: [part[0] for part in each.attachments] for each in copies if "exemplar" in each.subject}
    assert sorted(names.values()) == [["Den andras.pdf"], ["Hennes.pdf"]]


@pytest.mark.requirement("R078", "R086")
def test_who_cannot_be_sent_a_file_keeps_nobody_else_from_theirs(
    make_room: Callable[..., Any], pdf: Callable[..., bytes]
) -> None:
    room = make_room()
    product: Product = room.product
    service = room.service()
    reached = room.core.add_person(name="Åsa Öberg", email="asa@example.org", phone="+46701740605")
    not_reached = room.core.add_person(name="Bo Ek", phone="+46701740606")  # a text message carries no file
    signing = service.begin(
        meeting=None,
        brand="exempelbanken",
        language="sv",
        title="Avtal",
        text="",
        documents=[{"key": "deal", "name": "Avtal.pdf", "data": pdf("Avtal")}],
        parties=[
            {"key": "asa", "person": reached, "methods": ["touch"]},
            {"key": "bo", "person": not_reached, "methods": ["touch"]},
        ],
        deadline=product.clock.now + timedelta(days=1),
        by="system",
        reference="",
    )
    for key, name in (("bo", "Bo Ek"), ("asa", "Åsa Öberg")):
        service.act(signing, key, "start", client=HERE, method="touch")
        assert service.act(signing, key, "submit", client=HERE, answer={"typed": name})["status"] == "complete"
    assert service.view(signing)["state"] == "sealed"
    for _ in range(3):
        room.later(3)
        product.worker()

    assert service.view(signing)["state"] == "preserved"
    sent = [each for channel in product.channels.values() for each in channel.sent]
    assert [(each.address, each.attachments[0][0]) for each in sent] == [("asa@example.org", "Avtal.pdf")]
