"""A message names who sends it, why and what the sign-in asks, or it is not sent."""

from typing import Any

import pytest

from sidecar.adapters.i18n import available_languages, own_catalogue
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.message_templates import (
    LINK_CONTEXT,
    SMS_LIMIT,
    WITHOUT_LINK,
    Channel,
    MessageKind,
    MissingPlaceholderError,
    check_template,
    fill,
    longest,
    placeholders,
    render,
    text_keys,
)

CHANNELS: tuple[Channel, ...] = ("email", "sms", "inbox")
SUBJECT = "{bank}: videomöte {date} kl. {time}"
BODY = "{bank} bjuder in dig om {purpose}. Du legitimerar dig med {sign_in}. {link}"
VALUES = {
    "bank": "Exempelbanken", "adviser": "Elin Sjöhage", "purpose": "Utöka bolånet", "date": "tisdag 24 november",
    "time": "14.00", "link": "https://exempelbanken.example/m/7Q", "sign_in": "BankID", "phone": "08-465 004 12",
    "name": "Maja Granlid", "code": "482 113",
}  # fmt: skip


def rules(kind: MessageKind = MessageKind.INVITATION, channel: Channel = "email", **changed: str) -> list[str]:
    text = {"subject": SUBJECT, "body": BODY, **changed}
    return [finding.rule for finding in check_template(kind=kind, channel=channel, **text)]


def shipped(kind: MessageKind, channel: Channel, language: str) -> tuple[str, str]:
    texts = own_catalogue().texts[language]
    subject, body = text_keys(kind, channel)
    return texts[subject] if subject else "", texts[body]


@pytest.mark.requirement("R059", "R061")
@pytest.mark.parametrize("language", available_languages)
@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", MessageKind)
def test_every_shipped_message_keeps_the_rules(kind: MessageKind, channel: Channel, language: str) -> None:
    subject, body = shipped(kind, channel, language)

    assert check_template(kind=kind, channel=channel, subject=subject, body=body) == ()
    sent = render(kind=kind, channel=channel, subject=subject, body=body, values=VALUES)
    assert not placeholders(sent.text + sent.subject)
    if channel == "sms":
        assert longest(body) <= SMS_LIMIT


@pytest.mark.requirement("R061", "R062")
@pytest.mark.parametrize("language", available_languages)
def test_an_invitation_explains_the_sign_in_and_warns_of_calls(language: str) -> None:
    _, letter = shipped(MessageKind.INVITATION, "email", language)
    _, sms = shipped(MessageKind.INVITATION, "sms", language)

    assert {"adviser", "bank", "purpose", "sign_in", "phone", "link"} <= placeholders(letter)
    never_by_phone = {
        "sv": ("ringer aldrig", "aldrig om koder"), "nb": ("ringer aldri", "aldri om koder"),
        "da": ("ringer aldrig", "aldrig om koder"), "fi": ("koskaan soita", "koskaan kysy koodeja"),
        "nl": ("bellen nooit", "nooit om codes"), "en": ("never call", "never ask for codes"),
    }[language]  # fmt: skip
    assert never_by_phone[0] in letter
    assert never_by_phone[1] in sms


@pytest.mark.requirement("R059")
@pytest.mark.parametrize("name", LINK_CONTEXT)
def test_a_link_without_its_sender_purpose_or_sign_in_is_refused(name: str) -> None:
    findings = check_template(
        kind=MessageKind.INVITATION, channel="sms", subject="", body=(BODY + SUBJECT).replace(f"{{{name}}}", "")
    )

    assert ("missing", f"{{{name}}}") in [(one.rule, one.params.get("placeholder")) for one in findings]


@pytest.mark.requirement("R059")
def test_a_bare_link_is_not_sent() -> None:
    with pytest.raises(InvalidInputError):
        render(kind=MessageKind.INVITATION, channel="sms", subject="", body="{link}", values=VALUES)


@pytest.mark.requirement("R059")
@pytest.mark.parametrize("name", LINK_CONTEXT)
def test_an_empty_value_cannot_hide_who_sends_or_why(name: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        render(kind=MessageKind.INVITATION, channel="email", subject=SUBJECT, body=BODY, values={**VALUES, name: "  "})
    assert refused.value.params["field"] == name


@pytest.mark.requirement("R060")
def test_link_and_code_never_share_a_message() -> None:
    assert "link_and_code" in rules(body=BODY + " {code}")
    assert "link_not_here" in rules(MessageKind.CODE, body="{bank} {code} {purpose} {sign_in} {link}")
    for kind in WITHOUT_LINK:
        for language in available_languages:
            for channel in CHANNELS:
                assert "link" not in placeholders("".join(shipped(kind, channel, language)))


@pytest.mark.parametrize("changed", ["{link}", "{code}"])
def test_nothing_secret_stands_where_a_lock_screen_shows_it(changed: str) -> None:
    assert "subject_secret" in rules(subject=SUBJECT + changed)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (BODY + " {customer}", "unknown"),
        (BODY + " {Name}", "braces"),
        (BODY + " {", "braces"),
        (BODY + " {name.__class__}", "braces"),
        (BODY + " {link}", "links"),
        (BODY + " https://elsewhere.example/", "own_address"),
        (BODY + " Läs mer på elsewhere.com", "own_address"),
        (BODY + " WWW.elsewhere.example", "own_address"),
        (" ", "empty"),
        (BODY + "x" * 6000, "long"),
    ],
)
def test_an_edited_template_is_refused_with_the_rule_it_breaks(text: str, rule: str) -> None:
    assert rule in rules(body=text)


@pytest.mark.parametrize(
    ("subject", "rule"), [("", "no_subject"), (SUBJECT + "\nBcc: x", "subject_lines"), ("x" * 121, "subject_long")]
)
def test_a_subject_is_one_short_line(subject: str, rule: str) -> None:
    assert rule in rules(subject=subject)


def test_an_sms_may_not_grow_past_its_limit() -> None:
    assert "long" in rules(channel="sms", body=BODY + SUBJECT + "x" * 200)


def test_only_a_long_purpose_is_shortened_in_an_sms() -> None:
    _, body = shipped(MessageKind.INVITATION, "sms", "sv")
    long_purpose = {**VALUES, "purpose": "Genomgång av bolån, försäkringar och sparande " * 6}
    sent = render(kind=MessageKind.INVITATION, channel="sms", subject="", body=body, values=long_purpose)

    assert len(sent.text) <= SMS_LIMIT
    assert "Genomgång av bolån" in sent.text
    assert sent.text.endswith(VALUES["link"])


def test_an_sms_that_cannot_be_shortened_is_not_sent() -> None:
    with pytest.raises(InvalidInputError):
        render(
            kind=MessageKind.INVITATION,
            channel="sms",
            subject="",
            body=BODY + SUBJECT,
            values={**VALUES, "link": "x" * 400},
        )


def test_a_line_break_in_a_value_stays_out_of_the_subject() -> None:
    values: dict[str, Any] = {**VALUES, "bank": "Bank\r\nBcc: thief@elsewhere.example"}
    sent = render(kind=MessageKind.INVITATION, channel="email", subject=SUBJECT, body=BODY, values=values)

    assert "\n" not in sent.subject
    assert "\r" not in sent.subject


def test_a_value_is_never_filled_again() -> None:
    assert fill("{purpose}", {"purpose": "{code}", "code": "482113"}) == "{code}"


def test_a_missing_value_is_named() -> None:
    with pytest.raises(MissingPlaceholderError) as missing:
        fill("{bank}", {})
    assert missing.value.params["field"] == "bank"


@pytest.mark.parametrize("language", available_languages)
def test_every_rule_has_its_sentence(language: str) -> None:
    sentences = own_catalogue().texts[language]
    for rule in (
        "empty", "no_subject", "subject_lines", "subject_long", "long", "braces", "unknown", "missing",
        "subject_secret", "links", "link_not_here", "link_and_code", "own_address",
    ):  # fmt: skip
        assert f"messages.check.{rule}" in sentences
