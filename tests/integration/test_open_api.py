"""The open API: as it is described, field by field, and each key may do what it was given and no more."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # no stubs in the lock
import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from sidecar.adapters.api_keys import ApiKeys
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.identity import Subject
from sidecar.domain.verify_evidence import verify
from sidecar.testing import ELIN, MAJA, NOON, ORIGIN, SAMIR, TURE, Product

pytestmark = pytest.mark.requirement("R139")

WHEN = "2026-11-24T13:00:00Z"
GUEST = {"name": SAMIR.name, "capacity": "observer", "email": SAMIR.email, "national_id": SAMIR.number}
NEW = {"name": "Vera Stensund", "national_id": "197907243823", "email": "vera.stensund@example.org"}


class Program:
    """A connected system: its key, and an eye on every answer it gets."""

    def __init__(self, product: Product, *rights: str) -> None:
        self.product = product
        self.key = product.services.api_keys.create("crm", rights or ("book", "read", "evidence"))
        self.client: FlaskClient = product.app.test_client()
        self.description = json.loads(self.client.get("/api/openapi.json", base_url=ORIGIN).text)

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Send a request, and hold the answer against the description."""
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        answer = self.client.open(path, method=method, json=body, headers=headers, base_url=ORIGIN, **options)
        self.check(method, path, answer)
        return answer

    def check(self, method: str, path: str, answer: TestResponse) -> None:
        plain = path.partition("?")[0]
        template = next(each for each in self.description["paths"] if _matches(each, plain))
        responses = self.description["paths"][template][method.lower()]["responses"]
        described = responses.get(str(answer.status_code), responses["default"])
        if "content" not in described:
            assert answer.data == b""
            return
        [(media_type, content)] = described["content"].items()
        assert answer.mimetype == media_type, answer.text
        schema = {**content["schema"], "components": self.description["components"]}
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(schema, format_checker=checker).validate(json.loads(answer.data))


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) is not None


@pytest.fixture
def product(tmp_path: Path) -> Product:
    product = Product(tmp_path)
    product.customer()
    return product


@pytest.fixture
def crm(product: Product) -> Program:
    return Program(product)


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A program whose requests are all refused: one product for all of them, since none may change anything."""
    product = Product(tmp_path_factory.mktemp("unharmed"))
    product.customer()
    product.staff(ELIN)
    return Program(product)


def booking(product: Product, **changed: Any) -> dict[str, Any]:
    adviser = product.staff(ELIN).id
    return {
        "type": "mortgage",
        "customer": "per_maja",
        "adviser": adviser,
        "purpose": "Lån",
        "starts_at": WHEN,
    } | changed


# The description


def test_the_description_is_valid_openapi(crm: Program) -> None:
    validate(crm.description)
    assert crm.description["servers"] == [{"url": ORIGIN}]


def test_the_description_names_every_route_and_no_other(product: Product, crm: Program) -> None:
    described = {(path, method.upper()) for path, methods in crm.description["paths"].items() for method in methods}
    routes = {
        (re.sub(r"<([a-z]+)>", r"{\1}", rule.rule), method)
        for rule in product.app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert described == routes


def test_every_answer_of_a_days_use_is_as_described(product: Product, crm: Program) -> None:
    assert {each["name"] for each in crm.ask("GET", "/api/v1/meeting-types").get_json()} == {
        "mortgage",
        "onboarding",
        "advice",
        "corporate-fx",
    }
    booked = crm.ask("POST", "/api/v1/meetings", booking(product, guests=[GUEST], case="L-1", minutes=30))
    assert booked.status_code == 201
    mid = booked.get_json()["id"]
    invited = crm.ask(
        "POST", f"/api/v1/meetings/{mid}/guests", {**GUEST, "name": TURE.name, "national_id": TURE.number}
    )
    assert (invited.status_code, invited.get_json()["state"]) == (201, "invited")
    found = crm.ask("GET", f"/api/v1/meetings/{mid}").get_json()
    assert (found["case"], found["ends_at"]) == ("L-1", "2026-11-24T13:30:00.000Z")
    assert [each["id"] for each in crm.ask("GET", "/api/v1/meetings").get_json()] == [mid]
    product.clock.on(minutes=50)
    maja = product.arrives(product.place(found["participants"][1]["id"])).waits(MAJA)
    known = crm.ask("GET", f"/api/v1/meetings/{mid}").get_json()["participants"][1]
    assert (known["id"], known["identified"]["provider"]) == (maja.place, "bankid")
    assert crm.ask("GET", f"/api/v1/meetings/{mid}/journal").get_json()[0]["kind"] == "meeting.booked"
    crm.ask("GET", "/api/v1/integrations")
    assert crm.ask("DELETE", f"/api/v1/meetings/{mid}").status_code == 204
    assert crm.ask("GET", f"/api/v1/meetings/{mid}").get_json()["state"] == "cancelled"
    assert crm.ask("DELETE", f"/api/v1/meetings/{mid}").status_code == 409
    assert crm.ask("GET", "/api/v1/meetings/m_none").status_code == 404


@pytest.mark.requirement("R122", "R119")
def test_the_evidence_file_verifies_for_whoever_fetched_it(tmp_path: Path) -> None:
    product = Product(tmp_path, files=True)
    crm = Program(product)
    product.customer()
    mid = crm.ask("POST", "/api/v1/meetings", booking(product)).get_json()["id"]

    data = crm.ask("GET", f"/api/v1/meetings/{mid}/evidence").data

    assert verify(data, fingerprints=frozenset(product.services.evidence_fingerprints())).genuine


@pytest.mark.requirement("R122", "R202")
def test_no_answer_names_anybody(product: Product, crm: Program) -> None:
    mid = crm.ask("POST", "/api/v1/meetings", booking(product, guests=[GUEST])).get_json()["id"]
    text = "".join(
        crm.ask("GET", path).text
        for path in ("/api/v1/meetings", f"/api/v1/meetings/{mid}", f"/api/v1/meetings/{mid}/journal")
    )

    for who in (MAJA, SAMIR, ELIN):
        for secret in who.personal:
            assert secret not in text


# Customers


@pytest.mark.requirement("R137")
def test_a_customer_the_bank_does_not_know_yet_is_described_once_and_then_known(product: Product, crm: Program) -> None:
    first = crm.ask("POST", "/api/v1/meetings", booking(product, customer=NEW)).get_json()
    again = crm.ask("POST", "/api/v1/meetings", booking(product, customer={**NEW, "name": "Somebody Else"})).get_json()

    people = {each["participants"][1]["person"] for each in (first, again)}
    assert len(people) == 1
    [pseudonym] = people
    person = product.services.people.get(pseudonym)
    assert (person.name, person.kind, person.subjects) == (
        NEW["name"],
        "customer",
        (Subject("se-personnummer", NEW["national_id"]),),
    )


@pytest.mark.requirement("R137")
def test_a_refused_booking_keeps_nothing_of_the_customer_it_described(product: Product, crm: Program) -> None:
    body = booking(product, customer=NEW, type="corporate-fx")
    before = product.stores()

    assert crm.ask("POST", "/api/v1/meetings", body).status_code == 403
    after = product.stores()
    assert after["people.people"] == before["people.people"]
    assert after["meetings.meetings"] == []


# What cannot be

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"type": None}, "type"),
    ({"type": 7}, "type"),
    ({"type": ""}, "type"),
    ({"purpose": ""}, "purpose"),
    ({"purpose": "x" * 201}, "purpose"),
    ({"purpose": "\x00"}, "purpose"),
    ({"purpose": "\ud800"}, "purpose"),
    ({"purpose": ["Lån"]}, "purpose"),
    ({"adviser": ""}, "adviser"),
    ({"starts_at": ""}, "starts_at"),
    ({"starts_at": "tomorrow"}, "starts_at"),
    ({"starts_at": "2026-11-24T13:00:00"}, "starts_at"),
    ({"starts_at": "2026-02-30T13:00:00Z"}, "starts_at"),
    ({"starts_at": "2026-11-24T25:00:00Z"}, "starts_at"),
    ({"starts_at": "2020-01-01T00:00:00Z"}, "starts_at"),
    ({"starts_at": "2099-01-01T00:00:00Z"}, "starts_at"),
    ({"starts_at": "9999-12-31T23:59:59-12:00"}, "starts_at"),
    ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
    ({"starts_at": 1795525200}, "starts_at"),
    ({"minutes": 0}, "minutes"),
    ({"minutes": -5}, "minutes"),
    ({"minutes": 4}, "duration"),
    ({"minutes": 481}, "duration"),
    ({"minutes": 10**30}, "minutes"),
    ({"minutes": 45.5}, "minutes"),
    ({"minutes": "45"}, "minutes"),
    ({"minutes": True}, "minutes"),
    ({"brand": "otherbank"}, "brand"),
    ({"brand": 1}, "brand"),
    ({"case": "x" * 81}, "case"),
    ({"guests": "Samir"}, "guests"),
    ({"guests": {"name": "Samir"}}, "guests"),
    ({"guests": [7]}, "guests"),
    ({"guests": [{**GUEST, "nationalid": "x"}]}, "guests.nationalid"),
    ({"guests": [{**GUEST, "capacity": "adviser"}]}, "capacity"),
    ({"guests": [{**GUEST, "email": None}]}, "email"),
    ({"guests": [{**GUEST, "language": "xx"}]}, "language"),
    ({"guests": [GUEST] * 5}, "guests"),
    ({"start_at": WHEN}, "start_at"),
    ({"": 1}, ""),
    ({"customer": None}, "customer"),
    ({"customer": 7}, "customer"),
    ({"customer": {}}, "name"),
    ({"customer": {**NEW, "vip": True}}, "customer.vip"),
    ({"customer": {**NEW, "name": "x" * 121}}, "customer.name"),
    ({"customer": {**NEW, "name": "Vera\nStensund\x7f"}}, "name"),
    ({"customer": {**NEW, "national_id": "197907243824"}}, "customer.national_id"),
    ({"customer": {**NEW, "segment": "royal"}}, "customer.segment"),
    ({"customer": {**NEW, "language": "xx"}}, "customer.language"),
    ({"customer": {**NEW, "country": "BR"}}, "customer.national_id"),
    ({"customer": {"name": "Vera", "email": "v@example.org", "country": "BR"}}, "customer.country"),
    ({"customer": {"name": "Vera", "email": "v@example.org", "country": "b"}}, "customer.country"),
    ({"customer": {**NEW, "email": "vera@example.org\nBcc: x"}}, "customer.email"),
    ({"customer": {**NEW, "email": ""}}, "email"),
]


@pytest.mark.parametrize(("changed", "field"), WRONG, ids=[str(each[0])[:60] for each in WRONG])
def test_a_booking_that_cannot_be_is_answered_with_the_field_and_changes_nothing(
    unharmed: Program, changed: dict[str, Any], field: str
) -> None:
    product = unharmed.product
    body = booking(product, **changed)
    before = product.stores()

    answer = unharmed.ask("POST", "/api/v1/meetings", body)

    assert (answer.status_code, answer.get_json().get("field")) == (422, field), answer.text
    assert answer.get_json()["sentence"]
    assert product.stores() == before


@pytest.mark.parametrize(
    "sent",
    [
        {"data": b"", "content_type": "application/json"},
        {"data": b"{", "content_type": "application/json"},
        {"data": b"[]", "content_type": "application/json"},
        {"data": b"null", "content_type": "application/json"},
        {"data": b'{"type": "mortgage"}', "content_type": "text/plain"},
        {"data": b"\xff\xfe{}", "content_type": "application/json"},
        {"data": b"[" * 100_000, "content_type": "application/json"},
        {"data": b'{"a":' * 100_000, "content_type": "application/json"},
    ],
    ids=["nothing", "half", "a list", "null", "plain text", "no utf-8", "brackets", "nested"],
)
def test_a_body_that_is_no_object_is_answered_as_one(unharmed: Program, sent: dict[str, Any]) -> None:
    crm = unharmed
    answer = crm.client.post(
        "/api/v1/meetings", headers={"Authorization": f"Bearer {crm.key}"}, base_url=ORIGIN, **sent
    )

    assert (answer.status_code, answer.get_json()["field"]) == (422, "body")
    crm.check("POST", "/api/v1/meetings", answer)


def test_a_body_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    product = Product(tmp_path, more="[web]\nmax_body_bytes = 2000")
    crm = Program(product)
    product.customer()
    body = booking(product, purpose="x" * 3000)

    answer = crm.ask("POST", "/api/v1/meetings", body)

    assert (answer.status_code, answer.get_json()["field"]) == (422, "body")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-24"}, "from"),
        ({"from": "9999-12-31T23:59:59Z"}, "from"),
        ({"from": "0001-01-01T00:00:00Z"}, "from"),
        ({"to": "2026-11-01T00:00:00Z"}, "to"),
        ({"from": WHEN, "to": WHEN}, "to"),
        ({"from": WHEN, "to": "2026-12-31T00:00:00Z"}, "to"),
        ({"to": ""}, "to"),
    ],
)
def test_a_span_of_time_that_cannot_be_is_named(unharmed: Program, query: dict[str, str], field: str) -> None:
    answer = unharmed.ask("GET", "/api/v1/meetings", query_string=query)

    assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_a_span_is_taken_as_asked_for(product: Product, crm: Program) -> None:
    crm.ask("POST", "/api/v1/meetings", booking(product))
    spans = {
        ("2026-11-24T13:00:00+00:00", "2026-11-24T14:00:00Z"): 1,
        ("2026-11-24T13:00:01Z", "2026-11-25T00:00:00Z"): 0,
    }

    for (start, end), count in spans.items():
        assert len(crm.ask("GET", "/api/v1/meetings", query_string={"from": start, "to": end}).get_json()) == count


# Keys


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    return ApiKeys(tmp_path / "keys.json")


def test_a_key_that_was_withdrawn_opens_nothing_at_once_in_every_process(product: Product, crm: Program) -> None:
    assert crm.ask("GET", "/api/v1/meetings").status_code == 200
    elsewhere = ApiKeys(product.folder / "data" / "api-keys.json")
    [system] = elsewhere.all()

    assert elsewhere.withdraw(system.id) is True

    assert crm.ask("GET", "/api/v1/meetings").status_code == 401
    assert elsewhere.withdraw(system.id) is False


def test_a_key_is_shown_once_and_kept_as_a_digest(keys: ApiKeys, tmp_path: Path) -> None:
    key = keys.create("crm", ["read", "book"])
    kept = (tmp_path / "keys.json").read_text()

    assert key not in kept
    assert keys.find(key).rights == {"read", "book"}  # type: ignore[union-attr]
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    for wrong in ("", key[:-1], key + "x", kept.split('"')[1]):
        assert keys.find(wrong) is None


@pytest.mark.parametrize("rights", [[], ["write"], ["read", "everything"], ["READ"]])
def test_a_key_has_rights_that_exist_and_at_least_one(keys: ApiKeys, rights: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        keys.create("crm", rights)
    assert keys.all() == []


@pytest.mark.parametrize("broken", ["", "[]", "{", '{"x": {}}', '{"x": 7}'])
def test_a_file_of_keys_that_cannot_be_read_opens_nothing(keys: ApiKeys, tmp_path: Path, broken: str) -> None:
    key = keys.create("crm", ["read"])
    (tmp_path / "keys.json").write_text(broken)

    with pytest.raises(ConfigurationError):
        keys.find(key)


def test_what_is_booked_by_a_system_says_so(product: Product, crm: Program) -> None:
    mid = crm.ask("POST", "/api/v1/meetings", booking(product)).get_json()["id"]

    assert product.meeting(mid).booked_by.startswith("sys_")
    assert product.records(product.meeting(mid))[0].actor.startswith("sys_")
    assert product.meeting(mid).starts_at > NOON
