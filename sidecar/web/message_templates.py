"""The words of messages, by brand and language: edited by the role that may, checked before they are kept."""

from typing import cast

from flask import Blueprint, Response, g, jsonify, render_template, request

from sidecar.adapters.i18n import Translator, available_languages
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.message_templates import Channel, MessageKind, check_template, form_of, placeholders, text_keys
from sidecar.services.acts import Act
from sidecar.services.ports import MeetingTx
from sidecar.web.access import access
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import services, sessions, staff, translator

message_templates = Blueprint("message_templates", __name__, url_prefix="/desk/messages")

_CHANNELS: tuple[Channel, ...] = ("email", "sms")  # mail and the bank's inbox share the letter's words


@message_templates.get("")
@access("staff")
def page() -> str:
    """List every template of this brand in one language, which are the bank's own words, and edit one."""
    product, me = services(), staff()
    product.staff.require(me, "edit_messages")
    t = translator()
    language = request.args.get("for", g.brand.default_language)
    if language not in available_languages:
        language = g.brand.default_language
    own = product.meetings.templates(g.brand.id)
    shipped = Translator(language, product.catalogue)
    rows = []
    for kind in MessageKind:
        for channel in _CHANNELS:
            subject_key, body_key = text_keys(kind, channel)
            if not shipped.has(body_key):
                continue
            body = own.get((language, body_key)) or shipped.raw(body_key)
            subject = (own.get((language, subject_key)) or shipped.raw(subject_key)) if subject_key else ""
            rows.append(
                {
                    "kind": kind.value,
                    "channel": channel,
                    "form": form_of(channel),
                    "title": t(f"desk.messages.kind.{kind.value}"),
                    "subject": subject,
                    "body": body,
                    "own": (language, body_key) in own or (subject_key and (language, subject_key) in own),
                    "placeholders": sorted(placeholders(f"{subject}\n{body}")),
                }
            )
    return render_template(
        "staff/messages.html",
        me=me,
        may={right: product.staff.may(me, right) for right in ("book", "edit_messages", "read_rules")},
        now=product.clock(),
        csrf=sessions().staff()["csrf"],
        rows=rows,
        language=language,
        template_languages=[{"code": c, "name": available_languages[c]} for c in g.brand.languages],
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
    text = text_of(body, "body", longest=20_000)
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
    """Go back to the words the product brings."""
    product, me = services(), staff()
    product.staff.require(me, "edit_messages")
    kind, channel, language = _which(json_body())
    act = _act(kind, channel, language, "restored")

    def effect(tx: MeetingTx) -> None:
        for key in filter(None, text_keys(kind, channel)):
            tx.drop_template(brand=g.brand.id, language=language, key=key)

    product.acts.perform(act, effect=effect)
    return jsonify(saved=True, findings=[])


def _which(body: dict[str, object]) -> tuple[MessageKind, Channel, str]:
    language = text_of(body, "language", longest=2)
    channel = text_of(body, "channel", longest=10)
    try:
        kind = MessageKind(text_of(body, "kind", longest=40))
    except ValueError as error:
        raise InvalidInputError("There is no such message.", field="kind") from error
    if language not in available_languages:
        raise InvalidInputError("There is no such language.", field="language")
    if channel not in _CHANNELS:
        raise InvalidInputError("There is no such channel.", field="channel")
    return kind, cast(Channel, channel), language


def _act(kind: MessageKind, channel: Channel, language: str, how: str) -> Act:
    data = {"template": kind.value, "channel": channel, "language": language, "brand": g.brand.id, "how": how}
    return Act("template.changed", staff().id, services().clock(), data=data)
