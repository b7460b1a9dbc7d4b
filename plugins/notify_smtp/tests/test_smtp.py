"""E-mail goes out whole and safe, and a failure says whether a new try can help."""

import smtplib
import socket
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tillit_notify_smtp
from sidecar.plugin_api import (
    ConfigurationError,
    DeliveryFailedError,
    NotificationChannel,
    OutboundMessage,
    PluginContext,
)
from tillit_notify_smtp.letter import compose, message_id_of, one_line

NOON = datetime(2026, 11, 24, 13, tzinfo=UTC)
MAJA = "maja.granlid@example.org"
INVITATION = OutboundMessage(
    message_id="msg_7q3k",
    channel="email",
    address=MAJA,
    sender_name="Exempelbanken, Elin Sjöhage",
    subject="Ditt möte om bolån tisdag 24 november kl. 14.00",
    text="Hej Maja,\n\nElin väntar på dig. Öppna https://exempelbanken.localhost/m/abc när det är dags.\n",
    html="<p>Hej Maja,</p><p>Elin väntar på dig.</p>",
    attachments=(
        ("möte.ics", "text/calendar; method=REQUEST; charset=utf-8", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
        ("villkor.pdf", "application/pdf", b"%PDF-1.7 \x00\xff"),
    ),
)


def load(table: dict[str, Any]) -> NotificationChannel:
    context = PluginContext(name="notify_smtp", settings=table, clock=lambda: NOON, secret=lambda purpose: b"\0" * 32)
    (channel,) = tillit_notify_smtp.load(context).provide_notification_channels()
    return channel


@pytest.fixture
def table(post: Any) -> dict[str, Any]:
    host, _, port = post.smtp.partition(":")
    return {
        "host": host,
        "port": int(port),
        "security": "starttls",
        "ca_file": str(post.folder / "smtp-certificate.pem"),
        "user": "tillit",
        "password_file": str(post.folder / "smtp-password"),
        "sender_address": "mote@exempelbanken.example",
    }


@pytest.mark.requirement("R060", "R061")
def test_an_invitation_arrives_whole(post: Any, table: dict[str, Any]) -> None:
    reference = load(table).send(INVITATION)

    (letter,) = post.received(MAJA)
    assert reference == "<msg_7q3k@exempelbanken.example>"
    assert letter["reference"] == reference
    assert letter["sender"] == "Exempelbanken, Elin Sjöhage"
    assert letter["subject"] == INVITATION.subject
    assert letter["text"].splitlines() == INVITATION.text.splitlines()
    assert letter["html"].strip() == INVITATION.html
    assert letter["links"] == ["https://exempelbanken.localhost/m/abc"]
    assert [(file["name"], file["media_type"]) for file in letter["attachments"]] == [
        ("möte.ics", "text/calendar"),
        ("villkor.pdf", "application/pdf"),
    ]
    assert letter["headers"]["Auto-Submitted"] == "auto-generated"
    assert letter["headers"]["Date"] == "Tue, 24 Nov 2026 13:00:00 +0000"


def test_a_message_without_html_is_a_plain_letter(post: Any, table: dict[str, Any]) -> None:
    load(table).send(replace(INVITATION, html=None, attachments=()))

    (letter,) = post.received(MAJA)
    assert letter["html"] == ""
    assert letter["attachments"] == []


def test_a_second_try_is_the_same_letter(post: Any, table: dict[str, Any]) -> None:
    """The server took it but the answer was lost: the sender tries again, the reader sees one."""
    channel = load(table)
    post.go_wrong(smtp="drop_after")
    with pytest.raises(DeliveryFailedError) as failed:
        channel.send(INVITATION)
    assert failed.value.params["retry"] is True
    post.go_wrong()

    channel.send(INVITATION)

    assert len(post.received(MAJA)) == 1


@pytest.mark.parametrize(
    ("fault", "retry"), [("421", True), ("451", True), ("drop", True), ("550", False), ("554", False)]
)
def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(
    post: Any, table: dict[str, Any], fault: str, retry: bool
) -> None:
    post.go_wrong(smtp=fault)

    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(INVITATION)

    assert failed.value.params["retry"] is retry
    assert post.received(MAJA) == []


def test_a_server_that_is_down_is_tried_again(table: dict[str, Any]) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"port": 1}).send(INVITATION)
    assert failed.value.params["retry"] is True


def test_a_certificate_nobody_vouches_for_stops_the_letter(post: Any, table: dict[str, Any]) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"ca_file": ""}).send(INVITATION)

    assert failed.value.params == {"retry": True, "cause": "tls-failed"}
    assert post.received(MAJA) == []


def test_a_wrong_password_stops_the_letter(post: Any, table: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("not the password")

    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"password_file": str(tmp_path / "password")}).send(INVITATION)
    assert failed.value.params == {"retry": True, "cause": "credentials-refused"}


@pytest.fixture
def plain_server() -> Iterator[int]:
    """A server that offers no STARTTLS, as one behind somebody who strips it looks. Yields its port."""
    heard: list[bytes] = []

    def talk() -> None:
        with listener, suppress_os_errors():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 plain\r\n")
                while data := connection.recv(1024):
                    heard.append(data)
                    connection.sendall(b"250 plain\r\n")

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=talk)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(5)
    assert not any(b"MAIL" in data or b"AUTH" in data for data in heard)


def suppress_os_errors() -> Any:
    from contextlib import suppress

    return suppress(OSError)


def test_a_server_without_encryption_gets_neither_letter_nor_password(table: dict[str, Any], plain_server: int) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"host": "127.0.0.1", "port": plain_server}).send(INVITATION)
    assert failed.value.params == {"retry": True, "cause": "no-encryption"}


def test_without_encryption_works_only_where_settings_say_so(post: Any, table: dict[str, Any]) -> None:
    plain = {"host": "127.0.0.1", "port": table["port"], "security": "none", "sender_address": "a@b.example"}

    load(plain).send(INVITATION)

    assert len(post.received(MAJA)) == 1


@pytest.mark.parametrize("field", ["sender_name", "subject"])
def test_a_line_end_cannot_add_a_header(post: Any, table: dict[str, Any], field: str) -> None:
    """Names and case texts come from people: none of them may write "Bcc:" into a letter."""
    change: dict[str, Any] = {field: "Möte\r\nBcc: all@example.org\r\n\r\nHej"}
    load(table).send(replace(INVITATION, **change))

    (letter,) = post.received(MAJA)
    assert post.received("all@example.org") == []
    assert "Bcc" not in letter["headers"]
    assert letter["text"].startswith("Hej Maja")


@pytest.mark.parametrize(
    "address",
    [
        "maja@example.org\r\nRCPT TO:<all@example.org>",
        "maja@example.org, all@example.org",
        "<maja@example.org>",
        "maja",
        "@example.org",
        "",
    ],
)
def test_what_is_not_one_address_is_not_sent(post: Any, table: dict[str, Any], address: str) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(replace(INVITATION, address=address))

    assert failed.value.params["retry"] is False
    assert post.received("") == []


@pytest.mark.parametrize(
    ("address", "sent_to"),
    [("maja@bücher.example", "maja@xn--bcher-kva.example"), ("åsa@example.org", "åsa@example.org")],
)
def test_addresses_in_other_letters_are_reached(post: Any, table: dict[str, Any], address: str, sent_to: str) -> None:
    load(table).send(replace(INVITATION, address=address))

    assert len(post.received(sent_to)) == 1


@pytest.mark.parametrize(
    "attachment", [("a", "nonsense", b""), ("a", 'text/plain; x="y\r\n"', b""), ("a", "text/plain", b"\xff")]
)
def test_an_attachment_of_no_media_type_is_not_sent(post: Any, table: dict[str, Any], attachment: Any) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(replace(INVITATION, attachments=(attachment,)))
    assert failed.value.params["retry"] is False


def test_no_line_is_longer_than_a_server_must_take() -> None:
    """RFC 5321 section 4.5.3.1.6: 998 signs; ours stay within the 78 that RFC 5322 recommends."""
    long = replace(
        INVITATION, subject="möte " * 60, sender_name="Sjöhage " * 20, text="å" * 5000, html="<p>" + "ä " * 5000
    )
    lines = compose(long, sender_address="a@b.example", reply_to="", now=NOON).as_bytes().split(b"\r\n")

    assert max(map(len, lines)) <= 78
    assert all(line.isascii() for line in lines)


@given(st.text(max_size=100))
def test_any_text_stays_inside_its_header(text: str) -> None:
    made = one_line(text)

    assert made == " ".join(made.split())
    assert not set(made) & set("\r\n\x00\x0b\x0c\x85\u2028\u2029")
    assert message_id_of(text, "a@b.example").count("@") == 1


@given(name=st.text(max_size=40), subject=st.text(max_size=120))
def test_any_name_and_subject_make_a_letter_with_its_own_headers_only(name: str, subject: str) -> None:
    named = replace(INVITATION, sender_name=name, subject=subject)
    raw = compose(named, sender_address="a@b.example", reply_to="", now=NOON).as_bytes()
    headers = raw.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
    names = [line.split(b":")[0] for line in headers if not line.startswith((b" ", b"\t"))]
    assert sorted(names) == sorted(set(names))
    assert set(names) <= {
        b"From",
        b"To",
        b"Subject",
        b"Date",
        b"Message-ID",
        b"Auto-Submitted",
        b"MIME-Version",
        b"Content-Type",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"host": ""},
        {"host": 1},
        {"port": 0},
        {"port": "25"},
        {"security": "maybe"},
        {"security": "none"},
        {"user": ""},
        {"password_file": ""},
        {"password_file": "/nowhere"},
        {"sender_address": "Tillit <a@b.example>"},
        {"sender_address": "a@b.example\r\n"},
        {"reply_to": "a"},
        {"timeout_seconds": 0},
        {"unknown": 1},
    ],
)
def test_wrong_settings_stop_the_start(post: Any, table: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        load(table | {"host": "mail.bank.example"} | change)


def test_the_password_is_not_in_what_the_settings_print(table: dict[str, Any], post: Any) -> None:
    from tillit_notify_smtp.settings import read_settings

    assert (post.folder / "smtp-password").read_text() not in repr(read_settings(table))


def test_the_stand_in_refuses_a_sign_in_without_encryption(post: Any) -> None:
    host, _, port = post.smtp.partition(":")
    with smtplib.SMTP(host, int(port), timeout=30) as server, pytest.raises(smtplib.SMTPException):
        server.login("tillit", (post.folder / "smtp-password").read_text())


def test_the_settings_the_stand_in_leaves_are_in_force_as_they_are(post: Any) -> None:
    tables = tomllib.loads((post.folder / "settings.toml").read_text("utf-8"))["plugins"]

    assert load(tables["notify_smtp"]).send(INVITATION)
    assert len(post.received(MAJA)) == 1
