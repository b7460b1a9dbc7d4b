"""Log lines hold no token, no personal number, no address, whoever writes them."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sidecar.domain.jws import local_signing_key, new_private_key, sign_compact
from sidecar.logs import JsonFormatter, configure_logging

LOGGER = logging.getLogger("sidecar.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def line_of(stream: io.StringIO) -> dict[str, Any]:
    [text] = stream.getvalue().splitlines()
    line = json.loads(text)
    assert isinstance(line, dict)
    return line


def test_a_line_is_one_json_object_with_a_constant_message(stream: io.StringIO) -> None:
    LOGGER.info("join refused", extra={"meeting": "m_7q2w9x4k8t3v6n5p2r7y", "status": 403, "retry": False})

    line = line_of(stream)
    assert datetime.fromisoformat(line.pop("at")).tzinfo == UTC
    assert line == {
        "level": "info",
        "logger": "sidecar.test",
        "message": "join refused",
        "meeting": "m_7q2w9x4k8t3v6n5p2r7y",
        "status": 403,
        "retry": False,
    }


@pytest.mark.parametrize(
    "value",
    [
        "199002142389",
        "19900214-2389",
        "900214-2389",
        199002142389,
        "900214+2389",
        "maja.granlid@example.com",
        "mail to maja@example.com failed",
        "+46 70 123 45 67",
        "070-123 45 67",
        "192.0.2.17",
        "from 192.0.2.17:443",
        "2001:db8::17",
        "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
        "Bearer abc",
        "bearer  abc",
        "kQ3vZ9xL2mN8pR5tW7yB",
        "-----BEGIN PRIVATE KEY-----",
        "x" * 513,
        {"deeper": {"still": "199002142389"}},
        ["fine", "192.0.2.17"],
        b"bytes",
        object(),
    ],
    ids=repr,
)
def test_a_value_that_looks_personal_or_secret_is_left_out(stream: io.StringIO, value: Any) -> None:
    LOGGER.warning("something happened", extra={"what": value, "meeting": "m_7q2w9x4k8t3v6n5p2r7y"})

    line = line_of(stream)
    assert "what" not in line
    assert line["left_out"] == ["what"]
    assert line["meeting"] == "m_7q2w9x4k8t3v6n5p2r7y"


@pytest.mark.parametrize(
    "field",
    [
        *(
            "token",
            "join_token",
            "authorization",
            "cookie",
            "csrf",
            "sdp",
            "url",
            "password",
            "client_secret",
        ),
        *(
            "personal_number",
            "national_id",
            "given_name",
            "email",
            "phone",
            "ip",
            "end_user_ip",
            "code",
            "body",
        ),
    ],
)
def test_a_field_of_a_forbidden_name_is_left_out_whatever_it_holds(stream: io.StringIO, field: str) -> None:
    LOGGER.info("something happened", extra={field: "x"})

    assert line_of(stream)["left_out"] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at_most", "2026-11-24T13:00:00.000Z"),
        ("digest", "sha256:" + "0123456789abcdef" * 4),
        ("person", "per_7q2w9x4k8t3v6n5p2r7y"),
        ("token_kind", "join"),
        ("body_bytes", 190_002_142_389),
        ("when", datetime(2026, 11, 24, 13, tzinfo=UTC)),
        ("roster_count", 3),
        ("rule", "mortgage@7/share_screen"),
        ("seconds", 0.25),
        ("request", "0b7f1c9e-1d3a-4c55-9a53-6f2f0f3b1c11"),
    ],
)
def test_what_an_engineer_needs_is_written(stream: io.StringIO, field: str, value: Any) -> None:
    LOGGER.info("something happened", extra={field: value})

    line = line_of(stream)
    assert field in line
    assert "left_out" not in line


def test_what_a_library_fills_into_its_message_is_not_written(stream: io.StringIO) -> None:
    LOGGER.warning("could not reach %s for %s", "192.0.2.17", "Maja Granlid")

    assert line_of(stream)["message"] == "could not reach %s for %s"


def test_a_message_made_of_data_is_replaced(stream: io.StringIO) -> None:
    LOGGER.warning("no answer from maja@example.com")
    line = line_of(stream)

    assert line["message"] == "a message that was not constant"


def test_an_error_is_told_by_class_and_place_and_never_by_its_text(stream: io.StringIO) -> None:
    try:
        raise ValueError("199002142389 is not a number")
    except ValueError:
        LOGGER.exception("reading failed")

    line = line_of(stream)
    assert line["error"]["type"] == "ValueError"
    assert line["error"]["at"][-1].startswith("test_logs.py:")
    assert "199002142389" not in stream.getvalue()


def test_a_real_join_token_never_reaches_a_line(stream: io.StringIO) -> None:
    key = local_signing_key("ES256", new_private_key("ES256"))
    token = sign_compact(header_type="JWT", payload={"room": "r"}, signing_key=key)
    for extra in (
        {"seen": token},
        {"seen": [token]},
        {"seen": {"inner": f"got {token}"}},
        {"seen": token[60:]},
    ):
        LOGGER.info("something happened", extra=extra)
    LOGGER.info(token)
    LOGGER.info("a %s", token)

    assert token[-20:] not in stream.getvalue()


def test_a_line_stays_one_line(stream: io.StringIO) -> None:
    LOGGER.info("something happened", extra={"rule": 'a"\n{"level":"error"}'})

    assert len(stream.getvalue().splitlines()) == 1


def test_the_formatter_writes_no_field_it_does_not_know_how_to_check() -> None:
    record = logging.makeLogRecord({"msg": "m", "levelname": "INFO", "thing": object()})

    assert json.loads(JsonFormatter().format(record))["left_out"] == ["thing"]
