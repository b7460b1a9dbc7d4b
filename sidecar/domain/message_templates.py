"""What a message to a customer must and may say, decided on its template before anybody receives it.

A template is text with {placeholders}. The bank may word it as it likes, within four rules: a link never
comes without who sends it, why, and which sign-in it will ask (a bare link is what a fraudster sends); a
code never comes in the same message as a link; a template brings no address of its own; and an SMS stays
short enough to be read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from sidecar.domain.errors import InvalidInputError

Channel = Literal["email", "sms", "inbox"]


class MessageKind(StrEnum):
    """Why a message is sent. The texts are messages.<kind>.<letter or sms>.<subject or body>."""

    INVITATION = "invitation"
    GUEST_INVITATION = "guest_invitation"
    REMINDER = "reminder"
    MOVED = "moved"
    CANCELLED = "cancelled"
    CODE = "code"
    NOTICE = "notice"  # an SMS without a link: the invitation waits in the internet bank
    SUMMARY = "summary"  # after the meeting


# The longest value we expect for each placeholder, in characters: what the length limits are measured with.
PLACEHOLDERS: Mapping[str, int] = {
    "bank": 20,
    "adviser": 24,
    "purpose": 40,
    "date": 28,
    "time": 5,
    "link": 64,
    "sign_in": 24,
    "phone": 16,
    "name": 24,
    "code": 6,
}
LINK_CONTEXT = ("bank", "purpose", "sign_in")  # R059: sender, purpose, what the login will ask
REQUIRED: Mapping[MessageKind, tuple[str, ...]] = {
    MessageKind.INVITATION: ("bank", "purpose", "date", "time", "sign_in", "link"),
    MessageKind.GUEST_INVITATION: ("bank", "purpose", "date", "time", "sign_in", "link"),
    MessageKind.REMINDER: ("bank", "purpose", "date", "time", "sign_in", "link"),
    MessageKind.MOVED: ("bank", "purpose", "date", "time", "sign_in", "link"),
    MessageKind.CANCELLED: ("bank", "date", "time"),
    MessageKind.CODE: ("bank", "code"),
    MessageKind.NOTICE: ("bank", "date", "time"),
    MessageKind.SUMMARY: ("bank", "purpose", "date", "time"),
}
WITH_LINK = frozenset(kind for kind, names in REQUIRED.items() if "link" in names)
WITHOUT_LINK = frozenset({MessageKind.CODE, MessageKind.NOTICE, MessageKind.SUMMARY})
SUBJECT_LIMIT = 120  # a phone shows about 40, a mail program about 80; longer is cut by most
SMS_LIMIT = 300  # two joined parts of 153 characters, a little less so that an operator's prefix still fits
LETTER_LIMIT = 6000

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_ADDRESS = re.compile(r"https?://|www\.|\b[a-z0-9-]+\.(?:com|se|no|dk|fi|nl|net|org|io|ly|me)\b", re.IGNORECASE)


class MissingPlaceholderError(InvalidInputError):
    """A sentence was to be filled, and a value it names was not given. params: field."""


@dataclass(frozen=True)
class Finding:
    """One reason why a template cannot be used. rule: the key "messages.check.<rule>". params: its values."""

    rule: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RenderedMessage:
    """A message ready to send. subject is empty for an SMS."""

    subject: str
    text: str = field(repr=False)


def placeholders(text: str) -> frozenset[str]:
    """Return the names a text expects."""
    return frozenset(_PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, object]) -> str:
    """Return the text with its {placeholders} filled; values are never looked into, nor filled again.

    Raises MissingPlaceholderError for a name without a value.
    """

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in values:
            raise MissingPlaceholderError(f"no value for {{{name}}}", field=name)
        return str(values[name])

    return _PLACEHOLDER.sub(value, text)


def form_of(channel: Channel) -> Literal["letter", "sms"]:
    """Return which form a channel's template has: mail and the bank's inbox take the same letter."""
    return "sms" if channel == "sms" else "letter"


def text_keys(kind: MessageKind, channel: Channel) -> tuple[str | None, str]:
    """Return the keys of the standard subject (None for an SMS) and body."""
    stem = f"messages.{kind}.{form_of(channel)}"
    return (None if form_of(channel) == "sms" else f"{stem}.subject", f"{stem}.body")


def longest(text: str) -> int:
    """Return how long a filled text can become, in characters."""
    return len(_PLACEHOLDER.sub("", text)) + sum(PLACEHOLDERS.get(name, 0) for name in _PLACEHOLDER.findall(text))


def check_template(*, kind: MessageKind, channel: Channel, subject: str, body: str) -> tuple[Finding, ...]:
    """Return every reason why an edited template cannot be used; nothing when it can.

    subject: ignored for an SMS. Source: requirements R059 (no link without context), R060 (link and code
    apart), R061 (clear sender, the sign-in explained).
    """
    is_sms = form_of(channel) == "sms"
    whole = body if is_sms else f"{subject}\n{body}"
    return (
        *_shape_findings(subject, body, is_sms=is_sms),
        *_name_findings(kind, whole),
        *_link_findings(kind, subject, body),
    )


def _shape_findings(subject: str, body: str, *, is_sms: bool) -> list[Finding]:
    findings: list[Finding] = []
    if not body.strip():
        findings.append(Finding("empty"))
    if not is_sms:
        if not subject.strip():
            findings.append(Finding("no_subject"))
        if any(ord(letter) < 32 for letter in subject):  # a line break in a mail header starts a header of its own
            findings.append(Finding("subject_lines"))
        if longest(subject) > SUBJECT_LIMIT:
            findings.append(Finding("subject_long", {"limit": SUBJECT_LIMIT, "length": longest(subject)}))
    limit = SMS_LIMIT if is_sms else LETTER_LIMIT
    if longest(body) > limit:
        findings.append(Finding("long", {"limit": limit, "length": longest(body)}))
    return findings


def _name_findings(kind: MessageKind, whole: str) -> list[Finding]:
    findings: list[Finding] = []
    if any(brace in _PLACEHOLDER.sub("", whole) for brace in "{}"):
        findings.append(Finding("braces"))
    findings += [
        Finding("unknown", {"placeholder": f"{{{name}}}"}) for name in sorted(placeholders(whole) - PLACEHOLDERS.keys())
    ]
    findings += [
        Finding("missing", {"placeholder": f"{{{name}}}"}) for name in REQUIRED[kind] if name not in placeholders(whole)
    ]
    return findings


def _link_findings(kind: MessageKind, subject: str, body: str) -> list[Finding]:
    findings: list[Finding] = []
    links = _PLACEHOLDER.findall(body).count("link")
    if "link" in placeholders(subject) or "code" in placeholders(subject):
        findings.append(Finding("subject_secret"))
    if links > 1:
        findings.append(Finding("links", {"count": links}))
    if links and kind in WITHOUT_LINK:
        findings.append(Finding("link_not_here"))
    if links and "code" in placeholders(body):
        findings.append(Finding("link_and_code"))
    if "link" not in REQUIRED[kind] and links:
        present = placeholders(f"{subject}\n{body}")
        findings += [
            Finding("missing", {"placeholder": f"{{{name}}}"})
            for name in LINK_CONTEXT
            if name not in present and name not in REQUIRED[kind]
        ]
    if _ADDRESS.search(_PLACEHOLDER.sub("", f"{subject}\n{body}")):
        findings.append(Finding("own_address"))
    return findings


def render(
    *, kind: MessageKind, channel: Channel, subject: str, body: str, values: Mapping[str, str]
) -> RenderedMessage:
    """Return the message of a template, once more checked: a bare link cannot be sent.

    values: by placeholder name; a purpose too long for an SMS is shortened, nothing else ever is.
    Raises InvalidInputError (field: the rule) when the template is not fit, or a value the link needs is
    empty; MissingPlaceholderError when a value is not given.
    """
    findings = check_template(kind=kind, channel=channel, subject=subject, body=body)
    if findings:
        raise InvalidInputError(f"message template breaks the rule {findings[0].rule}", field=findings[0].rule)
    used = placeholders(body) | placeholders(subject)
    for name in REQUIRED[kind]:
        if name in used and name in values and not values[name].strip():
            raise InvalidInputError(f"a message without {name} is not sent", field=name)
    if form_of(channel) == "letter":
        return RenderedMessage(_one_line(fill(subject, values)), fill(body, values))
    text = fill(body, values)
    if len(text) > SMS_LIMIT and "purpose" in used:
        room = max(len(values["purpose"]) - (len(text) - SMS_LIMIT) - 1, 12)
        text = fill(body, {**values, "purpose": values["purpose"][:room].rstrip() + "…"})
    if len(text) > SMS_LIMIT:
        raise InvalidInputError("the SMS became too long", field="long")
    return RenderedMessage("", text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
