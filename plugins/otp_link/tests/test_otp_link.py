"""Link and code: two ways to a person that have to meet on one page."""

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tillit_otp_link
from sidecar.plugin_api import LANGUAGES, ConfigurationError, LoA, PluginContext, SignInRequest, SignInStep
from tillit_otp_link.codes import read_code
from tillit_otp_link.ledger import MOST_ENTRIES, Ledger
from tillit_otp_link.method import OtpLink

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PHONE = "+46701740606"
MAIL = "samir.haddin@example.org"
SAMIR = SignInRequest(
    meeting="m_7q",
    participant="p_3k",
    brand_name="Exempelbanken",
    purpose="Visa vem du är",
    language="sv",
    end_user_ip="192.0.2.7",
    user_agent="test",
    referring_domain="exempelbanken.example",
    device="d0",
    same_device=True,
    return_url=None,
    contact={"sms": PHONE},
)


class Desk:
    """A person with a telephone, in front of the page; keeps the state as the host does, without `send`."""

    def __init__(self, method: OtpLink, request: SignInRequest = SAMIR) -> None:
        self.method, self.request = method, request
        self.state: Mapping[str, Any] = {}
        self.received: list[dict[str, Any]] = []
        self.step: SignInStep

    def take(self, step: SignInStep) -> SignInStep:
        state = json.loads(json.dumps(step.state))
        send = state.pop("send", None)
        if send:
            self.received.append(send)
        self.state, self.step = state, step
        return step

    def start(self) -> SignInStep:
        return self.take(self.method.start(self.request))

    def types(self, code: str) -> SignInStep:
        return self.take(self.method.submit(self.request, self.state, {"code": code}))

    def asks_again(self) -> SignInStep:
        return self.take(self.method.submit(self.request, self.state, {"again": "1"}))

    @property
    def code(self) -> str:
        return str(self.received[-1]["code"])

    @property
    def wrong(self) -> str:
        return f"{(int(self.code) + 1) % 1_000_000:06d}"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def method_of(clock: Clock, **settings: Any) -> OtpLink:
    context = PluginContext(
        name="otp_link", settings=settings, clock=clock, secret=lambda purpose: purpose.encode().ljust(32, b"\0")
    )
    (method,) = tillit_otp_link.load(context).provide_identity_methods()
    assert isinstance(method, OtpLink)
    return method


@pytest.fixture
def desk(clock: Clock) -> Desk:
    desk = Desk(method_of(clock))
    desk.start()
    return desk


@pytest.mark.requirement("R003", "R002")
def test_the_right_code_completes_with_two_factors_at_level_low(desk: Desk, clock: Clock) -> None:
    clock.passes(seconds=20)
    step = desk.types(desk.code)

    assert step.status == "complete"
    assertion = step.assertion
    assert assertion is not None
    assert (assertion.provider, assertion.method, assertion.loa) == ("otp_link", "link+sms", LoA.LOW)
    assert (assertion.subject.scheme, assertion.subject.value) == ("phone", PHONE)
    assert assertion.factors == 2
    assert assertion.name == ""
    assert assertion.asserted_at == clock.now


def test_the_evidence_tells_when_and_how_and_nothing_about_the_person(desk: Desk) -> None:
    desk.types(desk.wrong)
    step = desk.types(desk.code)

    assert step.assertion is not None
    (part,) = step.assertion.evidence
    facts = json.loads(part.data)
    assert facts["channel"] == "sms"
    assert facts["wrong_codes"] == 1
    assert desk.code.encode() not in part.data
    assert PHONE.encode() not in part.data


@pytest.mark.requirement("R060")
def test_the_code_leaves_once_and_the_browser_never_sees_it(desk: Desk) -> None:
    step = desk.step
    shown = json.dumps([dict(step.view), dict(step.params), step.message])

    assert desk.received == [
        {
            "channel": "sms",
            "text_params": {"minutes": 10, "domain": "exempelbanken.example"},
            "code": desk.code,
        }
    ]
    assert desk.code not in shown
    assert PHONE not in shown
    assert desk.code not in json.dumps(desk.state)
    assert desk.code not in repr(step)
    assert step.view == {"field": "code", "length": 6, "attempts_left": 5, "codes_left": 3, "again_in": 30}


def test_later_steps_carry_no_outgoing_code(desk: Desk) -> None:
    for step in (desk.method.poll(SAMIR, desk.state), desk.types(desk.wrong), desk.types("12"), desk.types(desk.code)):
        assert "send" not in step.state


def test_the_kept_state_cannot_be_searched_for_its_code(desk: Desk, clock: Clock) -> None:
    """A million digests are computed in a second; without the key they say nothing, and equal codes differ."""
    other = Desk(method_of(clock), replace(SAMIR, participant="p_other"))
    other.start()

    assert desk.state["code_digest"] != other.state["code_digest"]
    assert desk.state["salt"] != other.state["salt"]
    assert PHONE not in json.dumps(desk.state)


@pytest.mark.parametrize("typed", ["{0} {1}", " {0}-{1} ", "{0}\u2013{1}", "\u00a0{0}{1}"])
def test_a_code_may_be_typed_with_spaces_and_dashes(desk: Desk, typed: str) -> None:
    assert desk.types(typed.format(desk.code[:3], desk.code[3:])).status == "complete"


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "12345x", "½23456", "1" * 5000])
def test_what_is_not_six_digits_costs_no_attempt(desk: Desk, typed: str) -> None:
    step = desk.types(typed)

    assert (step.status, step.message) == ("pending", "otp_link.six_digits")
    assert step.view["attempts_left"] == 5


def test_five_wrong_codes_end_it_even_for_the_right_one(desk: Desk) -> None:
    messages = [desk.types(desk.wrong).message for _ in range(4)]
    assert messages == ["otp_link.wrong"] * 3 + ["otp_link.wrong_last"]
    assert desk.step.view["attempts_left"] == 1
    before = desk.state

    step = desk.types(desk.wrong)
    assert (step.status, step.message) == ("failed", "otp_link.too_many")

    assert desk.types(desk.code).status == "failed"
    assert desk.method.submit(SAMIR, before, {"code": desk.code}).status == "failed"


def test_an_older_state_does_not_bring_attempts_back(desk: Desk) -> None:
    first = desk.state
    for _ in range(5):
        desk.method.submit(SAMIR, first, {"code": desk.wrong})

    assert desk.method.submit(SAMIR, first, {"code": desk.code}).status == "failed"


def test_many_guesses_at_once_are_still_five(desk: Desk) -> None:
    state, answers = desk.state, []
    gate = threading.Barrier(20)

    def guess() -> None:
        gate.wait()
        answers.append(desk.method.submit(SAMIR, state, {"code": desk.wrong}).message)

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(answer.startswith("otp_link.wrong") for answer in answers) <= 4
    assert desk.method.submit(SAMIR, state, {"code": desk.code}).status == "failed"


def test_a_code_works_once(desk: Desk) -> None:
    before = desk.state
    assert desk.types(desk.code).status == "complete"

    assert desk.types(desk.code).message == "otp_link.spent"
    again = desk.method.submit(SAMIR, before, {"code": desk.code})
    assert (again.status, again.message, again.assertion) == ("failed", "otp_link.spent", None)


def test_of_two_right_answers_at_once_one_wins(desk: Desk) -> None:
    state, done = desk.state, []
    gate = threading.Barrier(4)

    def answer() -> None:
        gate.wait()
        done.append(desk.method.submit(SAMIR, state, {"code": desk.code}).status)

    threads = [threading.Thread(target=answer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == ["complete", "failed", "failed", "failed"]


def test_a_code_lives_ten_minutes(desk: Desk, clock: Clock) -> None:
    clock.passes(minutes=9, seconds=59)
    assert desk.method.poll(SAMIR, desk.state).status == "pending"
    clock.passes(seconds=1)

    assert desk.method.poll(SAMIR, desk.state).message == "otp_link.expired"
    step = desk.types(desk.code)
    assert (step.status, step.message) == ("failed", "otp_link.spent")


def test_a_new_code_kills_the_old_one(desk: Desk, clock: Clock) -> None:
    old_code, old_state = desk.code, desk.state
    clock.passes(seconds=30)
    step = desk.asks_again()
    assert step.message == "otp_link.again_sms"

    assert desk.method.submit(SAMIR, old_state, {"code": old_code}).status == "failed"
    if old_code != desk.code:
        assert desk.types(old_code).status == "pending"
    assert desk.types(desk.code).status == "complete"


def test_a_new_code_lives_its_own_ten_minutes_and_brings_no_attempts(desk: Desk, clock: Clock) -> None:
    desk.types(desk.wrong)
    clock.passes(minutes=9)
    step = desk.asks_again()
    assert step.view["attempts_left"] == 4
    clock.passes(minutes=9)

    assert desk.types(desk.code).status == "complete"


def test_a_new_code_waits_thirty_seconds(desk: Desk, clock: Clock) -> None:
    clock.passes(seconds=12)
    step = desk.asks_again()

    assert (step.status, step.message, step.params) == ("pending", "otp_link.wait", {"seconds": 18})
    assert step.view["again_in"] == 18
    assert len(desk.received) == 1
    assert desk.types(desk.code).status == "complete"


def test_three_new_codes_are_the_most(desk: Desk, clock: Clock) -> None:
    for left in (2, 1, 0):
        clock.passes(seconds=30)
        assert desk.asks_again().view["codes_left"] == left
    clock.passes(seconds=30)

    assert desk.asks_again().message == "otp_link.no_more_codes"
    assert len(desk.received) == 4
    assert desk.types(desk.code).status == "complete"


def test_starting_again_does_not_get_round_the_wait(desk: Desk, clock: Clock) -> None:
    clock.passes(seconds=10)
    step = desk.start()
    assert (step.status, step.message, step.params) == ("failed", "otp_link.wait", {"seconds": 20})
    clock.passes(seconds=20)

    assert desk.start().status == "pending"


def test_one_address_gets_so_many_codes_a_day(clock: Clock) -> None:
    desk = Desk(method_of(clock, codes_per_day=3))
    for _ in range(3):
        assert desk.start().status == "pending"
        clock.passes(minutes=1)
    assert desk.start().message == "otp_link.too_many_today"
    desk.request = replace(SAMIR, contact={"sms": "+46701740607"})
    assert desk.start().status == "pending"
    desk.request = SAMIR
    clock.passes(hours=24)

    assert desk.start().status == "pending"


def test_cancelling_makes_the_code_worthless(desk: Desk) -> None:
    desk.method.cancel(SAMIR, desk.state)
    desk.method.cancel(SAMIR, {})

    assert desk.types(desk.code).status == "failed"


@pytest.mark.parametrize(
    "request_",
    [
        replace(SAMIR, participant="p_other"),
        replace(SAMIR, meeting="m_other"),
        replace(SAMIR, device="another browser"),
        replace(SAMIR, contact={"sms": "+46701740607"}),
        replace(SAMIR, contact={"email": MAIL}),
    ],
    ids=["participant", "meeting", "browser", "changed number", "other channel"],
)
def test_a_code_counts_only_where_it_was_asked_for(desk: Desk, request_: SignInRequest) -> None:
    """A changed number must not turn a code sent to the old one into proof of the new."""
    step = desk.method.submit(request_, desk.state, {"code": desk.code})

    assert (step.status, step.message) == ("failed", "otp_link.start_again")


@pytest.mark.parametrize("key", ["sitting", "generation", "channel", "bound_to", "salt", "code_digest", "sent_at"])
def test_a_state_with_a_changed_field_does_not_complete(desk: Desk, key: str) -> None:
    for value in ("tampered", "2026-11-24T12:00:00.001Z", 9, None):
        state = {**desk.state, key: value}

        assert desk.method.submit(SAMIR, state, {"code": desk.code}).status != "complete"


def test_a_state_of_another_key_does_not_complete(desk: Desk, clock: Clock) -> None:
    other = OtpLink(settings=desk.method._settings, clock=clock, code_key=b"another key")

    assert other.submit(SAMIR, desk.state, {"code": desk.code}).status == "failed"


def test_another_worker_of_the_same_key_takes_the_code(desk: Desk, clock: Clock) -> None:
    assert method_of(clock).submit(SAMIR, desk.state, {"code": desk.code}).status == "complete"


def test_an_address_is_shown_only_to_who_knows_it(clock: Clock) -> None:
    by_sms, by_mail = Desk(method_of(clock)), Desk(method_of(clock), replace(SAMIR, contact={"email": MAIL}))

    assert by_sms.start().params == {"hint": "06"}
    step = by_mail.start()
    assert (step.message, step.params) == ("otp_link.sent_email", {"hint": "s…@example.org"})


def test_a_code_by_mail_proves_the_mail_address(clock: Clock) -> None:
    desk = Desk(method_of(clock), replace(SAMIR, contact={"email": MAIL}))
    desk.start()
    step = desk.types(desk.code)

    assert step.assertion is not None
    assert step.assertion.method == "link+email"
    assert (step.assertion.subject.scheme, step.assertion.subject.value) == ("email", MAIL)


@pytest.mark.requirement("R060")
@pytest.mark.parametrize("contact", [{}, {"inbox": "EB-1002"}, {"sms": ""}])
def test_without_another_way_to_the_person_there_is_no_code(clock: Clock, contact: dict[str, str]) -> None:
    step = method_of(clock).start(replace(SAMIR, contact=contact))

    assert (step.status, step.message, step.state) == ("failed", "otp_link.no_address", {})


def test_the_bank_chooses_which_channel_comes_first(clock: Clock) -> None:
    both = replace(SAMIR, contact={"sms": PHONE, "email": MAIL})

    assert method_of(clock).start(both).message == "otp_link.sent_sms"
    assert method_of(clock, channels=["email", "sms"]).start(both).message == "otp_link.sent_email"
    only_mail = method_of(clock, channels=["email"])
    assert only_mail.start(SAMIR).message == "otp_link.no_address"


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": []},
        {"channels": ["pigeon"]},
        {"channels": ["sms", "sms"]},
        {"channels": "sms"},
        {"codes_per_day": 0},
        {"codes_per_day": True},
        {"codes_per_day": 1000},
        {"code_length": 4},
    ],
)
def test_wrong_settings_stop_the_start(clock: Clock, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        method_of(clock, **settings)


@given(st.text(max_size=80))
def test_any_typed_text_is_six_ascii_digits_or_nothing(typed: str) -> None:
    code = read_code(typed)

    assert code is None or (len(code) == 6 and code.isascii() and code.isdigit())


def test_the_ledger_forgets_the_oldest_and_not_the_newest() -> None:
    ledger = Ledger()
    for number in range(MOST_ENTRIES + 10):
        ledger.end(str(number))

    assert not ledger.is_over("0", 0)
    assert ledger.is_over(str(MOST_ENTRIES + 9), 0)


def test_every_sentence_exists_in_all_six_languages_with_the_same_places() -> None:
    texts = tillit_otp_link.load_texts()
    fields = {
        language: {key: sorted(_places(sentence)) for key, sentence in texts[language].items()}
        for language in LANGUAGES
    }

    assert set(texts) == set(LANGUAGES)
    assert all(fields[language] == fields["sv"] for language in LANGUAGES)
    assert all(key.startswith("otp_link.") for key in texts["sv"])


def _places(sentence: str) -> list[str]:
    import string

    return [name for _, name, _, _ in string.Formatter().parse(sentence) if name]


def test_every_message_the_method_can_give_has_its_sentence() -> None:
    import re
    from importlib.resources import files

    source = (files("tillit_otp_link") / "method.py").read_text("utf-8")
    named = set(re.findall(r'(?:_failed|_ended|_pending)\((?:kept, )?"(\w+)"', source)) | {
        "done",
        "spent",
        "start_again",
    }
    named |= {f"{kind}_{channel}" for kind in ("sent", "again") for channel in ("sms", "email")}

    assert {f"otp_link.{name}" for name in named} <= set(tillit_otp_link.load_texts()["en"])
    assert len(named) > 15
