"""Log lines: one JSON object each on standard output, a constant message and fields. Hints for engineers.

A log is read by many and kept by others, so it is stricter than the people who write to it: a field whose
name or value looks personal or secret is left out, and the line says which.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

from sidecar.domain.audit.privacy import PersonalDataError, check_key, check_number, check_text
from sidecar.domain.clock import to_text

# Beside what may not enter the audit log: what opens doors, and what holds such things inside.
_SECRET_WORDS = frozenset(
    {"token", "jwt", "authorization", "cookie", "csrf", "nonce", "link", "url", "query", "headers", "sdp"}
    | {"passphrase", "credential", "credentials", "signature", "subject", "pem", "kek", "dek", "qr"}
)
_HARMLESS_ENDINGS = ("_count", "_bytes", "_kind", "_type", "_version", "_digest", "_sha256")
# A JWS, a bearer credential, or a long text of mixed signs as random secrets are written. Our ids and digests
# have no capitals and pass.
_TOKEN = re.compile(
    r"eyJ[A-Za-z0-9_-]{5,}|[Bb]earer\s+\S|-----BEGIN "
    r"|(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[A-Za-z0-9_-]{20,}(?![\w-])"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_DEEPEST = 4


class UnsafeFieldError(ValueError):
    """A field may not be written. Never leaves this module."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON; what must not be written is named in `left_out`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": to_text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        left_out = []
        for name, value in vars(record).items():
            if name in _STANDARD:
                continue
            try:
                _check_name(name)
                line[name] = _safe(value, name, _DEEPEST)
            except (UnsafeFieldError, PersonalDataError):
                left_out.append(name)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = _error(record.exc_info)
        if left_out:
            line["left_out"] = sorted(left_out)
        return json.dumps(line, ensure_ascii=False, default=lambda value: type(value).__name__)


def _message(record: logging.LogRecord) -> str:
    """Return the template as written in the code. What a library would fill in is nobody's to vouch for."""
    message = str(record.msg) if isinstance(record.msg, str) else type(record.msg).__name__
    try:
        return str(_safe(message, "message", 0))
    except (UnsafeFieldError, PersonalDataError):
        return "a message that was not constant"


def _error(exc_info: Any) -> dict[str, Any]:
    """Return the error's class and where it was raised: its text may repeat what somebody typed."""
    kind, _, traceback = exc_info
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}:{code.co_name}")
        traceback = traceback.tb_next
    return {"type": kind.__name__, "at": frames[-12:]}


def _check_name(name: str) -> None:
    if name.endswith(_HARMLESS_ENDINGS):
        return
    check_key(name, name)
    if not _SECRET_WORDS.isdisjoint(name.lower().replace("-", "_").split("_")):
        raise UnsafeFieldError(name)


def _safe(value: Any, name: str, depth: int) -> Any:
    """Return the value as JSON can hold it, or raise for one that may not be written."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if not name.endswith(_HARMLESS_ENDINGS):
            check_number(value, name)
        return value
    if isinstance(value, str):
        check_text(value, name)
        if _TOKEN.search(value):
            raise UnsafeFieldError(name)
        return str(value)
    if depth > 0 and isinstance(value, Mapping):
        for key in value:
            _check_name(str(key))
        return {str(key): _safe(each, str(key), depth - 1) for key, each in value.items()}
    if depth > 0 and isinstance(value, list | tuple | set | frozenset):
        return [_safe(each, name, depth - 1) for each in value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return to_text(value)
    raise UnsafeFieldError(name)


def configure_logging(level: str, stream: IO[str] | None = None) -> None:
    """Let every logger of this process write JSON lines. level: "debug", "info", "warning" or "error"."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries that would tell each request's address and path, at a level nobody needs from them.
    for chatty in ("werkzeug", "urllib3", "aioice", "aiortc", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
