"""What the customer's pages say of the wait, of a refusal and of their data, worked out from facts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.adapters.i18n import Translator, available_languages, own_catalogue
from sidecar.web.customer_views import LONG_WAIT, REASONS, lobby_view, notice, refused_view

STARTS = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
SV = Translator("sv", strict=True)
KNOWN = {
    "adviser": "Elin", "bank": "Exempelbanken", "phone": "08-465 004 12", "time": "13.57", "until": "14.30",
    "when": "i morgon kl. 14.00", "method": "e‑legitimation",
}  # fmt: skip


def wait(place: Any = "waiting", *, speak: Translator = SV, **changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "given": "Maja", "adviser": "Elin", "phone": "08-465 004 12", "starts_at": STARTS,
        "since": STARTS - timedelta(minutes=4), "now": STARTS - timedelta(minutes=2),
    }  # fmt: skip
    return lobby_view(speak, place=place, **{**facts, **changed})


def data(**changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "version": "4", "since": STARTS, "bank": "Exempelbanken", "phone": "08-465 004 12",
        "contact": "ombud@x.example",
        "kept": timedelta(days=3650), "stored": "Sverige",
    }  # fmt: skip
    return notice(changed.pop("speak", SV), **{**facts, **changed})


def test_the_wait_is_counted_and_the_promise_names_its_hour() -> None:
    view = wait()

    assert view["heading"] == "Du är på plats, Maja"
    assert view["waited"] == "Du har väntat i 2 minuter."
    assert "14.10" in view["note"]
    assert not view["choices"]


@pytest.mark.parametrize("place", ["waiting", "not_here", "late"])
def test_after_ten_minutes_the_three_choices_are_offered(place: str) -> None:
    before = wait(place, now=STARTS + LONG_WAIT - timedelta(seconds=1))
    after = wait(place, now=STARTS + LONG_WAIT)

    assert (before["choices"], after["choices"]) == (False, True)
    assert after["strong"] == "Det dröjer längre än väntat."
    assert after["note"] == ""


def test_someone_who_came_late_is_not_asked_at_once() -> None:
    came = STARTS + timedelta(minutes=30)

    assert not wait(since=came, now=came + timedelta(minutes=3))["choices"]


def test_a_choice_is_answered_and_not_asked_again() -> None:
    view = wait(now=STARTS + timedelta(minutes=12), choice="call_me")

    assert not view["choices"]
    assert view["chosen"] == "Elin ringer upp dig. Du kan stänga sidan."


@pytest.mark.parametrize("place", ["closed", "second_device", "sent_back"])
def test_other_places_never_turn_into_a_long_wait(place: str) -> None:
    assert wait(place, now=STARTS + timedelta(hours=1))["place"] == place


def test_an_adviser_who_is_late_is_named() -> None:
    assert wait("late")["strong"] == "Elin är försenad."


@pytest.mark.requirement("R038")
def test_a_call_on_demand_says_how_many_are_before() -> None:
    assert wait("not_here", adviser="", ahead=0)["rest"] == "Du är näst på tur."
    assert wait("not_here", adviser="", ahead=2)["rest"] == "2 personer väntar före dig."
    assert wait("not_here", adviser="", ahead=2)["line"] == ""


@pytest.mark.parametrize("language", available_languages)
def test_every_place_of_the_lobby_speaks_every_language(language: str) -> None:
    speak = Translator(language, strict=True)
    for place in ("not_here", "waiting", "late", "sent_back", "closed", "second_device"):
        view = wait(place, speak=speak)
        assert view["strong"]
        assert view["rest"]


@pytest.mark.parametrize("language", available_languages)
@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_says_what_why_what_helps_and_whom_to_call(reason: str, language: str) -> None:
    view = refused_view(Translator(language, strict=True), reason, values=KNOWN, urls={})

    assert view["title"]
    assert "<strong>" in view["lead"]
    assert view["helps"]
    assert "08\u2011465" in view["helps"][-1]["text"]


def test_no_words_of_a_refusal_are_left_that_no_reason_says() -> None:
    said = {"refused.helps", "refused.follows", "refused.case", "refused.phone.title", "refused.phone.text"}
    for name, reason in REASONS.items():
        said |= {f"refused.{name}.title", f"refused.{name}.lead"}
        said |= {f"refused.{name}.help.{each}.{part}" for icon, each in reason.helps for part in ("title", "text")
                 if icon != "call"}  # fmt: skip
        said |= {f"refused.follow.{each}.{part}" for each in reason.follows for part in ("title", "text")}
        said |= {f"refused.act.{each}" for each in reason.acts}

    assert {key for key in own_catalogue().texts["sv"] if key.startswith("refused.")} == said


@pytest.mark.requirement("R016")
def test_a_refusal_keeps_the_persons_place_among_the_three_steps() -> None:
    assert refused_view(SV, "wrong_person", values=KNOWN, urls={})["step"] == 2
    assert refused_view(SV, "moved", values=KNOWN, urls={})["step"] == 1


def test_an_act_without_an_address_is_not_offered() -> None:
    view = refused_view(SV, "wrong_person", values=KNOWN, urls={"call_me": "/call-me"})

    assert view["main"]["url"] == "/call-me"
    assert view["second"] is None


def test_a_fact_that_is_not_known_is_not_told() -> None:
    view = refused_view(SV, "wrong_person", values={"phone": "08-465 004 12"}, urls={})

    assert view["follows"] == []


def test_the_adviser_learns_that_it_failed_and_not_who_it_was() -> None:
    told = refused_view(SV, "wrong_person", values=KNOWN, urls={})["follows"][0]

    assert told["title"] == "Elin får veta"
    assert "inte vem du är" in told["text"]


def test_a_reason_nobody_knows_is_still_service() -> None:
    assert refused_view(SV, "../x", values=KNOWN, urls={})["reason"] == "unknown"


def test_a_name_cannot_bring_markup_into_a_refusal() -> None:
    view = refused_view(SV, "denied", values={**KNOWN, "adviser": "<img src=x>"}, urls={})

    assert "<img" not in str(view["lead"])


@pytest.mark.requirement("R056", "R066")
@pytest.mark.parametrize("language", available_languages)
def test_the_notice_says_gain_purpose_time_place_and_rights_in_every_language(language: str) -> None:
    sections = data(speak=Translator(language, strict=True))["sections"]

    assert [section["id"] for section in sections] == [
        "who", "gain", "what", "why", "seen", "recording", "location", "kept", "stored", "safe", "rights", "choice",
    ]  # fmt: skip
    assert all(section["title"] and section["paragraphs"] for section in sections)


@pytest.mark.requirement("R066")
def test_a_recording_is_told_only_where_there_may_be_one_and_nobody_is_located() -> None:
    plain = {section["id"]: section["paragraphs"][0] for section in data()["sections"]}
    more = {section["id"]: section["paragraphs"][0] for section in data(recording=True)["sections"]}

    assert "spelas inte in" in plain["recording"]
    assert "du kan säga nej" in more["recording"]
    assert "samlar inte in" in plain["location"]
    assert more["location"] == plain["location"]


@pytest.mark.requirement("R065")
def test_another_text_has_another_digest() -> None:
    """The digest is kept with the consent: it must follow every word that was on the page."""
    digests = {
        data()["digest"], data(recording=True)["digest"], data(chat_kept=True)["digest"],
        data(stored="Finland")["digest"], data(kept=timedelta(days=365))["digest"],
        data(speak=Translator("en", strict=True))["digest"],
    }  # fmt: skip

    assert len(digests) == 6
    assert data()["digest"] == data()["digest"]
