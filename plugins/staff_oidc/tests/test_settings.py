"""What the bank writes in [plugins.staff_oidc] is in force, or stops the start."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sidecar.plugin_api import ConfigurationError
from tillit_staff_oidc import MANIFEST
from tillit_staff_oidc.settings import is_safe_url, read_settings


def pem(key: Any) -> bytes:
    made: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made


@pytest.fixture
def table(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "key.pem").write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    return {
        "issuer": "https://sso.bank.example/staff",
        "client_id": "tillit",
        "key_file": str(tmp_path / "key.pem"),
        "desk": {"acr_values": ["two"]},
        "call": {"acr_values": ["strong"]},
    }


def test_the_defaults_are_the_strict_ones(table: dict[str, Any]) -> None:
    settings = read_settings(table)
    desk, call = settings.demands["desk"], settings.demands["call"]

    assert settings.algorithms == ("ES256", "PS256", "RS256")
    assert settings.hosts == {"sso.bank.example"}
    assert call.fresh
    assert call.max_age.total_seconds() == 60
    assert "otp" not in call.strong_methods
    assert not desk.acr_is_enough
    assert not call.acr_is_enough


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://sso.bank.example"},
        {"issuer": "https://user@sso.bank.example"},
        {"issuer": "https://sso.bank.example?a=b"},
        {"issuer": ""},
        {"issuer": None},
        {"client_id": 7},
        {"key_file": None},
        {"key_file": "/nowhere"},
        {"client_secret_file": "/nowhere"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"scopes": ["profile"]},
        {"clock_skew_seconds": 3600},
        {"clock_skew_seconds": True},
        {"assertion_audience": "somebody"},
        {"desk": {}},
        {"desk": {"acr_values": []}},
        {"desk": {"acr_values": "two"}},
        {"desk": None},
        {"call": {"acr_values": ["strong"], "strong_methods": []}},
        {"call": {"acr_values": ["strong"], "fresh_seconds": 3600}},
        {"call": {"acr_values": ["strong"], "unknown": 1}},
        {"unknown": 1},
    ],
)
def test_settings_that_are_wrong_or_unknown_stop_the_start(table: dict[str, Any], change: dict[str, Any]) -> None:
    changed = {key: value for key, value in (table | change).items() if value is not None}

    with pytest.raises(ConfigurationError):
        read_settings(changed)


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 1024)],
    ids=["P-384", "RSA 1024"],
)
def test_a_client_key_of_another_kind_stops_the_start(table: dict[str, Any], tmp_path: Path, key: Any) -> None:
    (tmp_path / "key.pem").write_bytes(pem(key))

    with pytest.raises(ConfigurationError):
        read_settings(table)


def test_a_short_client_secret_stops_the_start(table: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short\n")
    del table["key_file"]

    with pytest.raises(ConfigurationError):
        read_settings(table | {"client_secret_file": str(tmp_path / "secret")})


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://sso.bank.example", True),
        ("http://localhost:8091", True),
        ("http://identity.localhost", True),
        ("http://127.0.0.1:1", True),
        ("http://localhost.evil.example", False),
        ("http://notlocalhost", False),
        ("https://a@b", False),
        ("ftp://localhost", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_plain_http_never_leaves_this_computer(url: str, safe: bool) -> None:
    assert is_safe_url(url) is safe


def test_the_manifest_names_what_the_host_needs() -> None:
    assert MANIFEST["name"] == "staff_oidc"
    assert MANIFEST["api_version"] == 1
    assert all(set(entry) == {"what", "why"} for entry in MANIFEST["data"])
