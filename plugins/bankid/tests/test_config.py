"""A wrong setting stops the start and names itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from sidecar.plugin_api import ConfigurationError
from simulators.bankid.remote import RemoteBankId
from tillit_bankid.config import PRODUCTION_POLICIES, read_settings


@pytest.fixture
def read(bankid: RemoteBankId) -> Callable[..., Any]:
    return lambda **changed: read_settings(bankid.plugin_settings(**changed))


def test_given_settings_are_kept_and_the_rest_have_safe_defaults(
    read: Callable[..., Any], bankid: RemoteBankId
) -> None:
    table = bankid.plugin_settings(url=bankid.api_url.rstrip("/"))
    del table["policy_oids"], table["app_link"]
    settings = read_settings(table)

    assert settings.url == bankid.api_url
    assert settings.policy_oids == PRODUCTION_POLICIES
    assert settings.collect_seconds == 2.0
    assert settings.app_link is None
    assert settings.require_same_ip is False


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("colect_seconds", 2),
        ("url", "http://appapi2.bankid.com/rp/v6.0/"),
        ("url", 7),
        ("client_cert", "/nowhere/rp.pem"),
        ("collect_seconds", 1.9),
        ("collect_seconds", True),
        ("collect_seconds", "2"),
        ("answer_seconds", 0),
        ("policy_oids", []),
        ("policy_oids", "1.2.752.78.1.5"),
        ("policy_oids", ["1.2.752.78.*"]),
        ("app_link", "javascript:alert(1)"),
        ("app_link", "https://app.example/?x=1"),
        ("require_same_ip", "yes"),
    ],
)
def test_wrong_value_stops_the_start_and_names_its_key(read: Callable[..., Any], key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=key):
        read(**{key: value})


@pytest.mark.parametrize("key", ["url", "client_cert", "client_key", "ca_file", "signature_root_file"])
def test_missing_value_stops_the_start(bankid: RemoteBankId, key: str) -> None:
    table = bankid.plugin_settings()
    del table[key]

    with pytest.raises(ConfigurationError, match=key):
        read_settings(table)


def test_key_everybody_can_read_stops_the_start(read: Callable[..., Any], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(Path(read().client_key).read_text())
    key.chmod(0o644)

    with pytest.raises(ConfigurationError, match="client_key may not be readable by everybody"):
        read(client_key=str(key))


def test_encrypted_key_stops_the_start_and_asks_nobody(read: Callable[..., Any], tmp_path: Path) -> None:
    plain = serialization.load_pem_private_key(read().client_key.read_bytes(), password=None)
    key = tmp_path / "key.pem"
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"qwerty"),
        )
    )
    key.chmod(0o600)

    with pytest.raises(ConfigurationError, match="client_key must be unencrypted"):
        read(client_key=str(key))


def test_key_of_another_certificate_stops_the_start(read: Callable[..., Any], bankid: RemoteBankId) -> None:
    with pytest.raises(ConfigurationError, match="client_key"):
        read(client_key=str(bankid.directory / "other-rp-key.pem"))


@pytest.mark.parametrize("key", ["ca_file", "signature_root_file"])
def test_root_that_is_no_certificate_stops_the_start(read: Callable[..., Any], tmp_path: Path, key: str) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")

    with pytest.raises(ConfigurationError, match=key):
        read(**{key: str(nothing)})


def test_certificate_that_is_no_root_is_not_pinned(read: Callable[..., Any], bankid: RemoteBankId) -> None:
    with pytest.raises(ConfigurationError, match="signature_root_file must hold self-signed roots"):
        read(signature_root_file=str(bankid.directory / "rp.pem"))
