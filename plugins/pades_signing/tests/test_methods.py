"""Signing by touch and by a code: what counts as a signature, and what a code is worth."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.plugin_api import NotFoundError, Record, SigningRequest
from sidecar.testing import Clock
from tillit_pades_signing.budgets import Budgets
from tillit_pades_signing.methods.sms import SmsSigning
from tillit_pades_signing.methods.touch import TouchSigning, read_strokes

REQUEST = SigningRequest(
    id="sg1",
    meeting="m1",
    participant="p1",
    brand_name="Exempelbanken",
    language="sv",
    end_user_ip="192.0.2.7",
    user_agent="Mozilla/5.0",
    referring_domain="exempelbanken.example",
    device="ab" * 32,
    same_device=False,
    return_url=None,
    visible_text="Jag skriver under.",
    hidden_data=b'{"signing":"sg1","person":"per1","attempt":"try1"}',
    contact={"sms": "+46701740605"},
)
DRAWN = json.dumps([[[x / 20, 0.5] for x in range(20)]])
CLOCK = Clock(datetime(2026, 11, 24, 12, 0, tzinfo=UTC))


class KeptRecords:
    """The plugin's records as far as counting needs them."""

    def __init__(self) -> None:
        self._kept: dict[str, Record] = {}

    def records(self) -> "KeptRecords":
        return self

    def keep(self, effect: Any) -> Any:
        return effect(self)

    def get(self, collection: str, id: str) -> Record:
        if id not in self._kept:
            raise NotFoundError("There is no such record.")
        return self._kept[id]

    def put(self, collection: str, id: str, body: Any, *, meeting: str | None, expected: int) -> None:
        self._kept[id] = Record(id, meeting, expected + 1, body, CLOCK.now)

    def add_errand(self, kind: str, body: Any, **more: Any) -> None:
        return None


def an_sms(clock: Clock) -> SmsSigning:
    core: Any = KeptRecords()
    return SmsSigning(clock=clock, code_key=b"k" * 32, budgets=Budgets(core=core, clock=clock, key=b"k" * 32))


@pytest.fixture
def sms() -> SmsSigning:
    return an_sms(Clock())


def _code(step: Any) -> str:
    return str(step.state["send"])


@pytest.mark.requirement("R082")
def test_drawn_signature_counts() -> None:
    touch = TouchSigning(clock=CLOCK)
    step = touch.submit(REQUEST, touch.start(REQUEST).state, {"strokes": DRAWN})

    assert step.status == "complete"
    assert json.loads(step.completion.evidence[0].data)["drawn"][0][3] == [0.15, 0.5]


@pytest.mark.requirement("R082")
def test_name_typed_by_keyboard_counts_too() -> None:
    touch = TouchSigning(clock=CLOCK)

    assert touch.submit(REQUEST, touch.start(REQUEST).state, {"typed": "Maja Granlid"}).status == "complete"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        *({"strokes": strokes} for strokes in ("[[[0.5,0.5]]]", "[]", "[", "[[[2,0]]]", "[" * 5000)),
        {"strokes": json.dumps([[[0, 0]] * 3000])},
        *({"typed": typed} for typed in ("1", "a\x00b", "x" * 200)),
    ],
)
def test_what_is_no_signature_stays_pending(answer: dict[str, str]) -> None:
    touch = TouchSigning(clock=CLOCK)

    assert touch.submit(REQUEST, touch.start(REQUEST).state, answer).status == "pending"


@given(st.text() | st.recursive(st.floats() | st.none(), lambda each: st.lists(each, max_size=4)).map(json.dumps))
def test_no_strokes_harm_the_reader(text: str) -> None:
    strokes = read_strokes(text)

    assert strokes is None or all(0 <= value <= 1 for stroke in strokes for point in stroke for value in point)


@pytest.mark.requirement("R205")
@pytest.mark.parametrize(
    "changed",
    [
        {"hidden_data": b'{"act":"other document"}'},
        {"meeting": "m2"},
        {"participant": "p2"},
        {"visible_text": "other"},
        {"device": "cd" * 32},
    ],
)
def test_state_of_another_act_meeting_person_or_browser_starts_again(sms: SmsSigning, changed: dict[str, Any]) -> None:
    begun = sms.start(REQUEST)
    touch = TouchSigning(clock=CLOCK)
    other = replace(REQUEST, **changed)

    assert sms.submit(other, begun.state, {"code": _code(begun)}).status == "failed"
    assert touch.submit(other, touch.start(REQUEST).state, {"strokes": DRAWN}).status == "failed"


@pytest.mark.requirement("R082")
def test_right_code_signs_and_leaves_no_number_in_the_evidence(sms: SmsSigning) -> None:
    begun = sms.start(REQUEST)
    step = sms.submit(REQUEST, begun.state, {"code": f" {_code(begun)[:3]} {_code(begun)[3:]}"})

    assert step.status == "complete"
    assert b"70174060" not in step.completion.evidence[0].data
    assert "send" not in step.state


def test_code_is_in_nothing_the_browser_or_the_store_gets(sms: SmsSigning) -> None:
    begun = sms.start(REQUEST)
    kept = {key: value for key, value in begun.state.items() if key != "send"}

    assert _code(begun) not in json.dumps([kept, begun.view, begun.params])


def test_wrong_code_costs_a_try_and_five_end_it(sms: SmsSigning) -> None:
    step = sms.start(REQUEST)
    wrong = "000000" if _code(step) != "000000" else "111111"
    for left in (4, 3, 2, 1):
        step = sms.submit(REQUEST, step.state, {"code": wrong})
        assert (step.status, step.params["left"]) == ("pending", left)
    assert sms.submit(REQUEST, step.state, {"code": wrong}).message == "pades_signing.sms.too_many"


def test_code_dies_after_five_minutes_and_a_new_one_brings_no_new_tries() -> None:
    clock = Clock()
    sms = an_sms(clock)
    first = sms.start(REQUEST)
    second_wrong = "000000" if _code(first) != "000000" else "111111"
    tried = sms.submit(REQUEST, first.state, {"code": second_wrong})
    assert sms.submit(REQUEST, tried.state, {"again": "yes"}).message == "pades_signing.sms.wait"
    clock.on(seconds=31)
    again = sms.submit(REQUEST, tried.state, {"again": "yes"})
    assert again.view["tries_left"] == 4
    assert sms.submit(REQUEST, again.state, {"code": _code(first)}).status == "pending" or _code(first) == _code(again)
    clock.on(minutes=5)
    assert sms.submit(REQUEST, again.state, {"code": _code(again)}).message == "pades_signing.sms.expired"


def test_without_a_number_nothing_is_sent(sms: SmsSigning) -> None:
    step = sms.start(replace(REQUEST, contact={}))

    assert (step.status, dict(step.state)) == ("failed", {})
