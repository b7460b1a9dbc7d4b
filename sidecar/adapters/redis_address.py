"""Where a Redis is: redis://user@host:port/number?password_file=/path, or rediss:// over verified TLS."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from sidecar.domain.errors import ConfigurationError

_PORT = 6379
_OPTIONS = frozenset({"password_file", "ca_file"})


@dataclass(frozen=True)
class RedisAddress:
    """One database of a Redis. ca_file: who may have signed its certificate; None: the machine's own list."""

    host: str
    port: int
    number: int = 0
    user: str = ""
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None


def read_redis_url(text: str, *, key: str) -> RedisAddress:
    """Return the address a setting names. Raises ConfigurationError with one line."""
    try:
        parts = urlsplit(text)
        port = parts.port or _PORT
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        number = int(parts.path.strip("/") or 0)
    except ValueError as error:
        raise ConfigurationError(f"{key} is not of the form redis://host:6379/0.") from error
    if parts.password is not None:
        raise ConfigurationError(f"{key} holds a password. Put it in a file and name it: ?password_file=/path.")
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise ConfigurationError(f"{key}: {unknown[0]!r} is not an option. Known: {', '.join(sorted(_OPTIONS))}.")
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or number < 0:
        raise ConfigurationError(f"{key} is not of the form redis://host:6379/0.")
    files = {name: Path(value) for name, value in options.items()}
    for name, path in files.items():
        if not path.is_absolute():
            raise ConfigurationError(f"{key}: {name} must be an absolute path.")
    return RedisAddress(
        host=parts.hostname,
        port=port,
        number=number,
        user=parts.username or "",
        password_file=files.get("password_file"),
        tls=parts.scheme == "rediss",
        ca_file=files.get("ca_file"),
    )
