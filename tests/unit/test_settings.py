"""Settings: typed, closed, and refusing to start rather than to guess."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.errors import ConfigurationError
from sidecar.settings import (
    LogLevel,
    Settings,
    TokenAlgorithm,
    duration_text,
    load_settings,
    parse_duration,
    redacted,
    settings_path,
)

LEAST = """
[[brands]]
id = "exempelbanken"
name = "Exempelbanken"
url = "https://video.exempelbanken.example"
phone = "0771-00 00 00"

[stores]
region = "eu-north-se"
allowed_regions = ["eu-north-se", "eu-central-fi"]
"""


def load(tmp_path: Path, more: str = "", environ: Mapping[str, str] | None = None, *, least: str = LEAST) -> Settings:
    path = tmp_path / "tillit.toml"
    path.write_text(least + more, "utf-8")
    return load_settings(path, environ or {})


def refusal(tmp_path: Path, more: str = "", environ: Mapping[str, str] | None = None, *, least: str = LEAST) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, more, environ, least=least)
    message = refused.value.detail
    assert "\n" not in message
    return message


def test_what_nobody_set_has_its_default(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert settings.web.listen == "127.0.0.1:8080"
    assert settings.tokens.join_ttl == timedelta(seconds=90)
    assert settings.tokens.algorithm is TokenAlgorithm.ES256
    assert settings.bridge.media == ("127.0.0.1:50000",)
    assert settings.policy.directory is None
    assert settings.plugins.enabled == ()
    assert settings.brand("exempelbanken").host == "video.exempelbanken.example"


def test_every_type_is_read_from_the_file(tmp_path: Path) -> None:
    more = """
[stores.domiciles]
SE = "eu-north-se"
FI = "eu-central-fi"
[web]
workers = 3
secure_cookies = false
trusted_proxies = ["10.0.0.0/8"]
session_longest = "1h"
[tokens]
algorithm = "RS256"
[bridge]
media = ["192.0.2.10:40000=203.0.113.10"]
[log]
level = "warning"
[policy]
directory = "rules"
[plugins]
enabled = ["bankid", "otp_link"]
[plugins.bankid]
environment = "test"
[plugins.bankid.deeper]
values = [1, 2]
"""
    settings = load(tmp_path, more)

    assert (settings.web.workers, settings.web.secure_cookies) == (3, False)
    assert settings.web.trusted_proxies == ("10.0.0.0/8",)
    assert settings.web.session_longest == timedelta(hours=1)
    assert settings.tokens.algorithm is TokenAlgorithm.RS256
    assert settings.bridge.media == ("192.0.2.10:40000=203.0.113.10",)
    assert settings.log.level is LogLevel.WARNING
    assert settings.policy.directory == tmp_path / "rules"
    assert dict(settings.stores.domiciles) == {"SE": "eu-north-se", "FI": "eu-central-fi"}
    assert settings.plugins.enabled == ("bankid", "otp_link")
    assert dict(settings.plugins.tables["bankid"]) == {"environment": "test", "deeper": {"values": [1, 2]}}


def test_the_environment_lies_over_the_file(tmp_path: Path) -> None:
    environ = {
        "TILLIT_TOKENS__JOIN_TTL": "60s",
        "TILLIT_WEB__WORKERS": "4",
        "TILLIT_WEB__SECURE_COOKIES": "false",
        "TILLIT_LOG__LEVEL": "debug",
        "TILLIT_PLUGINS__ENABLED": "bankid, otp_link",
        "TILLIT_PLUGINS__BANKID__ENVIRONMENT": "test",
        "TILLIT_STORES__DATA_DIR": "/srv/tillit",
        "TILLIT_STORES__DOMICILES__NO": "eu-north-se",
        "TILLIT_SETTINGS": "/etc/tillit.toml",
        "PATH": "/bin",
    }

    settings = load(tmp_path, '[tokens]\njoin_ttl = "30s"\nissuer = "kept"\n', environ)

    assert settings.tokens.join_ttl == timedelta(seconds=60)
    assert settings.tokens.issuer == "kept"
    assert (settings.web.workers, settings.web.secure_cookies) == (4, False)
    assert settings.log.level is LogLevel.DEBUG
    assert settings.plugins.enabled == ("bankid", "otp_link")
    assert settings.plugins.tables["bankid"]["environment"] == "test"
    assert settings.stores.data_dir == Path("/srv/tillit")
    assert settings.stores.domiciles["NO"] == "eu-north-se"


def test_without_being_told_it_reads_the_environment_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [each for each in os.environ if each.startswith("TILLIT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TILLIT_TOKENS__ISSUER", "from-the-process")
    monkeypatch.setenv("TILLIT_SETTINGS", str(tmp_path / "tillit.toml"))
    (tmp_path / "tillit.toml").write_text(LEAST)

    assert load_settings(settings_path()).tokens.issuer == "from-the-process"


def test_relative_paths_start_at_the_settings_file_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    settings = load(tmp_path, '[api]\nkeys_file = "api-keys.toml"\n')

    assert settings.api.keys_file == tmp_path / "api-keys.toml"
    assert settings.keys.directory == tmp_path / "var/keys"
    assert settings.plugins.approvals == tmp_path / "plugins/approvals.toml"


@pytest.mark.parametrize(
    ("more", "environ", "expected"),
    [
        (
            '[tokens]\njoin_tll = "60s"',
            {},
            "tillit.toml: tokens.join_tll is not a setting. The nearest is tokens.join_ttl",
        ),
        ("[tokns]\nx = 1", {}, "tillit.toml: tokns is not a setting. The nearest is tokens"),
        ("colour = 1", {}, "is not a setting"),
        ("[plugins]\nenabeld = []", {}, "plugins.enabeld is not a setting. The nearest is plugins.enabled"),
        ("", {"TILLIT_TOKENS__JOIN_TLL": "1"}, "environment: TILLIT_TOKENS__JOIN_TLL is not a setting. The nearest is"),
        (
            "",
            {"TILLIT_TOKEN__JOIN_TTL": "1"},
            "environment: TILLIT_TOKEN__JOIN_TTL is not a setting. The nearest is tokens",
        ),
        ("", {"TILLIT_JOIN_TTL": "1"}, "environment: TILLIT_JOIN_TTL is not a setting"),
        ("", {"TILLIT_WEB": "1"}, "environment: TILLIT_WEB is a table"),
        ("", {"TILLIT_BRANDS": "x"}, "environment: TILLIT_BRANDS is a list of tables, which only the file can hold"),
        ("", {"TILLIT_BRANDS__0__NAME": "x"}, "environment: TILLIT_BRANDS__0__NAME lies below a setting"),
        ("", {"TILLIT_TOKENS__ISSUER__X": "x"}, "environment: TILLIT_TOKENS__ISSUER__X is a value, not a table"),
    ],
)
def test_a_key_that_is_no_setting_stops_the_start(
    tmp_path: Path, more: str, environ: dict[str, str], expected: str
) -> None:
    if more.startswith("colour"):
        assert expected in refusal(tmp_path, least=more + LEAST)
    else:
        assert expected in refusal(tmp_path, more, environ)


def test_an_unknown_key_of_a_brand_stops_the_start(tmp_path: Path) -> None:
    assert "brands.fone is not a setting. The nearest is brands.phone" in refusal(
        tmp_path, least=LEAST.replace("phone", "fone")
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("[web]\nworkers = true", "web.workers cannot be True: it is a whole number"),
        ("[web]\nworkers = 2.0", "web.workers cannot be 2.0"),
        ('[web]\nworkers = "2"', "web.workers cannot be '2'"),
        ("[web]\nworkers = 0", "web.workers must be 1 or more"),
        ("[web]\nsecure_cookies = 1", "web.secure_cookies cannot be 1: it is true or false"),
        ("[web]\nlisten = 8080", "web.listen cannot be 8080: it is a text"),
        ('[web]\nlisten = "8080"', "web.listen is '8080', not of the form address:port"),
        ('[web]\nlisten = "127.0.0.1:99999"', "web.listen is"),
        ('[web]\ntrusted_proxies = "10.0.0.1"', "web.trusted_proxies is a list"),
        ('[web]\ntrusted_proxies = ["proxy"]', "web.trusted_proxies: 'proxy' is not an address"),
        ('[web]\ntrusted_proxies = ["0.0.0.0/0"]', "is every address there is"),
        ('[web]\nsession_longest = "soon"', "web.session_longest cannot be 'soon': a time is written like 90s"),
        ('[web]\nsession_longest = "0s"', "web.session_longest must be 1 or more"),
        ('[tokens]\nalgorithm = "HS256"', "tokens.algorithm cannot be 'HS256': it is one of ES256, RS256"),
        ('[tokens]\nalgorithm = "none"', "tokens.algorithm cannot be"),
        ('[tokens]\njoin_ttl = "121s"', "a token may wait for at most 2m"),
        ('[bridge]\nmedia = ["50000"]', "bridge.media: '50000' is not of the form address:port"),
        ("[bridge]\nmedia = []", "bridge.media is empty"),
        ('[bridge]\nurl = "127.0.0.1:8081"', "bridge.url is '127.0.0.1:8081', not an address"),
        ('[plugins.sms]\napi_key = "x"', "plugins.sms.api_key holds a secret. Put it in a file"),
        ('[plugins.oidc]\nclient_secret = "x"', "give its path as client_secret_file"),
    ],
)
def test_a_value_not_of_its_type_stops_the_start(tmp_path: Path, more: str, expected: str) -> None:
    assert expected in refusal(tmp_path, more)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('id = "exempelbanken"', 'id = "Exempel Banken"', "is not of lower case letters"),
        ('phone = "0771-00 00 00"', "", "brands.phone is missing"),
        ('phone = "', 'colour = "blue"\nphone = "', "brands.exempelbanken.colour is 'blue'"),
        ('phone = "', 'languages = ["sv", "xx"]\nphone = "', "languages must be some of sv, nb"),
        ('phone = "', 'time_zone = "Europe/Lulea"\nphone = "', "is not a time zone"),
        ('phone = "', 'opening_hours = {monday = "8-17"}\nphone = "', "opening_hours: monday"),
        ('phone = "', 'logo = "no-such.svg"\nphone = "', "logo: there is nothing at"),
        ("https://video.exempelbanken.example", "video.exempelbanken.example", "not an address like"),
        ("https://video.exempelbanken.example", "https://video.example/path", "not an address like"),
    ],
)
def test_a_brand_that_cannot_be_shown_stops_the_start(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in refusal(tmp_path, least=LEAST.replace(old, new))


def test_two_brands_cannot_share_an_address_and_none_is_too_few(tmp_path: Path) -> None:
    brand = LEAST.partition("[stores]")[0]

    assert "two have the id 'exempelbanken'" in refusal(tmp_path, brand)
    assert "two have the url" in refusal(tmp_path, brand.replace('id = "exempelbanken"', 'id = "other"'))
    assert "brands is missing" in refusal(tmp_path, least=LEAST.replace(brand, ""))
    assert "at least one table [[brands]]" in refusal(tmp_path, least="brands = []\n" + LEAST.replace(brand, ""))


@pytest.mark.requirement("R132", "R108", "R207")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('region = "eu-north-se"', 'region = "us-east"', "stores.region is 'us-east', which is not among"),
        ('region = "eu-north-se"', 'region = ""', "stores.region is ''"),
        ('["eu-north-se", "eu-central-fi"]', "[]", "data may lie nowhere"),
        ('"eu-central-fi"]', '"any"]', "'any' does not name one region"),
        ('"eu-central-fi"]', '"*"]', "'*' does not name one region"),
        ("[stores]", '[keys]\nregion = "us-east"\n[stores]', "keys.region is 'us-east', which is not among"),
    ],
)
def test_data_and_keys_outside_the_allowed_regions_stop_the_start(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert expected in refusal(tmp_path, least=LEAST.replace(old, new))


@pytest.mark.requirement("R132", "R207")
def test_no_domicile_leads_outside_the_allowed_regions(tmp_path: Path) -> None:
    assert "stores.domiciles.NO is 'us-east'" in refusal(tmp_path, '[stores.domiciles]\nNO = "us-east"')
    assert "is not a country of two capital letters" in refusal(tmp_path, '[stores.domiciles]\n"*" = "eu-north-se"')


def test_a_file_that_is_missing_or_broken_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path / "nowhere.toml", {})
    assert "tillit.toml" in refusal(tmp_path, least="brands = [")


def test_settings_cannot_be_changed_once_read(tmp_path: Path) -> None:
    settings = load(tmp_path, "[plugins.bankid]\nx = 1")

    with pytest.raises(AttributeError):
        settings.web.workers = 9  # type: ignore[misc]  # that is the point
    table: Any = settings.plugins.tables["bankid"]
    with pytest.raises(TypeError):
        table["x"] = 2


def test_what_is_shown_is_in_the_files_own_words_without_a_password(tmp_path: Path) -> None:
    shown = redacted(load(tmp_path, '[plugins.crm]\nurl = "https://user:hunter2@crm.example/x"\n'))

    assert shown["tokens"]["join_ttl"] == "90s"
    assert shown["bridge"]["media"] == ["127.0.0.1:50000"]
    assert shown["stores"]["data_dir"] == str(tmp_path / "var/data")
    assert shown["brands"][0]["id"] == "exempelbanken"
    assert shown["plugins"]["crm"] == {"url": "https://***@crm.example/x"}
    assert "hunter2" not in str(shown)


@pytest.mark.parametrize("text", ["90s", "10m", "8h", "7d", "0s", "61s"])
def test_a_time_is_written_as_it_was_read(text: str) -> None:
    assert duration_text(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["", "90", "1.5h", "-1s", "10 m", "1h30m", "٣s"])
def test_a_time_has_one_form(text: str) -> None:
    with pytest.raises(ValueError, match="a time is written like"):
        parse_duration(text)


# Shards

SHARD = """
[conference]
kind = "jitsi"
[tokens]
algorithm = "RS256"
[stores.domiciles]
SE = "eu-north-se"
[[shards]]
id = "se"
region = "eu-north-se"
domiciles = ["SE"]
audience = "shard-se"
url = "http://prosody-se:5280"
events_key = "events.pub.pem"
"""


@pytest.mark.requirement("R207")
def test_a_shard_is_read_with_its_kind_from_the_conference(tmp_path: Path) -> None:
    (tmp_path / "events.pub.pem").touch()
    [shard] = load(tmp_path, SHARD).shards

    assert (shard.id, shard.kind, shard.name) == ("se", None, "tillit-prosody")
    assert shard.events_key == tmp_path / "events.pub.pem"
    assert shard.web_url == "https://meet.{host}"
    assert load(tmp_path).shards == ()


@pytest.mark.requirement("R133", "R207")
@pytest.mark.parametrize(
    ("change", "to", "message"),
    [
        ('region = "eu-north-se"\ndom', 'region = "us-east"\ndom', "shards.se.region is 'us-east', which is not among"),
        ('domiciles = ["SE"]', 'domiciles = ["*"]', "There is no word for any."),
        ('domiciles = ["SE"]', 'domiciles = ["SE", "NO"]', "stores.domiciles names no region for customers in NO."),
        ('domiciles = ["SE"]', "domiciles = []", "it would hold nobody's meetings"),
        ('SE = "eu-north-se"', 'SE = "eu-north-se"\nFI = "eu-central-fi"', "names FI, and no [[shards]] may hold"),
        ('id = "se"', 'id = "se-1"', "the id 'se-1' is not of 1 to 16 small letters and digits"),
        ('id = "se"', 'id = ""', "the id '' is not of"),
        ("http://prosody-se:5280", "prosody-se:5280", "not an address like http://prosody:5280"),
        ('events_key = "events.pub.pem"', "", "there is no public key at any path"),
        ("events.pub.pem", "other.pem", "there is no public key at"),
        ('"RS256"', '"ES256"', 'tokens.algorithm must be "RS256": Jitsi verifies nothing better.'),
        ('audience = "shard-se"', 'audience = ""', "audience and name may not be empty"),
        ('audience = "shard-se"', 'audience = "a"\nweb_url = "https://meet.jit.si"', "from nowhere else"),
        ('audience = "shard-se"', 'audience = "a"\nweb_url = "https://{host}.evil.example"', "from nowhere else"),
        ('audience = "shard-se"', 'audience = "a"\nkind = "zoom"', "bridge, jitsi"),
    ],
)
def test_a_shard_that_could_not_be_used_stops_the_start(tmp_path: Path, change: str, to: str, message: str) -> None:
    (tmp_path / "events.pub.pem").touch()
    assert change in SHARD
    assert message in refusal(tmp_path, SHARD.replace(change, to))


@pytest.mark.requirement("R207")
def test_two_shards_share_neither_name_nor_audience_and_jitsi_needs_one(tmp_path: Path) -> None:
    (tmp_path / "events.pub.pem").touch()
    one = SHARD[SHARD.index("[[shards]]") :]
    assert "two have the" in refusal(tmp_path, SHARD + one.replace('"se"', '"fi"'))
    assert "two have the name" in refusal(tmp_path, SHARD + one.replace('"se"', '"fi"').replace("shard-se", "shard-fi"))
    assert "at least one table [[shards]]" in refusal(tmp_path, SHARD.replace(one, ""))
