"""Our overrides of the pinned Jitsi images, and the proxy in front, made of the settings. The same in, the same out.

The templates and the table of overrides lie in jitsi-config/<tag>/; nothing rendered holds a secret.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jitsi_page import CONFIG, INTERFACE
from sidecar.settings import ConferenceKind, Settings, Shard

IMAGES = ("prosody", "jicofo", "jvb", "web")
_MARK = re.compile(r"@\{([a-z_]+)\}")
_SAFE = re.compile(r"[A-Za-z0-9._:/@\[\]-]+\Z")  # what may stand in a configuration without being quoted
_XMPP_DOMAIN = "meet.jitsi"  # the images' own name for their inside; nobody outside sees it


@dataclass(frozen=True)
class Surroundings:
    """Where things stand around the rendered configuration: as docker-compose.yml places them unless told."""

    sidecar_address: str = "sidecar:8080"
    prosody_address: str = "prosody:5280"
    web_address: str = "web:8000"
    listen_http: str = "8080"
    listen_https: str = "8443"
    resolver: str = "127.0.0.11"  # Docker's own; "" where every address is a number
    tls: str = "/etc/nginx/tls"
    run: str = "/tmp"  # noqa: S108 - a tmpfs of its own in the container
    events_key: str = "/run/secrets/prosody_events_key"


def render(
    settings: Settings, *, templates: Path, shard: str = "", around: Surroundings | None = None
) -> dict[str, str]:
    """Return each file's path below the output folder, and its text. shard: an id; "" where there is one only.

    Raises ConfigurationError where the settings do not describe a Jitsi.
    """
    around = around or Surroundings()
    chosen = _shard(settings, shard)
    values = _values(settings, chosen, around)
    overrides = read_overrides(templates)
    files = {f"{image}/{image}.env": _env(overrides[image], values) for image in IMAGES}
    for image in ("jicofo", "jvb"):
        files[f"{image}/custom-{image}.conf"] = _hocon(overrides[image]["conf"])
    for name in ("prosody/tillit.cfg.lua", "coturn/turnserver.conf", "web/custom-interface_config.js"):
        files[name] = _fill(_read(templates / name), values, name)
    files["web/custom-config.js"] = _fill(_read(templates / "web/custom-config.js"), values, "custom-config.js")
    servers = "\n".join(_server(templates, chosen, values, brand.host) for brand in settings.brands)
    values |= {"servers": servers}
    files["nginx/nginx.conf"] = _fill(_read(templates / "nginx/nginx.conf"), values, "nginx.conf")
    return dict(sorted(files.items()))


def write(files: Mapping[str, str], out: Path) -> list[str]:
    """Write what changed, and return its paths."""
    changed = []
    for name, text in files.items():
        path = out / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o644)
        path.parent.chmod(0o755)  # read by the containers' users
        changed.append(name)
    return changed


def read_overrides(templates: Path) -> dict[str, Any]:
    """Return the table of overrides. Raises ConfigurationError."""
    try:
        return tomllib.loads(_read(templates / "overrides.toml"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{templates / 'overrides.toml'}: {error}") from error


def _shard(settings: Settings, wanted: str) -> Shard:
    jitsi = [each for each in settings.shards if (each.kind or settings.conference.kind) is ConferenceKind.JITSI]
    found = [each for each in jitsi if not wanted or each.id == wanted]
    if not found:
        raise ConfigurationError(f"No [[shards]] is a Jitsi{f' with the id {wanted!r}' if wanted else ''}.")
    if len(found) > 1:
        raise ConfigurationError(f"Name one shard: {', '.join(each.id for each in found)}.")
    if found[0].control_host not in ("", f"muc.{_XMPP_DOMAIN}"):
        raise ConfigurationError(f"shards.{found[0].id}.control_host must be muc.{_XMPP_DOMAIN} for the pinned images.")
    return found[0]


def _values(settings: Settings, shard: Shard, around: Surroundings) -> dict[str, str]:
    reports = urlsplit(settings.bridge.events_url)
    brand = settings.brands[0]
    plain = {
        **vars(around),
        "issuer": settings.tokens.issuer,
        "audience": shard.audience,
        "shard_name": shard.name,
        "sidecar": f"{reports.scheme}://{reports.netloc}",
        "events_url": settings.bridge.events_url,
        "events_audience": settings.bridge.events_audience,
        "xmpp_domain": _XMPP_DOMAIN,
        "muc_domain": f"muc.{_XMPP_DOMAIN}",
        "auth_domain": f"auth.{_XMPP_DOMAIN}",
        "hidden_domain": f"hidden.{_XMPP_DOMAIN}",
        "brand_url": brand.url.rstrip("/"),
        "web_host": _web_host(shard, brand.host),
        "turn_host": _web_host(shard, brand.host).partition(":")[0],
    }
    _check(plain)
    resolver = f"    resolver {around.resolver} valid=10s ipv6=off;" if around.resolver else ""
    return plain | {
        "resolver": resolver,
        "config": _json(CONFIG),
        "interface": _json(INTERFACE),
    }


def _check(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if value and not _SAFE.match(value):
            raise ConfigurationError(f"{name} is {value!r}, which cannot stand in a configuration file.")


def _web_host(shard: Shard, host: str) -> str:
    return urlsplit(shard.web_url.replace("{host}", host)).netloc


def _server(templates: Path, shard: Shard, values: Mapping[str, str], host: str) -> str:
    more = {"host": host.partition(":")[0], "web_host": _web_host(shard, host).partition(":")[0]}
    _check(more)
    return _fill(_read(templates / "nginx/server.conf"), {**values, **more}, "server.conf").rstrip("\n")


def _env(table: Mapping[str, Any], values: Mapping[str, str]) -> str:
    lines = ["# Rendered by `tillit render-jitsi-config`: what differs from the image, and why."]
    for name, override in table["env"].items():
        if override.get("secret") or override.get("compose"):
            continue
        value = _fill(override["value"], values, name)
        if "'" in value or "\n" in value:
            raise ConfigurationError(f"{name} cannot be written to an .env file.")
        lines += [f"# {override['why']}", f"{name}='{value}'"]
    return "\n".join(lines) + "\n"


def _hocon(table: Mapping[str, Mapping[str, str]]) -> str:
    lines = ["# Rendered by `tillit render-jitsi-config`; read last, so it holds over the image's own."]
    for name, override in table.items():
        lines += [f"# {override['why']}", f"{name} = {override['value']}"]
    return "\n".join(lines) + "\n"


def _fill(text: str, values: Mapping[str, str], where: str) -> str:
    for name in _marks(text):
        if name not in values:
            raise ConfigurationError(f"{where} asks for @{{{name}}}, which nothing fills in.")
    return _MARK.sub(lambda mark: values[mark[1]], text)


def _marks(text: str) -> Iterator[str]:
    yield from (mark[1] for mark in _MARK.finditer(text))


def _json(table: Mapping[str, Any]) -> str:
    return json.dumps(dict(table), indent=2, sort_keys=True)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}).") from error
