"""Text messages go out once, and a failure says whether a new try can help."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tillit_notify_sms
from sidecar.plugin_api import (
    ConfigurationError,
    DeliveryFailedError,
    NotificationChannel,
    OutboundMessage,
    PluginContext,
    utc_now,
)
from sidecar.testing import TURE, Product
from simulators.post.gateways import sms_parts
from tillit_notify_sms.settings import read_settings
from tillit_notify_sms.text import parts_of, plain_text, sender_of

MAJA = "+46701740605"
SAMIR = "+46701740606"
CODE = OutboundMessage(
    message_id="msg_7q3k",
    channel="sms",
    address=MAJA,
    sender_name="Exempelbanken",
    subject="",
    text="Exempelbanken: din kod till mötet är 481923. Den gäller i 10 minuter.\n\n@exempelbanken.example #481923",
)


def load(table: dict[str, Any]) -> NotificationChannel:
    context = PluginContext(name="notify_sms", settings=table, clock=utc_now, secret=lambda purpose: b"\0" * 32)
    (channel,) = tillit_notify_sms.load(context).provide_notification_channels()
    return channel


@pytest.fixture
def table(post: Any) -> dict[str, Any]:
    return {"url": f"{post.gateway}/v1/sms", "token_file": str(post.folder / "sms-token")}


@pytest.mark.requirement("R060", "R063")
def test_a_code_arrives_as_a_text_message(post: Any, table: dict[str, Any]) -> None:
    reference = load(table).send(CODE)

    (text,) = post.received(MAJA)
    assert text["id"] == reference
    assert (text["channel"], text["sender"], text["text"]) == ("sms", "Exempelbank", CODE.text)
    assert text["codes"] == ["481923"]


@pytest.mark.requirement("R063")
def test_a_call_link_arrives_as_a_text_message(post: Any, table: dict[str, Any]) -> None:
    link = "http://exempelbanken.localhost:8080/m/7q3k"
    load(table).send(replace(CODE, text=f"Exempelbanken: ditt möte med Elin börjar kl. 14.00. Öppna {link}."))

    assert post.received(MAJA)[0]["links"] == [link]


@pytest.mark.requirement("R063")
def test_whoever_has_only_a_telephone_is_booked_and_finds_the_link_in_it(
    post: Any, table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = Product(tmp_path)
    monkeypatch.setattr(product.channels["sms"], "send", load(table).send)
    product.book(customer=product.customer(TURE, email="", inbox="", phone=MAJA))
    product.clock.on(seconds=11)
    product.worker()

    [text] = post.received(MAJA)
    [link] = text["links"]
    assert product.browser().get(urlsplit(link).path).status_code == 302
    assert text["codes"] == []


def test_one_message_sent_twice_arrives_once(post: Any, table: dict[str, Any]) -> None:
    channel = load(table)

    assert channel.send(CODE) == channel.send(CODE)
    assert len(post.received(MAJA)) == 1


def test_a_slow_gateway_is_tried_again_and_delivers_once(post: Any, table: dict[str, Any]) -> None:
    theirs = replace(CODE, message_id="msg_slow", address=SAMIR)  # it may arrive as late as in the next test
    post.go_wrong(sms="slow")
    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"timeout_seconds": 1}).send(theirs)
    assert failed.value.params["retry"] is True
    post.go_wrong()

    load(table).send(theirs)

    assert len(post.received(SAMIR)) == 1


@pytest.mark.parametrize(
    ("fault", "retry", "cause"),
    [
        ("429", True, "answered-429"),
        ("500", True, "answered-500"),
        ("nonsense", True, "answer-malformed"),
        ("400", False, "answered-400"),
        ("redirect", False, "answered-307"),
        ("rejected", False, "rejected"),
    ],
)
def test_each_answer_says_whether_to_try_again(
    post: Any, table: dict[str, Any], fault: str, retry: bool, cause: str
) -> None:
    post.go_wrong(sms=fault)

    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(CODE)

    assert (failed.value.params["retry"], failed.value.params["cause"]) == (retry, cause)
    assert failed.value.params["retry_after"] == (30 if fault == "429" else 0)
    assert post.received(MAJA) == []


def test_a_gateway_that_is_down_is_tried_again(table: dict[str, Any], post: Any) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"url": "http://localhost:1/"}).send(CODE)
    assert failed.value.params["retry"] is True


def test_a_wrong_token_is_ours_to_mend_so_the_message_is_kept(post: Any, table: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("not-the-token-of-this-client")

    with pytest.raises(DeliveryFailedError) as failed:
        load(table | {"token_file": str(tmp_path / "token")}).send(CODE)
    assert (failed.value.params["retry"], failed.value.params["cause"]) == (True, "answered-401")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"address": "070-174 06 05"}, "not-a-number"),
        ({"address": "+46701740605\n"}, "not-a-number"),
        ({"text": "  \n"}, "empty"),
        ({"text": "å" * 2000}, "too-long"),
        ({"sender_name": "!!!"}, "empty"),
    ],
)
def test_what_no_gateway_could_carry_is_not_sent(
    post: Any, table: dict[str, Any], change: dict[str, Any], cause: str
) -> None:
    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(replace(CODE, **change))

    assert (failed.value.params["retry"], failed.value.params["cause"]) == (False, cause)
    assert post.received("") == []


def test_the_failure_and_the_log_hold_neither_number_nor_code(
    post: Any, table: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    post.go_wrong(sms="500")
    with pytest.raises(DeliveryFailedError) as failed:
        load(table).send(CODE)

    said = (
        f"{failed.value} {failed.value.params} {[vars(record) for record in caplog.records if 'tillit' in record.name]}"
    )
    assert "answered-500" in said
    assert MAJA not in said
    assert "481923" not in said


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Exempelbanken", "Exempelbank"),
        ("Sjöbanken", "Sjobanken"),
        ("Øst & Ærø", "Ost  AEro"),
        ("中", ""),
        ("A" * 11 + "!", "A" * 11),
    ],
)
def test_a_sender_name_is_cut_to_what_telephones_show(name: str, shown: str) -> None:
    assert sender_of(name) == shown


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("中" * 70, 1),
        ("中" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_parts_are_counted_as_operators_do(text: str, parts: int) -> None:
    assert parts_of(text) == parts


@given(st.text(max_size=400))
def test_our_count_and_the_gateways_agree(text: str) -> None:
    assert parts_of(text) == sms_parts(text)


@given(st.text(max_size=200))
def test_plain_text_stays_plain(text: str) -> None:
    assert plain_text(plain_text(text)) == plain_text(text)


def test_typography_does_not_make_a_message_dearer() -> None:
    assert plain_text("“Möte” – kl. 14…\r\nOk") == '"Möte" - kl. 14...\nOk'


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://gateway.example/"},
        {"url": "https://user:word@gateway.example/"},
        {"url": ""},
        {"token_file": "/nowhere"},
        {"token_file": None},
        {"sender": "Exempelbanken"},
        {"sender": "Bänk"},
        {"timeout_seconds": 0},
        {"most_parts": 99},
        {"unknown": 1},
    ],
)
def test_wrong_settings_stop_the_start(post: Any, table: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        load(table | change)


def test_a_short_or_broken_token_stops_the_start(table: dict[str, Any], tmp_path: Path) -> None:
    for token in ("short", "x" * 20 + "\nX-Header: y"):
        (tmp_path / "token").write_text(token)
        with pytest.raises(ConfigurationError):
            load(table | {"token_file": str(tmp_path / "token")})


def test_the_token_is_not_in_what_the_settings_print(table: dict[str, Any], post: Any) -> None:
    assert (post.folder / "sms-token").read_text() not in repr(read_settings(table))


def test_the_settings_the_stand_in_leaves_are_in_force_as_they_are(post: Any) -> None:
    tables = tomllib.loads((post.folder / "settings.toml").read_text("utf-8"))["plugins"]

    assert load(tables["notify_sms"]).send(CODE)
    assert len(post.received(MAJA)) == 1
