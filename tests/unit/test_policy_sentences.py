"""Every grant and refusal has one plain sentence, in six languages, and no raw brace ever shows."""

import re
from datetime import UTC, datetime

import pytest

from sidecar.adapters.policy_files import load_policy
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import (
    LANGUAGES,
    RAISE_TARGETS,
    REQUIRED_SENTENCES,
    Decision,
    Raise,
    Segment,
    Situation,
    consequences,
    decide,
    duration_text,
    may_raise,
    promise,
    sentence,
)

POLICY = load_policy()
SENTENCES = POLICY.sentences
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PARAMS = {
    "adviser": "Elin",
    "phone": "08-465 004 12",
    "meeting": "m_1",
    "opens": "13.45",
    "method": "BankID",
    "hours": "8-20",
    "until": "24 maj 2031",
}


def mortgage(capacity: Capacity = Capacity.ADVISER, *raises: str) -> Situation:
    made = tuple(Raise(target, NOON, "st_elin") for target in raises)
    return Situation(POLICY.type("mortgage@1"), Segment.PRIVATE, frozenset({"mortgage-adviser"}), capacity, made)


# Word for word from the agreed list of words; {adviser} and {phone} filled as there.
AGREED = {
    "too-early": {
        "sv": "Du är tidig. Dörren öppnas kl. 13.45, och du kan göra dig klar redan nu.",
        "en": "You are early. The door opens at 13.45, and you can get ready now.",
    },
    "recording-refused": {
        "sv": "Det här mötet får inte spelas in. Anteckna i sammanställningen, så får båda den.",
        "en": "This meeting may not be recorded. Write it in the summary, and you will both receive it.",
    },
    "recording-on": {
        "sv": "Mötet spelas in för att lagen kräver det. Inspelningen raderas den 24 maj 2031.",
    },
    "consent-missing": {
        "sv": "Kryssa i rutan om du vill vara med på video. Vill du inte, ring oss så ses vi på kontoret.",
        "en": "Tick the box if you want to meet on video. If not, call us and we will meet at the branch.",
    },
    "whole-screen-refused": {
        "sv": "I bolånemöten delas bara ett fönster i taget. Välj fönstret du vill visa.",
        "en": "In mortgage meetings only one window is shared at a time. Choose the window you want to show.",
    },
    "share-not-for-you": {
        "sv": "Här är det rådgivaren som delar. Säg till Elin om du vill visa något.",
        "en": "Here it is the adviser who shares. Tell Elin if there is something you want to show.",
    },
    "share-cut": {
        "sv": "Vi stoppade delningen, för fönstret visade något som bara är till för banken. Ingen bild sparades.",
        "en": "We stopped the sharing, because the window showed something meant only for the bank. "
        "No picture was kept.",
    },
    "wrong-person": {
        "sv": "Inbjudan är till en annan person än den som nyss legitimerade sig. Försök igen med ditt eget BankID.",
        "en": "The invitation is for another person than the one who just signed in. Try again with your own BankID.",
    },
    "level-too-low": {
        "sv": "Till det här mötet behövs e‑legitimation. Koden i sms räcker inte för ett lån.",
        "en": "This meeting needs an electronic ID. The code in a text message is not enough for a loan.",
    },
    "cannot-lower": {
        "sv": "Säkerheten kan bara höjas under mötet. Boka ett nytt möte om du valde fel typ.",
        "en": "Security can only be raised during a meeting. Book a new one if you chose the wrong type.",
    },
    "expelled": {
        "sv": "Elin har avslutat din medverkan. Ring 08-465 004 12 om du tror att det blev fel.",
        "en": "Elin has ended your part in the meeting. Call 08-465 004 12 if you think this was a mistake.",
    },
    "session-ended": {
        "sv": "Din tid i mötet har gått ut. Legitimera dig igen, så fortsätter du där du var.",
        "en": "Your time in the meeting has run out. Identify yourself again to go on where you were.",
    },
    "audit-unavailable": {
        "sv": "Vi kan inte anteckna det som händer just nu, och då gör vi det inte heller. Försök om en stund.",
        "en": "We cannot write down what happens just now, so we do not do it either. Try again in a while.",
    },
}


@pytest.mark.requirement("R052")
@pytest.mark.parametrize("key", AGREED)
def test_the_agreed_words_are_said(key: str) -> None:
    for language, words in AGREED[key].items():
        assert sentence(key, language, texts=SENTENCES, type="mortgage@1", **PARAMS) == words


@pytest.mark.requirement("R203")
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_decision_about_every_permission_is_said_in_every_language(language: str) -> None:
    said = set()
    for ref in POLICY.types:
        for capacity in Capacity:
            where = Situation(POLICY.type(ref), Segment.PRIVATE, frozenset({"private-banker"}), capacity)
            for permission in [*Permission, "document_room.annotate"]:
                decision = decide(POLICY, where, permission)
                assert decision.sentence in REQUIRED_SENTENCES
                said.add(SENTENCES.say(decision, language))
            for target in [*RAISE_TARGETS, "band:low", "coffee:on"]:
                decision = may_raise(POLICY, where, target)
                assert decision.sentence in REQUIRED_SENTENCES
                said.add(SENTENCES.say(decision, language))
    assert all(len(words) > 8 and words.endswith(".") for words in said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_brace_shows_whatever_is_left_out(language: str) -> None:
    for key in SENTENCES.keys:
        for params in ({}, {"adviser": "Elin"}, {"phone": "1"}, {"adviser": ""}, PARAMS, {"type": "mortgage@1"}):
            assert not re.search(r"[{}]", SENTENCES.say(key, language, **params)), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_keep_the_tone(language: str) -> None:
    """No exclamation marks, no apologies, no abbreviations a customer would have to know."""
    for key in SENTENCES.keys:
        for words in SENTENCES.variants[language][key]:
            assert not re.search(r"!|\bLoA\b|\bKYC\b|\be-leg\b|\btyvärr\b|\boops\b", words, re.IGNORECASE), key
            assert "  " not in words


def test_a_language_is_not_another_one_copied() -> None:
    """A sentence of some length that is the same in two languages was forgotten, except where they agree."""
    agree = {frozenset({"nb", "da"})}
    for key in REQUIRED_SENTENCES:
        by_words: dict[str, set[str]] = {}
        for language in LANGUAGES:
            by_words.setdefault(SENTENCES.say(key, language), set()).add(language)
        for words, languages in by_words.items():
            if len(words) > 30:
                assert len(languages) == 1 or frozenset(languages) in agree, (key, words)


def test_a_persons_name_that_looks_like_a_placeholder_is_only_a_name() -> None:
    assert "{phone}" in SENTENCES.say("expelled", "sv", adviser="{phone}", phone="1")


def test_an_unknown_language_reads_english_and_an_unknown_decision_a_general_no() -> None:
    assert SENTENCES.say("cannot-lower", "xx") == SENTENCES.say("cannot-lower", "en")
    odd = Decision(False, "plugin.rule", "plugin.words-nobody-wrote")
    assert SENTENCES.say(odd, "en") == SENTENCES.say("refused", "en")
    with pytest.raises(KeyError):
        SENTENCES.say("no-such-key", "en")


def test_a_plugins_words_are_added_and_ours_stay() -> None:
    both = SENTENCES.with_texts({"en": {"pades.no": "Not now.", "cannot-lower": "Of course you can."}})

    assert both.say("pades.no", "en") == "Not now."
    assert both.say("cannot-lower", "en") == SENTENCES.say("cannot-lower", "en")
    assert "In mortgage meetings" in both.say("whole-screen-refused", "en", type="mortgage@1")


@pytest.mark.requirement("R052", "R099")
def test_the_promise_says_that_nothing_is_recorded_and_why() -> None:
    assert promise(POLICY, mortgage(), "sv") == (
        "Mötet spelas inte in, eftersom ni talar om din ekonomi. En sammanställning kommer efteråt."
    )
    assert promise(POLICY, mortgage(), "en") == (
        "The meeting is not recorded, because you will talk about your finances. A summary follows."
    )


@pytest.mark.requirement("R099", "R103")
def test_the_promise_of_a_meeting_the_law_may_want_recorded() -> None:
    fx = Situation(POLICY.type("corporate-fx@1"), Segment.CORPORATE, frozenset({"fx-desk"}), Capacity.CUSTOMER)

    assert "only if the law requires it" in promise(POLICY, fx, "en")
    assert promise(POLICY, fx, "sv", recorded_until="24 maj 2031") == (
        "Mötet spelas in för att lagen kräver det. Inspelningen raderas den 24 maj 2031."
    )


@pytest.mark.requirement("R024")
def test_the_booking_page_shows_what_followed_from_choosing_a_mortgage() -> None:
    lines = consequences(POLICY, mortgage(), "sv", customer="Maja", country="SE", stored_in="SE", observers=["Samir"])

    assert lines == [
        ("shield", "Maja visar BankID", "Och en gång till för varje underskrift."),
        ("norec", "Inget spelas in", "Parterna får en sammanställning."),
        ("share", "Bara du delar fönster", "Aldrig hela skärmen."),
        ("eyeoff", "Samir ser inga dokument", "Bara bild och ljud."),
        ("lock", "Sparas i Sverige i tio år", "Maja bor i Sverige."),
    ]


def test_what_follows_changes_with_type_segment_country_and_raises() -> None:
    advice = POLICY.type("advice@1")
    banker = frozenset({"private-banker"})
    private = Situation(advice, Segment.PRIVATE, banker, Capacity.ADVISER)
    company = Situation(advice, Segment.CORPORATE, banker, Capacity.ADVISER)
    quiet = Situation(advice, Segment.PRIVATE, banker, Capacity.ADVISER, (Raise("share:off", NOON, "st_elin"),))

    headings = [heading for _icon, heading, _text in consequences(POLICY, private, "en", customer="Ture")]
    assert headings[0] == "Ture comes in with link and code"
    assert headings[2] == "You and Ture can share a window"
    assert consequences(POLICY, company, "en")[2][1] == "Only you share a window"
    assert consequences(POLICY, quiet, "en")[2][1] == "Nobody shares a window"
    assert consequences(POLICY, mortgage(), "en", customer="Kari", country="DK")[0][1] == "Kari shows MitID"
    two = consequences(POLICY, mortgage(), "en", observers=["Samir", "Noor"])
    assert two[3][1] == "Samir and Noor see no documents"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_follows_is_said_in_every_language_with_nothing_known(language: str) -> None:
    for ref in POLICY.types:
        where = Situation(POLICY.type(ref), Segment.CORPORATE, frozenset({"fx-desk"}), Capacity.ADVISER)
        lines = consequences(POLICY, where, language)
        assert len(lines) == 5
        assert all(heading and text and "{" not in heading + text for _icon, heading, text in lines)


@pytest.mark.parametrize(
    ("days", "words"),
    [(90, "90 days"), (365, "one year"), (730, "two years"), (1826, "five years"), (3653, "ten years"),
     (5479, "15 years"), (500, "500 days")],
)  # fmt: skip
def test_a_length_of_time_is_said_as_a_person_says_it(days: int, words: str) -> None:
    assert duration_text(SENTENCES, days, "en") == words
