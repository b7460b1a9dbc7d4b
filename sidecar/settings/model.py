"""Every setting: its type, its default, and what another value changes. docs/settings.md comes from here."""

# ruff: noqa: RUF009 - setting() is dataclasses.field with a help text

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from sidecar.domain.errors import ConfigurationError


def setting(help: str, default: Any = MISSING, *, example: Any = MISSING) -> Any:
    """Return a dataclass field. example: what tillit.example.toml shows where it is not the default."""
    metadata = {"help": help, "example": default if example is MISSING else example}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: MappingProxyType(dict(default)), metadata=metadata)
    return field(default=default, metadata=metadata)


class TokenAlgorithm(StrEnum):
    ES256 = "ES256"
    RS256 = "RS256"


class ConferenceKind(StrEnum):
    BRIDGE = "bridge"
    JITSI = "jitsi"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Web:
    """The web process: pages and the open API."""

    listen: str = setting(
        "Address and port the web process listens on. Beyond loopback it needs a proxy that ends TLS.",
        "127.0.0.1:8080",
    )
    workers: int = setting("Worker processes. About one per core.", 2)
    threads: int = setting(
        "Threads per worker. Each open page holds one for its event stream; too few and pages wait for news.",
        64,
    )
    trusted_proxies: tuple[str, ...] = setting(
        "Addresses or networks of the proxies in front, whose word on the caller's address is believed. "
        "Empty: nobody's.",
        (),
    )
    secure_cookies: bool = setting(
        "Send cookies over TLS only. False is for a laptop: browsers make an exception only for localhost.",
        True,
    )
    session_longest: timedelta = setting(
        "How long a sign-in lasts at most, however busy the browser is.", timedelta(hours=10)
    )
    max_body_bytes: int = setting("The largest request that is read. Larger ones are refused unread.", 26_214_400)


@dataclass(frozen=True)
class Brand:
    """One bank's face: its address, name and look. A table [[brands]] each; at least one."""

    id: str = setting("Short name in tokens and records: lower case, digits, hyphens.", example="exempelbanken")
    name: str = setting("The bank's name as customers know it.", example="Exempelbanken")
    url: str = setting(
        "The brand's own address, without a path. Links in invitations begin with it, and requests to its "
        "host get this brand.",
        example="http://exempelbanken.localhost:8080",
    )
    phone: str = setting("Number to call when video does not work, as it should be read.", example="0771-00 00 00")
    sender: str = setting(
        "Name that messages come from, so that the customer knows who writes. Empty: the brand's name.", ""
    )
    colour: str = setting("The brand's colour as #rrggbb. Readable shades are worked out from it.", "#0c4a5b")
    logo: Path | None = setting("SVG or PNG file shown at the top of each page. Empty: the name in letters.", None)
    languages: tuple[str, ...] = setting(
        "Languages the customer may choose from; the first is the default. Whatever stands here, the desk of the "
        "bank's own staff is in Swedish and English.",
        ("sv", "en"),
        example=("sv", "nb", "da", "fi", "nl", "en"),
    )
    blur_background: bool = setting(
        "Blur the background of everybody's picture until they choose otherwise. It is done on their own device; "
        "each person can turn it on or off, and the device remembers it.",
        False,
    )
    time_zone: str = setting("Time zone of times on pages, in messages and of the opening hours.", "Europe/Stockholm")
    country: str = setting(
        "Where somebody who calls without a booking is taken to live, two capital letters. It decides where their data "
        "lies; where `stores.domiciles` names several countries the caller is asked, and finds this one chosen.",
        "SE",
    )
    opening_hours: Mapping[str, str] = setting(
        "When one may call without a booking, by weekday in English; a day left out is closed. Empty: never.",
        {},
        example={
            "monday": "08:00-20:00",
            "tuesday": "08:00-20:00",
            "wednesday": "08:00-20:00",
            "thursday": "08:00-20:00",
            "friday": "08:00-18:00",
            "saturday": "10:00-15:00",
        },
    )

    @property
    def host(self) -> str:
        """Return the host, with the port where the address has one, as a browser's Host header says it."""
        return urlsplit(self.url).netloc

    @property
    def default_language(self) -> str:
        return self.languages[0]

    @property
    def sender_name(self) -> str:
        return self.sender or self.name


@dataclass(frozen=True)
class Tokens:
    """Join tokens: the key to one room."""

    algorithm: TokenAlgorithm = setting(
        "ES256 for our own bridge, RS256 for Jitsi, which verifies nothing better. After a change run "
        "`tillit rotate-keys join`.",
        TokenAlgorithm.ES256,
    )
    issuer: str = setting("The `iss` claim. Jitsi's JWT_ACCEPTED_ISSUERS must name it.", "tillit")
    audience: str = setting(
        "The `aud` claim: the one shard, and so the one jurisdiction, whose door the token opens.",
        "tillit-local",
    )
    join_ttl: timedelta = setting(
        "How long a token may wait for its use, at most 120s. Shorter is safer, and harder on a slow phone.",
        timedelta(seconds=90),
    )


@dataclass(frozen=True)
class Keys:
    """Where signing keys and secrets are."""

    directory: Path = setting("Folder of the key files, readable by their owner alone.", Path("var/keys"))
    region: str = setting(
        "Region the keys lie in. Empty: that of the stores. Outside stores.allowed_regions nothing starts.",
        "",
    )


@dataclass(frozen=True)
class Bridge:
    """The media process, and how it and the web process reach each other."""

    url: str = setting(
        "Where the web process reaches the bridge. Never reachable from outside.", "http://127.0.0.1:8081"
    )
    listen: str = setting("Address and port the bridge takes commands on.", "127.0.0.1:8081")
    events_url: str = setting("Where the bridge reports what happened.", "http://127.0.0.1:8080/internal/bridge/events")
    audience: str = setting("Name of the bridge in the tokens of commands to it.", "tillit-bridge")
    events_audience: str = setting("Name of the web process in the tokens of reports to it.", "tillit-web")
    media: tuple[str, ...] = setting(
        "UDP addresses for media, each address:port, with =address behind it where browsers must use another one "
        "than the machine's own. One port serves everybody; open it in the firewall.",
        ("127.0.0.1:50000",),
        example=("192.0.2.10:50000=203.0.113.10",),
    )


@dataclass(frozen=True)
class Conference:
    """What carries sound and picture."""

    kind: ConferenceKind = setting(
        "bridge: our own, as [bridge] says. jitsi: a Jitsi with our Prosody modules; it needs tokens.algorithm "
        "RS256 and at least one table [[shards]].",
        ConferenceKind.BRIDGE,
    )


@dataclass(frozen=True)
class Shard:
    """One media side for one jurisdiction: its own Prosody, Jicofo and JVBs, or a bridge. A table [[shards]] each.

    None: the one bridge of [bridge] serves every domicile. Of several for one country the first that answers is used.
    """

    id: str = setting(
        "Short name, small letters and digits. Room names begin with it. Never give it to another shard.", example="se"
    )
    region: str = setting("Region its media stay in: one of stores.allowed_regions.", example="eu-north-se")
    domiciles: tuple[str, ...] = setting(
        "Countries whose customers' meetings it may hold (two capital letters).", example=("SE", "NO")
    )
    audience: str = setting(
        "The `aud` of its join tokens: tillit_audience on its Prosody. No two shards have the same.", example="shard-se"
    )
    url: str = setting(
        "Where the web process and the worker reach its commands: Prosody's HTTP port, or the bridge. Never "
        "reachable from outside.",
        example="http://prosody-se:5280",
    )
    kind: ConferenceKind | None = setting("Where it departs from conference.kind. Empty: that one.", None)
    name: str = setting(
        "Its name in the tokens of commands to it and of its reports: tillit_control_audience and "
        "tillit_events_issuer on its Prosody. No two shards have the same.",
        "tillit-prosody",
    )
    control_host: str = setting(
        "Jitsi: the Host header of commands, the MUC component that mod_tillit_control stands on. Empty: the url's.",
        "",
        example="muc.meet.jitsi",
    )
    events_key: Path | None = setting(
        "Jitsi: PEM file with the public key its Prosody signs reports with (tillit_events_key there); two keys, one "
        "below the other, while one replaces the other.",
        None,
        example="var/keys-of-shards/se-events.pub.pem",
    )
    web_url: str = setting(
        "Jitsi: where browsers load Jitsi Meet from. {host} stands for the brand's own host, so that nothing is "
        "loaded from anywhere else.",
        "https://meet.{host}",
    )
    recorder_url: str = setting(
        "Jitsi: where the web process and the worker reach the shard's recorder. Never reachable from outside. Empty: "
        "meetings on this shard cannot be recorded, and say so.",
        "",
        example="http://recorder-se:8083",
    )
    recorder_key: Path | None = setting(
        "Jitsi: PEM file with the public key its recorder signs reports with (recorder.events_key there).",
        None,
        example="var/keys-of-shards/se-recorder.pub.pem",
    )

    @property
    def recorder_name(self) -> str:
        """The recorder's name in tokens of commands to it and of its reports."""
        return f"{self.name}-recorder"


@dataclass(frozen=True)
class Recorder:
    """The recorder of one Jitsi shard: a hidden participant, in a process of its own (python -m sidecar.bridge.jitsi).

    Towards another Prosody, Jicofo and JVB three settings change: xmpp_url, xmpp_domain, password_file.
    """

    xmpp_url: str = setting(
        "Where the shard's Prosody takes XMPP over WebSocket, ws:// or wss://. Its login keeps the password secret on "
        "both; on ws:// the network between must be the bank's own.",
        "ws://127.0.0.1:5280/xmpp-websocket",
        example="ws://prosody:5280/xmpp-websocket",
    )
    xmpp_domain: str = setting(
        "The users' host in Prosody. Rooms are on muc., Jicofo answers on focus., the recorder's account is "
        "recorder@hidden. before it.",
        "meet.jitsi",
    )
    password_file: Path | None = setting(
        "File with the password of that account.", None, example="/run/secrets/recorder_password"
    )
    listen: str = setting("Address and port it takes commands on. Never reachable from outside.", "127.0.0.1:8083")
    shard: str = setting("Id of the [[shards]] it serves. Empty: the only one that is a Jitsi.", "")
    events_key: Path | None = setting(
        "PEM file with the private key it signs reports with. Its public half is shards.recorder_key.",
        None,
        example="/run/secrets/recorder_events_key",
    )
    lost_after: timedelta = setting(
        "How long a recording waits for a connection that broke. After that it ends, with its reason.",
        timedelta(seconds=30),
    )


@dataclass(frozen=True)
class Stores:
    """Where data lies. A store outside the allowed regions does not start."""

    region: str = setting("Region this folder lies in.", example="eu-north-se")
    allowed_regions: tuple[str, ...] = setting(
        "Regions data and keys may lie in, each by name. There is no word for any.", example=("eu-north-se",)
    )
    data_dir: Path = setting("Folder of the audit log, encrypted objects and SQLite databases.", Path("var/data"))
    meetings: str = setting(
        'Where the meetings store lies: "sqlite" is a file in data_dir; else '
        "postgresql://user@host/database?password_file=/path, a database of its own in stores.region. Other hosts "
        "are spoken to by verified TLS (sslrootcert=/path) unless sslmode=disable says otherwise.",
        "sqlite",
    )
    people: str = setting("The same for the people store. Never the same database: names stay apart.", "sqlite")
    sessions: str = setting("The same for web sessions.", "sqlite")
    domiciles: Mapping[str, str] = setting(
        "Which region a customer's data lies in, by country of domicile (two capital letters). A country "
        "left out cannot be served.",
        {},
        example=dict.fromkeys(("SE", "NO", "DK", "FI", "NL"), "eu-north-se"),
    )


@dataclass(frozen=True)
class Shared:
    """What several web processes must know together: used commands, whose turn it is, that there is news."""

    url: str = setting(
        'Where they know it from. "process": each knows its own, right for one machine\'s few workers. Else a Redis, '
        "redis://user@host:6379/0?password_file=/path, or rediss:// over verified TLS (ca_file=/path).",
        "process",
        example="process",
    )


@dataclass(frozen=True)
class PolicyFiles:
    """The rules: bands, meeting types, role packages."""

    directory: Path | None = setting("Folder of the bank's own policy. Empty: the one we ship.", None)


@dataclass(frozen=True)
class Plugins:
    """Which plugins load. Each has a table [plugins.NAME] of its own; its README lists the keys."""

    enabled: tuple[str, ...] = setting("Names of the plugins to load. One that cannot load stops the start.", ())
    approvals: Path = setting(
        "The list of reviewed plugins, by digest of their code. Written by `tillit plugins approve`.",
        Path("plugins/approvals.toml"),
    )
    tables: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: MappingProxyType({}), metadata={"plugin_tables": True}
    )


@dataclass(frozen=True)
class Notifications:
    """How people are reached."""

    order: tuple[str, ...] = setting(
        "Channels for invitations and reminders; the first that reaches the person is used. A one-time code "
        "always goes by another than its link.",
        ("inbox", "email", "sms"),
    )


@dataclass(frozen=True)
class Api:
    """The open API for the bank's other systems."""

    keys_file: Path | None = setting(
        "Digests of the connected systems' keys and their rights. Empty: api-keys.json in stores.data_dir.",
        None,
    )


@dataclass(frozen=True)
class Worker:
    """The process that delivers, reminds and deletes."""

    interval: timedelta = setting("How long it rests when there is nothing to do.", timedelta(seconds=2))


@dataclass(frozen=True)
class Log:
    """Lines for engineers on standard output. Not the audit log."""

    level: LogLevel = setting("The least important line that is written: debug, info, warning, error.", LogLevel.INFO)


@dataclass(frozen=True)
class Staff:
    """Sign-in of the bank's own staff."""

    provider: str = setting(
        "Name of the plugin that signs staff in. Empty: nobody can sign in at the desk.",
        "",
    )


@dataclass(frozen=True)
class Settings:
    """All settings in force, read once at the start."""

    web: Web
    brands: tuple[Brand, ...]
    tokens: Tokens
    keys: Keys
    bridge: Bridge
    conference: Conference
    recorder: Recorder
    stores: Stores
    shared: Shared
    policy: PolicyFiles
    plugins: Plugins
    notifications: Notifications
    api: Api
    worker: Worker
    log: Log
    staff: Staff
    shards: tuple[Shard, ...] = ()

    def brand(self, brand_id: str) -> Brand:
        """Return the brand of that id. Raises ConfigurationError when it was taken out of the settings."""
        for brand in self.brands:
            if brand.id == brand_id:
                return brand
        raise ConfigurationError(f"No [[brands]] has the id {brand_id!r}.")
