"""The reader's language: every sentence in six languages, and none filled with what is not there."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from markupsafe import Markup

from sidecar.adapters.i18n import (
    Catalogue,
    MissingTextError,
    Translator,
    available_languages,
    differences,
    language_menu,
    load_catalogue,
    negotiate_language,
    own_catalogue,
)
from sidecar.domain.errors import ConfigurationError

NOON = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)  # 14.00 in Stockholm
CUSTOMER_AREAS = {"common", "customer", "arrive", "identify", "lobby", "refused", "call", "messages"}


def small(**texts: dict[str, str]) -> Catalogue:
    return Catalogue({language: texts.get(language, {}) for language in available_languages})


def customer_texts() -> dict[str, dict[str, str]]:
    return {
        language: {key: text for key, text in own.items() if key.split(".")[0] in CUSTOMER_AREAS}
        for language, own in own_catalogue().texts.items()
    }


@pytest.mark.requirement("R056", "R061")
def test_every_customer_sentence_is_in_six_languages_with_the_same_placeholders() -> None:
    texts = customer_texts()

    assert differences(texts) == []
    assert all(len(own) > 400 for own in texts.values())


def test_a_lacking_key_and_a_lost_placeholder_are_both_told() -> None:
    texts = {"sv": {"a.x": "{name}"}, "nb": {"a.x": "{navn}"}, "en": {"a.x": "{name}", "a.y": "y"}}

    assert differences(texts) == ["sv lacks a.y", "nb lacks a.y", "nb has other placeholders in a.x"]


@pytest.mark.parametrize("language", available_languages)
def test_sentences_keep_the_house_tone(language: str) -> None:
    """No exclamation marks, no em dash, no code names of levels; nothing left in another's language by mistake."""
    english = customer_texts()["en"]
    for key, text in customer_texts()[language].items():
        assert not set(text) & set("!—"), key
        assert "LoA" not in text, key
        assert text.count("**") % 2 == 0, key
        if language != "en" and len(text) > 25 and not text.startswith(("{", "messages")):
            assert text != english[key], key


def test_a_value_is_filled_and_never_filled_again() -> None:
    speak = Translator("sv", small(sv={"a.x": "Hej {name}."}), strict=True)

    assert speak("a.x", name="{secret}") == "Hej {secret}."


def test_markup_comes_from_the_text_and_never_from_a_value() -> None:
    speak = Translator("sv", small(sv={"a.x": "**{name}** & Co"}), strict=True)

    assert speak.html("a.x", name="<b>**x**</b>") == Markup("<strong>&lt;b&gt;**x**&lt;/b&gt;</strong> &amp; Co")
    assert speak("a.x", name="Elin") == "Elin & Co"


def test_strict_raises_for_a_missing_key_and_a_missing_value() -> None:
    speak = Translator("sv", small(sv={"a.x": "{name}"}), strict=True)

    with pytest.raises(MissingTextError):
        speak("a.unknown")
    with pytest.raises(MissingTextError):
        speak("a.x")


def test_in_production_english_answers_then_the_key(caplog: pytest.LogCaptureFixture) -> None:
    speak = Translator("fi", small(en={"a.x": "Hello {name}"}))

    assert speak("a.x") == "Hello …"
    assert speak("a.unknown") == "a.unknown"
    assert "text missing" in caplog.text
    assert "text lacks a value" in caplog.text


def test_telephone_numbers_and_times_do_not_break_over_lines() -> None:
    speak = Translator("sv", strict=True)

    assert "kl.\u00a014.00" in speak.when(NOON, NOON)
    assert "08\u2011465\u00a0004\u00a012" in speak("common.call", phone="08-465 004 12")


@pytest.mark.parametrize(
    ("language", "clock", "date", "when"),
    [
        ("sv", "14.00", "tisdag 24 november 2026", "i dag kl.\u00a014.00"),
        ("nb", "14.00", "tirsdag 24. november 2026", "i dag kl.\u00a014.00"),
        ("da", "14.00", "tirsdag 24. november 2026", "i dag kl.\u00a014.00"),
        ("fi", "14.00", "tiistaina 24. marraskuuta 2026", "tänään klo\u00a014.00"),
        ("nl", "14:00", "dinsdag 24 november 2026", "vandaag om 14:00 uur"),
        ("en", "14:00", "Tuesday 24 November 2026", "today at 14:00"),
    ],
)
def test_times_are_written_as_the_language_writes_them(language: str, clock: str, date: str, when: str) -> None:
    speak = Translator(language, strict=True)

    assert speak.clock(NOON) == clock
    assert speak.date(NOON) == date
    assert speak.when(NOON, NOON) == when


def test_tomorrow_begins_at_midnight_on_the_readers_wall() -> None:
    speak = Translator("en", strict=True, zone="Europe/Helsinki")
    late_evening = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)  # 23:30 in Helsinki

    assert speak.when(late_evening + timedelta(hours=1), late_evening) == "tomorrow at 00:30"
    assert speak.when(late_evening + timedelta(days=3), late_evening) == "Friday 27 November at 23:30"


def test_counts_follow_the_languages_own_rule() -> None:
    assert Translator("en", strict=True).plural("lobby.waited", 1) == "You have waited for 1 minute."
    assert Translator("en", strict=True).plural("lobby.waited", 2) == "You have waited for 2 minutes."
    assert Translator("fi", strict=True).plural("identify.code.attempts", 3) == "Sinulla on 3 yritystä jäljellä."


def test_periods_and_lists_are_words() -> None:
    speak = Translator("sv", strict=True)

    assert speak.period(timedelta(days=3650)) == "10 år"
    assert speak.period(timedelta(days=3653)) == "10 år"  # with three leap days among them
    assert speak.period(timedelta(days=364)) == "364 dygn"
    assert speak.period(timedelta(days=90)) == "3 månader"
    assert speak.period(timedelta(minutes=30)) == "30 minuter"
    assert speak.listing(["BankID", "Freja", "MitID"], either=True) == "BankID, Freja eller MitID"
    assert speak.listing(["BankID"]) == "BankID"
    assert Translator("nl", strict=True).period(timedelta(days=45)) == "45 dagen"


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ({"query": "fi", "cookie": "da", "accept_language": "en"}, "fi"),
        ({"cookie": "da", "invitation": "nl", "accept_language": "en"}, "da"),
        ({"invitation": "nl", "accept_language": "en"}, "nl"),
        ({"accept_language": "de-DE,nn;q=0.8,en;q=0.5"}, "nb"),
        ({"accept_language": "en;q=0.3, no;q=0.9"}, "nb"),
        ({"accept_language": "en;q=0, fi;q=x, da"}, "da"),
        ({"query": "../../etc", "cookie": "xx", "accept_language": "\x00;;,,"}, "sv"),
        ({}, "sv"),
    ],
)
def test_language_is_the_latest_choice_then_the_invitations_then_the_browsers(
    asked: dict[str, str], spoken: str
) -> None:
    assert negotiate_language(**asked, default="sv") == spoken


def test_language_a_brand_does_not_offer_is_not_spoken() -> None:
    assert negotiate_language(query="fi", accept_language="en", offered=("sv", "en")) == "en"


def test_menu_names_each_language_in_its_own_words() -> None:
    menu = language_menu("fi", lambda code: f"?lang={code}")

    assert [entry["name"] for entry in menu if entry["current"]] == ["Suomi"]
    assert {entry["url"] for entry in menu} == {f"?lang={code}" for code in available_languages}


def test_a_plugins_texts_join_under_its_own_name() -> None:
    catalogue = small(en={"common.x": "x"})
    texts = {language: {"bankid.title": "BankID"} for language in available_languages}

    assert Translator("nb", catalogue.with_texts(texts, owner="bankid"))("bankid.title") == "BankID"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"en": {"bankid.a": "a"}}, "no sentences in"),
        ({language: {"common.x": "mine now"} for language in available_languages}, "does not begin with"),
        ({language: {"bankid.a": "{x}" if language == "fi" else "a"} for language in available_languages}, "fi has"),
    ],
)
def test_a_plugin_with_holes_or_anothers_keys_stops_the_start(texts: dict[str, dict[str, str]], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        small(en={"common.x": "x"}).with_texts(texts, owner="bankid")


@pytest.mark.parametrize(
    ("text", "told"),
    [('"common.x" = ""', "not a sentence"), ('"other.x" = "x"', "another file"), ("common.x = = 1", "common.toml")],
)
def test_an_unreadable_text_file_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "sv").mkdir()
    (tmp_path / "sv" / "common.toml").write_text(text)

    with pytest.raises(ConfigurationError, match=told):
        load_catalogue(tmp_path)


def test_text_files_hold_one_area_each_in_flat_keys() -> None:
    folder = Path(load_catalogue.__globals__["TEXTS"])
    for file in folder.glob("*/*.toml"):
        for key, value in tomllib.loads(file.read_text()).items():
            assert key.startswith(f"{file.stem}."), file
            assert isinstance(value, str), key


def test_templates_are_given_what_base_html_documents() -> None:
    found = Translator("sv", strict=True).template_globals(NOON)

    assert found["when"](NOON) == "i dag kl.\u00a014.00"
    assert {"t", "th", "plural", "clock", "date", "short_date", "day", "period", "listing", "lang"} <= found.keys()
