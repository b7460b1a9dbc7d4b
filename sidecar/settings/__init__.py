"""One frozen, typed settings object: TOML for shape, environment over it. Only this reads the environment."""

import ipaddress
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sidecar.domain.errors import ConfigurationError
from sidecar.domain.opening_hours import read_opening_hours
from sidecar.domain.tokens import MAX_JOIN_TTL
from sidecar.settings.model import (
    Api,
    Brand,
    Bridge,
    Conference,
    ConferenceKind,
    Keys,
    Log,
    LogLevel,
    Notifications,
    Plugins,
    PolicyFiles,
    Recorder,
    Settings,
    Shard,
    Shared,
    Staff,
    Stores,
    TokenAlgorithm,
    Tokens,
    Web,
    Worker,
)
from sidecar.settings.reading import Reader, duration_text, overlay, parse_duration

__all__ = [
    "Api",
    "Brand",
    "Bridge",
    "Conference",
    "ConferenceKind",
    "Keys",
    "Log",
    "LogLevel",
    "Notifications",
    "Plugins",
    "PolicyFiles",
    "Recorder",
    "Settings",
    "Shard",
    "Shared",
    "Staff",
    "Stores",
    "TokenAlgorithm",
    "Tokens",
    "Web",
    "Worker",
    "duration_text",
    "load_settings",
    "parse_duration",
    "redacted",
    "settings_path",
]

_PATH_VARIABLE = "TILLIT_SETTINGS"  # names the settings file itself
_NOT_SETTINGS = frozenset({_PATH_VARIABLE, "TILLIT_WYCHEPROOF"})  # the second one points tests at vectors
_LANGUAGES = ("sv", "nb", "da", "fi", "nl", "en")
_BRAND_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{1,31}\Z")
_MEDIA = re.compile(r"[0-9A-Fa-f.:\[\]]+:\d{1,5}(=[0-9A-Fa-f.:]+)?")
_SHARD_ID = re.compile(r"[a-z0-9]{1,16}\Z")
_WEB_URL = re.compile(r"https?://([a-z0-9-]+\.)*\{host\}/?")
_ANYWHERE = frozenset({"any", "all", "world", "global", "default"})


def settings_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the settings file is: TILLIT_SETTINGS, else tillit.toml in the working directory."""
    return Path((os.environ if environ is None else environ).get(_PATH_VARIABLE, "tillit.toml"))


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this file with the environment laid over them.

    environ: the process's own unless given. Relative paths start at the file's folder.
    Raises ConfigurationError with one line that names file, key and what is wrong.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: the settings file cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    merged = overlay(tables, os.environ if environ is None else environ, ignored=_NOT_SETTINGS)
    reader = Reader(source=path.name, folder=path.resolve().parent)
    settings: Settings = reader.build(Settings, merged)
    for problem in _problems(settings):
        raise ConfigurationError(f"{path.name}: {problem}")
    return settings


def _problems(settings: Settings) -> list[str]:
    """Return what no single value shows: rules between settings, and forms a type cannot say."""
    return [
        *_place_problems(settings),
        *_brand_problems(settings.brands),
        *_caller_problems(settings),
        *_number_problems(settings),
        *_address_problems(settings),
        *_shard_problems(settings),
        *_recorder_problems(settings.recorder),
    ]


def _place_problems(settings: Settings) -> list[str]:
    stores, found = settings.stores, []
    if not stores.allowed_regions:
        found.append("stores.allowed_regions is empty, so data may lie nowhere.")
    for region in stores.allowed_regions:
        if not _REGION.match(region) or region in _ANYWHERE:
            found.append(f"stores.allowed_regions: {region!r} does not name one region. There is no word for any.")
    places = {"stores.region": stores.region, "keys.region": settings.keys.region or stores.region}
    places |= {f"stores.domiciles.{country}": region for country, region in stores.domiciles.items()}
    for key, region in places.items():
        if region not in stores.allowed_regions:
            found.append(
                f"{key} is {region!r}, which is not among stores.allowed_regions "
                f"({', '.join(stores.allowed_regions)}). Nothing starts outside them."
            )
    found += _database_problems(stores)
    found += [
        f"stores.domiciles: {country!r} is not a country of two capital letters."
        for country in stores.domiciles
        if not re.fullmatch("[A-Z]{2}", country)
    ]
    return found


def _database_problems(stores: Stores) -> list[str]:
    texts = {name: str(getattr(stores, name)) for name in ("meetings", "people", "sessions")}
    found = [
        f'stores.{name} is neither "sqlite" nor of the form postgresql://user@host/database.'
        for name, text in texts.items()
        if text != "sqlite" and not text.startswith("postgresql://")
    ]
    servers = [text.partition("?")[0] for text in texts.values() if text != "sqlite"]
    if len(set(servers)) < len(servers):
        found.append("stores: two of meetings, people and sessions name one database. Each has its own.")
    return found


def _caller_problems(settings: Settings) -> list[str]:
    """Where a brand takes calls, the data of who calls must have somewhere to lie."""
    return [
        f"brands.{brand.id}.country is {brand.country!r}, and stores.domiciles gives it no region, which callers need."
        for brand in settings.brands
        if brand.opening_hours and brand.country not in settings.stores.domiciles
    ]


def _brand_problems(brands: tuple[Brand, ...]) -> list[str]:
    found = [] if brands else ["brands: at least one table [[brands]] is needed."]
    for name, values in {"id": [b.id for b in brands], "url": [b.host for b in brands]}.items():
        found += [f"brands: two have the {name} {each!r}." for each in {v for v in values if values.count(v) > 1}]
    for brand in brands:
        where = f"brands.{brand.id}"
        if not _BRAND_ID.match(brand.id):
            found.append(f"brands: the id {brand.id!r} is not of lower case letters, digits and hyphens.")
        if not re.fullmatch("#[0-9a-fA-F]{6}", brand.colour):
            found.append(f"{where}.colour is {brand.colour!r}, not of the form #rrggbb.")
        if not brand.languages or not set(brand.languages) <= set(_LANGUAGES):
            found.append(f"{where}.languages must be some of {', '.join(_LANGUAGES)}.")
        try:
            read_opening_hours(brand.opening_hours, zone=brand.time_zone)
        except zoneinfo.ZoneInfoNotFoundError:
            found.append(f"{where}.time_zone: {brand.time_zone!r} is not a time zone.")
        except ValueError as error:
            found.append(f"{where}.opening_hours: {error}.")
        if not _is_base_url(brand.url):
            found.append(f"{where}.url is {brand.url!r}, not an address like https://video.bank.example.")
        if brand.logo is not None and not brand.logo.exists():
            found.append(f"{where}.logo: there is nothing at {brand.logo}.")
    return found


def _number_problems(settings: Settings) -> list[str]:
    least = {
        "web.workers": settings.web.workers,
        "web.threads": settings.web.threads,
        "web.max_body_bytes": settings.web.max_body_bytes,
        "web.session_longest": int(settings.web.session_longest.total_seconds()),
        "tokens.join_ttl": int(settings.tokens.join_ttl.total_seconds()),
        "worker.interval": int(settings.worker.interval.total_seconds()),
    }
    found = [f"{key} must be 1 or more." for key, value in least.items() if value < 1]
    if settings.tokens.join_ttl > MAX_JOIN_TTL:
        found.append(
            f"tokens.join_ttl is {duration_text(settings.tokens.join_ttl)}; a token may wait for at most "
            f"{duration_text(MAX_JOIN_TTL)}."
        )
    return found


def _address_problems(settings: Settings) -> list[str]:
    found = []
    for key, listen in (("web.listen", settings.web.listen), ("bridge.listen", settings.bridge.listen)):
        host, _, port = listen.rpartition(":")
        if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
            found.append(f"{key} is {listen!r}, not of the form address:port.")
    if not _is_base_url(settings.bridge.url):
        found.append(f"bridge.url is {settings.bridge.url!r}, not an address like http://127.0.0.1:8081.")
    if settings.shared.url != "process" and not settings.shared.url.startswith(("redis://", "rediss://")):
        found.append('shared.url is neither "process" nor of the form redis://host:6379/0.')
    if not settings.bridge.media:
        found.append("bridge.media is empty, so no sound or picture would flow.")
    found += [
        f"bridge.media: {text!r} is not of the form address:port or address:port=address."
        for text in settings.bridge.media
        if not _MEDIA.fullmatch(text)
    ]
    for text in settings.web.trusted_proxies:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            found.append(f"web.trusted_proxies: {text!r} is not an address.")
        else:
            if network.prefixlen == 0:
                found.append(f"web.trusted_proxies: {text!r} is every address there is.")
    return found


def _shard_problems(settings: Settings) -> list[str]:
    shards, jitsi, found = settings.shards, settings.conference.kind is ConferenceKind.JITSI, []
    if jitsi and not shards:
        found.append('conference.kind is "jitsi", so at least one table [[shards]] is needed.')
    kinds = {shard.id: shard.kind or settings.conference.kind for shard in shards}
    if ConferenceKind.JITSI in kinds.values() and settings.tokens.algorithm is not TokenAlgorithm.RS256:
        found.append('tokens.algorithm must be "RS256": Jitsi verifies nothing better.')
    for name in ("id", "audience", "name"):
        values = [str(getattr(shard, name)) for shard in shards]
        found += [f"shards: two have the {name} {each!r}." for each in {v for v in values if values.count(v) > 1}]
    for shard in shards:
        found += _one_shard_problems(shard, kinds[shard.id], settings)
    served = {country for shard in shards for country in shard.domiciles}
    if shards:
        found += [
            f"stores.domiciles names {country}, and no [[shards]] may hold its customers' meetings."
            for country in settings.stores.domiciles
            if country not in served
        ]
    return found


def _one_shard_problems(shard: Shard, kind: ConferenceKind, settings: Settings) -> list[str]:
    where, found = f"shards.{shard.id}", []
    if not _SHARD_ID.match(shard.id):
        found.append(f"shards: the id {shard.id!r} is not of 1 to 16 small letters and digits.")
    if shard.region not in settings.stores.allowed_regions:
        found.append(
            f"{where}.region is {shard.region!r}, which is not among stores.allowed_regions "
            f"({', '.join(settings.stores.allowed_regions)}). No meeting is held outside them."
        )
    if not shard.domiciles:
        found.append(f"{where}.domiciles is empty, so it would hold nobody's meetings.")
    for country in shard.domiciles:
        if not re.fullmatch("[A-Z]{2}", country):
            found.append(
                f"{where}.domiciles: {country!r} is not a country of two capital letters. There is no word for any."
            )
        elif country not in settings.stores.domiciles:
            found.append(f"{where}.domiciles: stores.domiciles names no region for customers in {country}.")
    if not shard.audience or not shard.name:
        found.append(f"{where}: audience and name may not be empty.")
    if not _is_base_url(shard.url):
        found.append(f"{where}.url is {shard.url!r}, not an address like http://prosody:5280.")
    if shard.recorder_url and not _is_base_url(shard.recorder_url):
        found.append(f"{where}.recorder_url is {shard.recorder_url!r}, not an address like http://recorder:8083.")
    if shard.recorder_url and (shard.recorder_key is None or not shard.recorder_key.exists()):
        found.append(f"{where}.recorder_key: there is no public key at {shard.recorder_key or 'any path'}.")
    if kind is ConferenceKind.JITSI:
        if shard.events_key is None or not shard.events_key.exists():
            found.append(f"{where}.events_key: there is no public key at {shard.events_key or 'any path'}.")
        if not _WEB_URL.fullmatch(shard.web_url):
            found.append(
                f"{where}.web_url is {shard.web_url!r}, not of the form https://meet.{{host}}: Jitsi Meet is loaded "
                "from the brand's own host or one below it, and from nowhere else."
            )
    return found


def _recorder_problems(recorder: Recorder) -> list[str]:
    found = []
    if not re.fullmatch(r"wss?://[^/@\s]+/\S*", recorder.xmpp_url):
        found.append(f"recorder.xmpp_url is {recorder.xmpp_url!r}, not like ws://prosody:5280/xmpp-websocket.")
    if not re.fullmatch(r"[a-z0-9.-]+", recorder.xmpp_domain):
        found.append(f"recorder.xmpp_domain is {recorder.xmpp_domain!r}, not a name like meet.jitsi.")
    if not re.fullmatch(r".+:[0-9]{1,5}", recorder.listen):
        found.append(f"recorder.listen is {recorder.listen!r}, not of the form address:port.")
    if not timedelta(seconds=5) <= recorder.lost_after <= timedelta(minutes=10):
        found.append("recorder.lost_after must lie between 5 seconds and 10 minutes.")
    return found


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/")
    except ValueError:
        return False


def redacted(settings: Settings) -> dict[str, Any]:
    """Return the settings in force as plain values, without what a URL may carry in front of its host."""
    shown: dict[str, Any] = _plain(settings)
    return shown


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        table = {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        table |= table.pop("tables", {})  # the plugins' tables stand beside `enabled`, as in the file
        return table
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, Path | StrEnum):
        return str(value)
    return _without_user(value) if isinstance(value, str) else value


def _without_user(text: str) -> str:
    if "@" not in text or "://" not in text:
        return text
    parts = urlsplit(text)
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))
