"""The words of messages, by brand and language: edited by the role that may, checked before they are kept."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g, jsonify, render_template, request

from sidecar.adapters.i18n import Translator, available_languages
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.message_templates import (
    PLACEHOLDERS,
    REQUIRED,
    WITHOUT_LINK,
    Channel,
    MessageKind,
    check_template,
    form_of,
    text_keys,
)
from sidecar.services.acts import Act
from sidecar.services.ports import MeetingTx
from sidecar.web.access import access
from sidecar.web.desk.blueprint import prepare
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import services, staff, translator

message_templates = prepare(Blueprint("message_templates", __name__, url_prefix="/desk/messages"))

_CHANNELS: tuple[Channel, ...] = ("email", "sms")  # mail and the bank's inbox share the letter's words


@message_templates.get("")
@access("staff")
def page() -> str:
    """List every template of this brand in one language, which are the bank's own words, and edit one."""
    product, me = services(), staff()
    product.staff.require(me, "edit_messages")
    language = request.args.get("for", g.brand.default_language)
    if language not in g.brand.languages:
        language = g.brand.default_language
    own = product.meetings.templates(g.brand.id)
    shipped = Translator(language, product.catalogue, zone=g.brand.time_zone)
    return render_template(
        "staff/messages.html",
        rows=[
            _row(kind, channel, own=own, shipped=shipped)
            for kind in MessageKind
            for channel in _CHANNELS
            if shipped.has(text_keys(kind, channel)[1])
        ],
        language=language,
        template_languages=[{"code": each, "name": available_languages[each]} for each in g.brand.languages],
        sample=_sample(shipped, product.clock()),
    )


@message_templates.post("")
@access("staff")
def save() -> Response:
    """Keep a template. Answers every reason why it cannot be used, or that it is saved."""
    product, me = services(), staff()
    product.staff.require(me, "edit_messages")
    body = json_body()
    kind, channel, language = _which(body)
    subject = text_of(body, "subject", longest=500, required=False)
    text = text_of(body, "body", longest=20_000, required=False)
    findings = check_template(kind=kind, channel=channel, subject=subject, body=text)
    if findings:
        t = translator()
        return jsonify(saved=False, findings=[t(f"messages.check.{f.rule}", **f.params) for f in findings])
    subject_key, body_key = text_keys(kind, channel)
    act = _act(kind, channel, language, "changed")

    def effect(tx: MeetingTx) -> None:
        tx.put_template(brand=g.brand.id, language=language, key=body_key, body=text)
        if subject_key:
            tx.put_template(brand=g.brand.id, language=language, key=subject_key, body=subject)

    product.acts.perform(act, effect=effect)
    return jsonify(saved=True, findings=[])


@message_templates.post("/restore")
@access("staff")
def restore() -> Response:
    """Go back to the words the product brings, and return them."""
    product, me = services(), staff()
    product.staff.require(me, "edit_messages")
    kind, channel, language = _which(json_body())
    act = _act(kind, channel, language, "restored")
    subject_key, body_key = text_keys(kind, channel)

    def effect(tx: MeetingTx) -> None:
        for key in filter(None, (subject_key, body_key)):
            tx.drop_template(brand=g.brand.id, language=language, key=key)

    product.acts.perform(act, effect=effect)
    shipped = Translator(language, product.catalogue)
    subject = shipped.raw(subject_key) if subject_key else ""
    return jsonify(saved=True, findings=[], subject=subject, body=shipped.raw(body_key))


def _row(
    kind: MessageKind, channel: Channel, *, own: dict[tuple[str, str], str], shipped: Translator
) -> dict[str, Any]:
    """Return one template: its words, whether they are the bank's own, and what the system can fill in."""
    subject_key, body_key = text_keys(kind, channel)
    changed = [key for key in (subject_key, body_key) if key and (shipped.language, key) in own]
    required = REQUIRED[kind]
    barred = {"link"} if kind in WITHOUT_LINK else set()
    if kind is not MessageKind.CODE:
        barred.add("code")
    return {
        "kind": kind.value,
        "channel": channel,
        "form": form_of(channel),
        "title": translator()(f"desk.messages.kind.{kind.value}"),
        "subject": _words(subject_key, own, shipped) if subject_key else "",
        "body": _words(body_key, own, shipped),
        "own": bool(changed),
        "required": required,
        "optional": [name for name in PLACEHOLDERS if name not in required and name not in barred],
    }


def _words(key: str, own: dict[tuple[str, str], str], shipped: Translator) -> str:
    return own.get((shipped.language, key)) or shipped.raw(key)


def _sample(speak: Translator, now: datetime) -> dict[str, str]:
    """Return what the placeholders stand for in the preview: an invented meeting of this bank."""
    usual = services().policy.current_types(today=now.date())[0]
    starts = (now + timedelta(days=3)).astimezone(ZoneInfo(g.brand.time_zone)).replace(hour=14, minute=0)
    return {
        "bank": g.brand.name,
        "adviser": "Elin Sjöhage",
        "purpose": usual.title[speak.language],
        "date": speak.day(starts),
        "time": speak.clock(starts),
        "link": f"{g.brand.url}/m/…",
        "sign_in": "BankID",
        "phone": g.brand.phone,
        "name": "Maja Granlid",
        "code": "482913",
    }


def _which(body: dict[str, object]) -> tuple[MessageKind, Channel, str]:
    language = text_of(body, "language", longest=2)
    channel = text_of(body, "channel", longest=10)
    try:
        kind = MessageKind(text_of(body, "kind", longest=40))
    except ValueError as error:
        raise InvalidInputError("There is no such message.", field="kind") from error
    if language not in g.brand.languages:
        raise InvalidInputError("There is no such language.", field="language")
    if channel not in _CHANNELS:
        raise InvalidInputError("There is no such channel.", field="channel")
    return kind, channel, language


def _act(kind: MessageKind, channel: Channel, language: str, how: str) -> Act:
    data = {"template": kind.value, "channel": channel, "language": language, "brand": g.brand.id, "how": how}
    return Act("template.changed", staff().id, services().clock(), data=data)
