"""What the plugin remembers between two calls, as JSON values in the server-side state of a sign-in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sidecar.plugin_api import from_text, to_text

_TIMES = ("started_at", "collected_at", "hint_since", "parked_at")


@dataclass(frozen=True)
class SignIn:
    """One person's sign-in.

    started_at: when our service received the present order, from where its QR codes count. restarts: how many
    orders came before it. collected_at: when BankID was last asked. hint_since: when the present hint came.
    trouble: calls without an answer in a row. returned: the app came back to this very browser. parked,
    parked_at: a complete answer that waits for that return. body: what was sent for the order.
    """

    meeting: str
    participant: str
    device: str = field(repr=False)
    same_device: bool
    order_ref: str = field(repr=False)
    auto_start_token: str = field(repr=False)
    qr_start_token: str = field(repr=False)
    qr_start_secret: str = field(repr=False)
    nonce: str = field(repr=False)
    visible: str = field(repr=False)
    non_visible: str = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)
    started_at: datetime
    collected_at: datetime
    hint: str
    hint_since: datetime
    restarts: int = 0
    trouble: int = 0
    returned: bool = False
    parked: Mapping[str, Any] | None = field(default=None, repr=False)
    parked_at: datetime | None = None

    def to_state(self) -> dict[str, Any]:
        """Return the sign-in as JSON values."""
        state = dict(vars(self))
        for key in _TIMES:
            if state[key] is not None:
                state[key] = to_text(state[key])
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "SignIn":
        """Return the sign-in that to_state() wrote. Raises ValueError for anything else."""
        values = dict(state)
        try:
            for key in _TIMES:
                if values[key] is not None:
                    values[key] = from_text(values[key])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError("this is not the state of a BankID sign-in") from error
