"""A message reaches the customer's own inbox at the bank: signed, once, or with a reason."""

import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

import tillit_notify_inbox
from sidecar.plugin_api import (
    ConfigurationError,
    DeliveryFailedError,
    NotificationChannel,
    OutboundMessage,
    PluginContext,
    utc_now,
)
from tillit_notify_inbox.settings import read_settings

MAJA = "maja.granlid"
SAMIR = "samir.haddin"
INVITATION = OutboundMessage(
    message_id="msg_7q3k",
    channel="inbox",
    address=MAJA,
    sender_name="Exempelbanken",
    subject="Ditt möte om bolån",
    text="Elin väntar på dig tisdag 24 november kl. 14.00.",
    html="<p>Elin väntar på dig.</p>",
    attachments=(("möte.ics", "text/calendar", b"BEGIN:VCALENDAR"),),
)


def load(table: dict[str, Any], late: timedelta = timedelta(0)) -> NotificationChannel:
    context = PluginContext(
        name="notify_inbox", settings=table, clock=lambda: utc_now() - late, secret=lambda purpose: b"\0" * 32
    )
    (channel,) = tillit_notify_inbox.load(context).provide_notification_channels()
    return channel


@pytest.fixture
def table(post: Any) -> dict[str, Any]:
    return {"url": f"{post.gateway}/v1/inbox", "key_file": str(post.folder / "inbox-key")}


@pytest.mark.requirement("R058")
def test_an_invitation_arrives_in_the_banks_own_inbox(post: Any, table: dict[str, Any]) -> None:
    reference = load(table).send(INVITATION)

    (message,) = post.received(MAJA)
    assert message["id"] == reference
    assert (message["channel"], message["person"], message["sender"]) == ("inbox", "maja", "Exempelbanken")
    assert (message["subject"], message["text"], message["html"]) == (
        INVITATION.subject,
        INVITATION.text,
        INVITATION.html,
    )
    assert message["attachments"] == [{"name": "möte.ics", "media_type": "text/calendar", "bytes": 15}]


def test_one_message_sent_twice_arrives_once(post: Any, table: dict[str, Any]) -> None:
    channel = load(table)

    assert channel.send(INVITATION) == channel.send(INVITATION)
    assert len(post.received(MAJA)) == 1


def test_another_message_of_the_same_name_is_refused(post: Any, table: dict[str, Any]) -> None:
    channel = load(table)
    channel.send(INVITATION)

    with pytest.raises(DeliveryFailedError) as failed:
        channel.send(replace(INVITATION, text="Something else."))
    assert failed.value.params == {"retry": False, "cause": "answered-409"}


@pytest.mark.parametrize(
    ("fault", "retry", "cause"),
    [
        ("429", True, "answered-429"),
        ("503", True, "answered-503"),
        ("nonsense", True, "answer-malformed"),
        ("404", False, "answered-404"),
    ],
)
def test_each_answer_says_whether_to_try_again(
    post: Any, table: dict[str, Any], fault: str, retry: bool, cause: str
) -> None:
    post.go_wrong(inbox=fault)

    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(INVITATION)

    assert failed.value.params == {"retry": retry, "cause": cause}
    assert post.received(MAJA) == []


def test_a_slow_service_is_tried_again_and_delivers_once(post: Any, table: dict[str, Any]) -> None:
    theirs = replace(INVITATION, message_id="msg_slow", address=SAMIR)  # it may arrive as late as in the next test
    post.go_wrong(inbox="slow")
    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"timeout_seconds": 1}).send(theirs)
    assert failed.value.params["retry"] is True
    post.go_wrong()

    load(table).send(theirs)

    assert len(post.received(SAMIR)) == 1


def test_a_service_that_is_down_is_tried_again(table: dict[str, Any], post: Any) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"url": "http://localhost:1/"}).send(INVITATION)
    assert failed.value.params["retry"] is True


def test_somebody_the_bank_does_not_know_is_refused_for_good(post: Any, table: dict[str, Any]) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(replace(INVITATION, address="EB-9999"))
    assert failed.value.params == {"retry": False, "cause": "answered-404"}


@pytest.mark.parametrize("change", [{"address": " "}, {"text": "\n"}])
def test_an_empty_message_is_not_sent(post: Any, table: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(replace(INVITATION, **change))
    assert failed.value.params == {"retry": False, "cause": "empty"}


def test_another_key_does_not_open_the_inbox(post: Any, table: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"x" * 32)

    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"key_file": str(tmp_path / "key")}).send(INVITATION)
    assert failed.value.params == {"retry": True, "cause": "answered-401"}


def test_an_old_signature_does_not_open_the_inbox(post: Any, table: dict[str, Any]) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table, late=timedelta(minutes=6)).send(INVITATION)
    assert failed.value.params["cause"] == "answered-401"


@pytest.mark.parametrize("spoil", ["body", "key", "timestamp", "signature"])
def test_every_part_of_the_call_is_signed(post: Any, table: dict[str, Any], spoil: str) -> None:
    channel: Any = load(table)
    body = b'{"to": "maja.granlid", "sender": "a", "subject": "b", "text": "c"}'
    headers = {"Idempotency-Key": "k1", **channel.signature("k1", body)}
    assert requests.post(table["url"], body, headers=headers, timeout=30).status_code == 201
    if spoil == "body":
        body = body.replace(b'"c"', b'"d"')
    elif spoil == "key":
        headers["Idempotency-Key"] = "k2"
    elif spoil == "timestamp":
        headers["X-Tillit-Timestamp"] = str(int(headers["X-Tillit-Timestamp"]) + 1)
    else:
        headers["X-Tillit-Signature"] = "v1=" + "0" * 64

    assert requests.post(table["url"], body, headers=headers, timeout=30).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://bank.example/"},
        {"url": ""},
        {"key_file": "/nowhere"},
        {"key_file": None},
        {"ca_file": 1},
        {"timeout_seconds": 600},
        {"unknown": 1},
    ],
)
def test_wrong_settings_stop_the_start(table: dict[str, Any], post: Any, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        load(table | change)


def test_a_short_key_stops_the_start(table: dict[str, Any], tmp_path: Path, post: Any) -> None:
    (tmp_path / "key").write_bytes(b"x" * 31)

    with pytest.raises(ConfigurationError):
        load(table | {"key_file": str(tmp_path / "key")})


def test_the_key_is_not_in_what_the_settings_print(table: dict[str, Any], post: Any) -> None:
    assert (post.folder / "inbox-key").read_text() not in repr(read_settings(table))


def test_the_settings_the_stand_in_leaves_are_in_force_as_they_are(post: Any) -> None:
    tables = tomllib.loads((post.folder / "settings.toml").read_text("utf-8"))["plugins"]

    assert load(tables["notify_inbox"]).send(INVITATION)
    assert len(post.received(MAJA)) == 1
