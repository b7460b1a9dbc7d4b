"""The code itself: drawn, kept as a keyed digest, compared without telling how close a guess was."""

import hmac
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sidecar.plugin_api import SignInRequest, from_text

LENGTH = 6


def draw_code() -> str:
    return f"{secrets.randbelow(10**LENGTH):0{LENGTH}d}"


def read_code(typed: str) -> str | None:
    """Return the six digits a person typed, spaces and dashes aside, or None."""
    folded = "".join(sign for sign in unicodedata.normalize("NFKC", typed[:64]) if sign not in " -\t\u2013")
    digits = "".join(str(unicodedata.digit(sign, "?")) for sign in folded)
    return digits if len(digits) == LENGTH and digits.isascii() and digits.isdigit() else None


def digest(code_key: bytes, *parts: str) -> str:
    """Return HMAC-SHA256 over length-prefixed parts, hex. The code's space is small: only the key guards it."""
    mac = hmac.new(code_key, digestmod="sha256")
    for part in parts:
        data = part.encode("utf-8", "replace")
        mac.update(len(data).to_bytes(4, "big") + data)
    return mac.hexdigest()


def same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())


def binding(code_key: bytes, request: SignInRequest, channel: str) -> str:
    """Return what ties a code to this place in this meeting, this browser and this very address."""
    address = request.contact.get(channel, "")
    return digest(code_key, "place", request.meeting, request.participant, request.device, channel, address)


@dataclass(frozen=True)
class Kept:
    """The state between two steps, as the host keeps it. It holds no code and no address."""

    sitting: str
    generation: int
    channel: str
    bound_to: str
    salt: str
    code_digest: str
    sent_at: str
    attempts_left: int
    codes_left: int

    def to_state(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def sent(self) -> datetime:
        return from_text(self.sent_at)


_FIELDS: Mapping[str, type] = {
    name: int if name in ("generation", "attempts_left", "codes_left") else str for name in Kept.__dataclass_fields__
}


def read_state(state: Mapping[str, Any]) -> Kept | None:
    """Return the kept state, or None when it is not one of ours. What the host took out is not missed."""
    values = {name: state.get(name) for name in _FIELDS}
    if not all(isinstance(values[name], kind) for name, kind in _FIELDS.items()):
        return None
    try:
        kept = Kept(**values)  # type: ignore[arg-type]  # each value was checked against its field above
        kept.sent.timestamp()
    except ValueError:
        return None
    return kept
