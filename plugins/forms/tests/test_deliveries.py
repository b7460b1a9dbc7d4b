"""After signing: each system gets its share, failures are tried again, seen, and put right by a person."""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sidecar.plugin_api import ErrandView, NotFoundError, to_text
from sidecar.testing import Product
from sidecar.testing.people import BERIT
from sidecar.testing.product import ORIGIN
from tillit_forms.delivery.sending import judge, sign
from tillit_forms.delivery.timing import LONGEST, pause

TICKETS = {
    "name": "=Åsa Öberg",
    "email": "asa@example.org",
    "phone": "070-174 06 05",
    "tickets": 2,
    "seat": "table",
    "gift": "500",
}
KYC = {
    "name": "Åsa Öberg",
    "number": "19900214-2389",
    "tax_elsewhere": False,
    "exposed": True,
    "office": "=HYPERLINK(1)",
    "source": "salary",
    "monthly": "2 000",
}


@dataclass
class Signing:
    """Stands in for whoever signs: begins, and is told by the test how it ended. The sealed paper is the paper."""

    begun: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    copies_by: str | None = None

    def begin(self, **asked: Any) -> str:
        signing = f"sgn_{len(self.begun)}"
        self.begun[signing] = asked
        return signing

    def methods(self, signing: str, party: str) -> list[Mapping[str, Any]]:
        return [{"name": "touch", "kind": "touch"}]

    def act(self, signing: str, party: str, what: str, **asked: Any) -> Mapping[str, Any]:
        return {"status": "complete", "message": "", "params": {}, "view": {}}

    def view(self, signing: str) -> Mapping[str, Any]:
        state = self.ended.get(signing, "open")
        return {"state": state, "copies_by": self.copies_by if state == "sealed" else None}

    def sealed(self, signing: str, document_key: str) -> bytes:
        if signing not in self.ended:
            raise NotFoundError("Not yet.")
        for document in self.begun[signing]["documents"]:
            if document["key"] == document_key:
                return bytes(document["data"]) + b"%sealed"
        raise NotFoundError("No such paper.")


class Bank:
    """A product whose forms another system drives, and the systems that are told."""

    def __init__(self, folder: Path, page: str, settings: str) -> None:
        more = f'[plugins.forms]\nattempts = 3\npublished = ["gala_order"]\n{settings}'
        self.page = page
        self.product = Product(folder, with_plugins=["forms"], more=more)
        self.signing = Signing()
        offered = self.product.services.plugins.service
        self.product.services.plugins.service = (  # type: ignore[method-assign]
            lambda name: self.signing if name == "signing" else offered(name)
        )
        self.key = self.product.services.api_keys.create("biljettsystemet", ["forms.drive"])

    def api(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        client = self.product.app.test_client()
        return client.open(f"/api/v1/x/forms/{path}", method=method, json=body, headers=headers, base_url=ORIGIN)

    def order(self, name: str = "gala_order", answers: Any = None) -> Any:
        begun = self.api("POST", f"templates/{name}/forms", {"answers": answers or TICKETS, "reference": "best-17"})
        assert begun.status_code == 201, begun.text
        return begun.get_json()

    def signed(self, name: str = "gala_order", answers: Any = None) -> str:
        """Drive a form until it is signed, and return its id."""
        made = self.order(name, answers)
        path = "/" + made["sign_at"].split("/", 3)[3]
        client = self.product.app.test_client()
        begun = client.post(f"{path}/act", json={"what": "start"}, base_url=ORIGIN)
        assert begun.get_json()["status"] == "choose", begun.text
        signing = list(self.signing.begun)[-1]
        self.signing.ended[signing] = "sealed"
        self.listener.signing_changed(f"forms:{made['form']}", "sealed")
        return str(made["form"])

    @property
    def listener(self) -> Any:
        return self.product.services.plugins.service("signing_listener.forms")

    def works(self, *, after: timedelta = timedelta(0)) -> None:
        self.product.clock.on(seconds=after.total_seconds())
        self.product.worker()

    def fail(self, system: str, fault: str, times: int = 0) -> None:
        body = json.dumps({"system": system, "fault": fault, "times": times}).encode()
        request = urllib.request.Request(f"{self.page}faults", data=body, headers={"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).close()

    def letters(self) -> Any:
        with urllib.request.urlopen(f"{self.page}letters", timeout=30) as answer:
            return json.load(answer)

    def state(self, form: str) -> Any:
        return self.api("GET", f"forms/{form}").get_json()["deliveries"][0]

    def kinds(self, prefix: str = "forms.deliver") -> list[str]:
        return [kind for kind in self.product.kinds() if kind.startswith(prefix)]


@pytest.fixture
def bank(tmp_path: Path, systems: tuple[str, str]) -> Iterator[Bank]:
    page, settings = systems
    made = Bank(tmp_path, page, settings)
    yield made
    for system in ("ticket_system", "compliance"):
        made.fail(system, "")


def of(bank: Bank, form: str) -> list[Any]:
    return [each for each in bank.letters()["letters"] if each["id"].startswith(form)]


@pytest.mark.requirement("R085", "R089", "R093")
def test_answers_and_paper_reach_the_system_by_themselves(bank: Bank) -> None:
    form = bank.signed()
    bank.works()

    [letter] = of(bank, form)
    body = json.loads(letter["body"])
    assert body["fields"] == {
        "name": "=Åsa Öberg",
        "email": "asa@example.org",
        "phone": "+46701740605",
        "tickets": "2",
        "seat": "table",
        "diet": "",
        "gift": "500.00",
    }
    assert body["reference"] == "best-17"
    assert [each["name"] for each in body["documents"]] == ["Biljettavtal.pdf"]
    assert bank.state(form) == {"to": "ticket_system", "state": "delivered", "attempts": 1, "problem": ""}
    assert bank.kinds() == ["forms.delivered"]
    assert bank.letters()["refused"] == 0


@pytest.mark.parametrize("fault", ["500", "503", "429"])
def test_what_time_can_heal_is_tried_again_with_the_same_id(bank: Bank, fault: str) -> None:
    bank.fail("ticket_system", fault, times=1)
    form = bank.signed()
    bank.works()
    assert bank.state(form)["state"] == "waiting"
    assert bank.state(form)["problem"] == f"http {fault}"

    bank.works(after=timedelta(seconds=5))
    assert of(bank, form) == []
    bank.works(after=timedelta(seconds=125))

    assert [each["times"] for each in of(bank, form)] == [1]
    assert bank.kinds() == ["forms.delivery_failed", "forms.delivered"]


def test_retry_after_is_obeyed(bank: Bank) -> None:
    bank.fail("ticket_system", "429", times=1)
    form = bank.signed()
    bank.works()

    bank.works(after=timedelta(seconds=110))  # our own pause would be over: the receiver asked for two minutes
    assert of(bank, form) == []
    bank.works(after=timedelta(seconds=15))
    assert len(of(bank, form)) == 1


def test_a_silent_system_is_a_failure_and_not_a_hung_worker(bank: Bank) -> None:
    receiver = bank.listener._receivers["ticket_system"]
    object.__setattr__(receiver, "timeout", 0.2)
    bank.fail("ticket_system", "slow")
    form = bank.signed()

    bank.works()

    assert bank.state(form)["problem"] == "timeout"


@pytest.mark.requirement("R089")
@pytest.mark.parametrize("fault", ["410", "400", "301"])
def test_what_no_time_heals_is_given_up_at_once_and_sent_again_by_a_person(bank: Bank, fault: str) -> None:
    bank.fail("ticket_system", fault)
    form = bank.signed()
    bank.works()
    assert bank.state(form)["state"] == "dead"
    assert not [each for each in bank.letters()["letters"] if each["system"] == "elsewhere"]
    berit = bank.product.signs_in(BERIT)
    page = berit.get("/desk/x/forms/deliveries")
    assert page.status_code == 200, page.text
    assert f"http {fault}" in page.text
    bank.fail("ticket_system", "")

    again = berit.post(f"/desk/x/forms/deliveries/{form}.tickets/again")
    assert again.status_code == 200, again.text
    bank.works()

    assert bank.state(form)["state"] == "delivered"
    assert len(of(bank, form)) == 1
    assert berit.post(f"/desk/x/forms/deliveries/{form}.tickets/again").status_code == 409
    assert [kind for kind in bank.product.kinds() if kind == "forms.sent_again"] == ["forms.sent_again"]


def test_work_that_was_given_up_can_be_started_anew_from_the_desks_own_list_too(bank: Bank) -> None:
    bank.fail("ticket_system", "410")
    form = bank.signed()
    bank.works()
    bank.fail("ticket_system", "")
    errand = {"delivery": f"{form}.tickets", "attempt": 1}

    bank.listener.deliver(ErrandView("e1", "forms.deliver", None, errand, 1, bank.product.clock()))
    bank.listener.deliver(ErrandView("e1", "forms.deliver", None, errand, 2, bank.product.clock()))

    assert bank.state(form)["state"] == "delivered"
    assert [each["times"] for each in of(bank, form)] == [1]


def test_it_is_given_up_after_the_attempts_that_were_set(bank: Bank) -> None:
    bank.fail("ticket_system", "500")
    form = bank.signed()
    for _ in range(5):
        bank.works(after=timedelta(hours=1))

    assert bank.state(form)["attempts"] == 3
    assert bank.kinds() == ["forms.delivery_failed", "forms.delivery_failed", "forms.delivery_dead"]


@pytest.mark.requirement("R083", "R085")
def test_what_carries_papers_waits_for_their_time_stamp_and_leaves_once(bank: Bank) -> None:
    bank.signing.copies_by = to_text(bank.product.clock.now + timedelta(hours=1))
    form = bank.signed()
    bank.works(after=timedelta(minutes=5))
    assert of(bank, form) == []
    assert bank.state(form)["state"] == "waiting"

    bank.signing.ended["sgn_0"] = "preserved"
    for _ in range(2):
        bank.listener.signing_changed(f"forms:{form}", "preserved")
    bank.works()
    bank.works(after=timedelta(hours=2))

    [letter] = of(bank, form)
    assert (letter["times"], json.loads(letter["body"])["time_stamped"]) == (1, True)


def test_papers_whose_time_stamp_is_late_leave_without_it_and_say_so(bank: Bank) -> None:
    bank.signing.copies_by = to_text(bank.product.clock.now + timedelta(hours=1))
    form = bank.signed()
    bank.works(after=timedelta(hours=1, seconds=1))

    [letter] = of(bank, form)
    assert json.loads(letter["body"])["time_stamped"] is False
    bank.signing.ended["sgn_0"] = "preserved"
    bank.listener.signing_changed(f"forms:{form}", "preserved")
    bank.works(after=timedelta(hours=1))
    assert [each["times"] for each in of(bank, form)] == [1]


def test_the_end_of_a_signing_heard_twice_or_late_queues_once(bank: Bank) -> None:
    form = bank.signed()
    bank.listener.signing_changed(f"forms:{form}", "preserved")
    bank.listener.signing_changed(f"forms:{form}", "declined")
    bank.listener.signing_changed("forms:form_unknown", "sealed")
    bank.works()

    assert [each["times"] for each in of(bank, form)] == [1]
    assert bank.api("GET", f"forms/{form}").get_json()["state"] == "signed"


def test_a_declined_signing_sends_nothing(bank: Bank) -> None:
    made = bank.order()
    path = "/" + made["sign_at"].split("/", 3)[3]
    bank.product.app.test_client().post(f"{path}/act", json={"what": "start"}, base_url=ORIGIN)
    bank.listener.signing_changed(f"forms:{made['form']}", "declined")
    bank.works()

    assert bank.api("GET", f"forms/{made['form']}").get_json()["state"] == "declined"
    assert of(bank, made["form"]) == []


@pytest.mark.requirement("R087")
def test_csv_carries_the_named_answers_and_no_formula(bank: Bank) -> None:
    form = bank.signed("know_customer", KYC)
    bank.works()

    [letter] = of(bank, form)
    assert letter["media_type"] == "text/csv"
    assert "Åsa" not in letter["body"]
    head, row = letter["body"].splitlines()
    assert head == '"number","exposed","source","monthly","tax_elsewhere"'
    assert row == '"se-personnummer:199002142389","yes","salary","2000.00","no"'


@pytest.mark.requirement("R088")
def test_what_was_delivered_is_forgotten_when_its_time_is_over(bank: Bank) -> None:
    form = bank.signed()
    bank.works()
    assert bank.listener.get(f"{form}.tickets").extract["fields"]["email"] == "asa@example.org"

    bank.works(after=timedelta(days=31))
    bank.works()

    assert bank.api("GET", f"forms/{form}").status_code == 404
    with pytest.raises(NotFoundError):
        bank.listener.get(f"{form}.tickets")


@pytest.mark.requirement("R088")
def test_a_region_that_may_not_leave_goes_nowhere(bank: Bank) -> None:
    receiver = bank.listener._receivers["ticket_system"]
    object.__setattr__(receiver, "regions", frozenset({"eu-north-se"}))
    form = bank.signed()
    found = bank.listener.get(f"{form}.tickets")
    answer, _ = bank.listener._attempt(type(found)(**{**found.__dict__, "region": "eu-central-fi"}))

    assert (answer.kind, answer.problem) == ("refused", "region not allowed")


@pytest.mark.requirement("R090", "R093")
def test_a_system_hears_what_is_missing_or_wrong_and_nothing_is_kept(bank: Bank) -> None:
    answer = bank.api("POST", "templates/gala_order/forms", {"answers": {"name": "Åsa", "tickets": "99", "seat": "x"}})

    assert answer.status_code == 422
    why = {each["field"]: each["why"] for each in answer.get_json()["problems"]}
    assert why == {"tickets": "large", "seat": "choice", "email": "missing", "phone": "missing"}
    assert not [kind for kind in bank.product.kinds() if kind.startswith("forms.")]


HOSTILE: tuple[Any, ...] = (
    {"answers": {"table_sum": "1"}},
    {"answers": {"__class__": "x"}},
    {"answers": ["name"]},
    {"answers": {}, "language": "xx"},
    {"answers": {}, "reference": "x" * 101},
    {"answers": {}, "extra": 1},
    [],
    "x",
    {"answers": {f"f{number}": "x" for number in range(500)}},
)


def test_hostile_requests_are_refused_in_the_products_own_shape(bank: Bank) -> None:
    for wrong in HOSTILE:
        answer = bank.api("POST", "templates/gala_order/forms", wrong)
        assert answer.status_code in (400, 422), (wrong, answer.text)
    assert bank.api("POST", "templates/mortgage_loan/forms", {"answers": {}}).status_code == 404
    assert bank.api("POST", "templates/nothing/forms", {"answers": {}}).status_code == 404
    assert bank.api("GET", "forms/form_nothing").status_code == 404


def test_hostile_answers_on_the_public_page_are_named_and_never_kept(bank: Bank) -> None:
    client = bank.product.app.test_client()
    for wrong in ("x" * 9000, "\u202egpj", "\x00", {"a": 1}, ["x"], 1e308, True, -1, "<script>", "{name}", "=1+1"):
        answers = TICKETS | {"tickets": wrong, "name": "Åsa" if wrong is True else wrong}
        for path in ("check", "begin"):
            answer = client.post(f"/x/forms/f/gala_order/{path}", json={"answers": answers}, base_url=ORIGIN)
            assert answer.status_code in (200, 201, 422), (wrong, answer.text)
            assert answer.status_code != 201 or wrong is True, wrong
    for body in ([], "x", {"answers": []}, {"answers": {"ticket_sum": "1"}}, {"answers": {"__init__": "1"}}):
        assert client.post("/x/forms/f/gala_order/check", json=body, base_url=ORIGIN).status_code in (400, 422), body
    huge = client.post("/x/forms/f/gala_order/check", data=b"x" * 400_000, base_url=ORIGIN)
    assert huge.status_code in (400, 413, 422)
    assert "forms.begun" not in bank.product.kinds()


def test_one_address_begins_no_more_forms_than_an_office_would(bank: Bank) -> None:
    client = bank.product.app.test_client()

    def begin() -> int:
        return client.post("/x/forms/f/gala_order/begin", json={"answers": TICKETS}, base_url=ORIGIN).status_code

    assert [begin() for _ in range(62)] == [201] * 60 + [409, 409]
    bank.product.clock.on(minutes=61)
    assert begin() == 201


def test_a_system_sees_its_own_forms_only(bank: Bank) -> None:
    form = bank.order()["form"]
    other = bank.product.services.api_keys.create("annat", ["forms.drive"])
    weak = bank.product.services.api_keys.create("svagt", ["read"])

    assert bank.api("GET", f"forms/{form}", key=other).status_code == 404
    assert bank.api("GET", f"forms/{form}/papers/order", key=other).status_code == 404
    assert bank.api("GET", f"forms/{form}", key=weak).status_code == 403
    assert bank.api("GET", f"forms/{form}/papers/order").data.startswith(b"%PDF")


def test_the_signature_covers_id_time_and_body() -> None:
    parts: dict[str, Any] = {"id": "d1", "timestamp": 1, "body": b"{}"}
    known = sign(b"k" * 32, **parts)

    assert known == sign(b"k" * 32, **parts)
    for changed in ({"id": "d2"}, {"timestamp": 2}, {"body": b"{ }"}):
        assert sign(b"k" * 32, **(parts | changed)) != known
    assert sign(b"j" * 32, **parts) != known


def test_pauses_double_differ_and_end(bank: Bank) -> None:
    pauses = [pause(attempt, id="d1") for attempt in range(1, 30)]

    assert all(later >= earlier * 1.5 for earlier, later in pairwise(pauses[:9]))
    assert max(pauses) <= LONGEST * 1.2
    assert pause(1, id="d1") != pause(1, id="d2")
    assert pause(1, id="d1", asked=timedelta(hours=1)) == timedelta(hours=1)
    now = bank.product.clock()
    for text, seconds in (("120", 120), ("-5", None), ("soon", None), ("9" * 12, None), ("99999999", 21600)):
        wait = judge(429, {"Retry-After": text}, now).wait
        assert (wait.total_seconds() if wait else None) == seconds
