"""Where a PostgreSQL database is, and how one proves oneself to it: postgresql://user@host:port/name?option=value."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from sidecar.domain.errors import ConfigurationError

_OPTIONS = frozenset({"password_file", "sslmode", "sslrootcert", "host"})
_PORT = 5432


@dataclass(frozen=True)
class PostgresAddress:
    """One database. socket: folder of the server's socket where it is on this machine.

    password_file: read at each connection, so that a new password needs no restart.
    verified: TLS with the server's certificate checked against its name; False: in the clear.
    ca_file: who may have signed that certificate; None: the machine's own list.
    """

    user: str
    host: str
    port: int
    database: str
    socket: str = ""
    password_file: Path | None = None
    verified: bool = True
    ca_file: Path | None = None

    def __str__(self) -> str:
        return f"{self.database} on {self.socket or self.host}"


def read_postgres_url(text: str, *, key: str) -> PostgresAddress:
    """Return the address a setting names. key: the setting's, for messages.

    Options: `password_file` (absolute path), `sslmode` (verify-full, or disable), `sslrootcert`, `host` (folder
    of a socket). Without `sslmode` a connection that leaves this machine is verified.
    Raises ConfigurationError with one line.
    """
    try:
        parts = urlsplit(text)
        port = parts.port or _PORT
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError as error:
        raise ConfigurationError(f"{key} is not of the form postgresql://user@host/database.") from error
    if parts.password is not None:
        raise ConfigurationError(f"{key} holds a password. Put it in a file and name it: ?password_file=/path.")
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise ConfigurationError(f"{key}: {unknown[0]!r} is not an option. Known: {', '.join(sorted(_OPTIONS))}.")
    database = unquote(parts.path.strip("/"))
    folder = options.get("host", "")
    if parts.scheme != "postgresql" or not parts.username or not database or "/" in database:
        raise ConfigurationError(f"{key} is not of the form postgresql://user@host/database.")
    if not folder.startswith("/") and (folder or not parts.hostname):
        raise ConfigurationError(f"{key} names no host, nor the folder of a socket.")
    mode = options.get("sslmode", "disable" if folder or _is_here(parts.hostname) else "verify-full")
    if mode not in ("disable", "verify-full"):
        raise ConfigurationError(f"{key}: sslmode is verify-full or disable; anything between can be led astray.")
    return PostgresAddress(
        user=unquote(parts.username),
        host=parts.hostname or "",
        port=port,
        database=database,
        socket=f"{folder}/.s.PGSQL.{port}" if folder else "",
        password_file=_file(options, "password_file", key),
        verified=mode == "verify-full",
        ca_file=_file(options, "sslrootcert", key),
    )


def _file(options: dict[str, str], name: str, key: str) -> Path | None:
    if name not in options:
        return None
    path = Path(options[name])
    if not path.is_absolute():
        raise ConfigurationError(f"{key}: {name} must be an absolute path.")
    return path


def _is_here(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
