"""What goes wrong on demand, and what time it is: everything a test or a demonstration can switch."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

# name -> (status, errorCode or None, body when it is not JSON)
ERRORS: dict[str, tuple[int, str | None, str]] = {
    "alreadyInProgress": (400, "alreadyInProgress", ""),
    "invalidParameters": (400, "invalidParameters", ""),
    "unauthorized": (401, "unauthorized", ""),
    "forbiddenHtml": (403, None, "<html><body>Forbidden</body></html>"),
    "notFound": (404, "notFound", ""),
    "methodNotAllowed": (405, None, ""),
    "requestTimeout": (408, "requestTimeout", ""),
    "unsupportedMediaType": (415, "unsupportedMediaType", ""),
    "tooManyRequests": (429, "tooManyRequests", ""),
    "internalError": (500, "internalError", ""),
    "maintenance": (503, "maintenance", ""),
    "Maintenance": (503, "Maintenance", ""),
    "brandNewError": (400, "brandNewError", ""),
    "notJson": (200, None, "not json"),
    "jsonList": (200, None, "[]"),
    "hugeAnswer": (200, None, "x" * (5 * 1024 * 1024)),
    "redirect": (302, None, ""),
}

# What is forged in the next completions; see documents.py and status.py for how.
FORGERIES = (
    "wrong-root",
    "wrong-policy",
    "expired-certificate",
    "short-chain",
    "weak-key",
    "other-person",
    "other-number",
    "tampered-visible",
    "other-visible",
    "other-hidden",
    "no-hidden",
    "signing-instead",
    "wrapped",
    "doctype",
    "comment",
    "sha1",
    "one-reference",
    "bad-signature",
    "not-base64",
    "revoked",
    "unknown-status",
    "wrong-nonce",
    "no-nonce",
    "old-ocsp",
    "ocsp-other-serial",
    "ocsp-other-issuer",
    "ocsp-not-appointed",
    "ocsp-of-several",
    "ocsp-out-of-date",
    "ocsp-not-valid-yet",
    "ocsp-tampered",
    "ocsp-unsuccessful",
)
RISKS = ("low", "moderate", "high")


@dataclass
class Settings:
    """What is switched on.

    error: a key of ERRORS, answered at endpoint ("any", "auth", "collect", ...) for the next `times` calls
    (None: until reset). delay_seconds: how long an answer is held back, at most. risk: what completions say,
    None leaves it out. device_ip: the phone's address, None means the same as the browser's. old_app: the app
    does not know returnUrl. everybody_approves: whoever an order names approves as soon as it is asked about, for
    measurements of load.
    """

    error: str | None = None
    endpoint: str = "any"
    times: int | None = None
    reset_seconds: int = 7
    delay_seconds: float = 0.0
    risk: str | None = "low"
    device_ip: str | None = None
    old_app: bool = False
    forge: str | None = None
    everybody_approves: bool = False


@dataclass
class Faults:
    """The switches, the clock, and how often each endpoint was called."""

    settings: Settings = field(default_factory=Settings)
    shift_seconds: float = 0.0
    stood_still_at: float | None = None
    calls: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def now(self) -> float:
        """Return the simulator's time, seconds since 1970."""
        return (self.stood_still_at or time.time()) + self.shift_seconds

    def change(self, wanted: dict[str, Any]) -> None:
        """Switch what is named. Raises ValueError for a name or a value we do not know."""
        fields = Settings.__dataclass_fields__
        for name, value in wanted.items():
            if name not in fields:
                raise ValueError(f"no such switch: {name}")
            if name == "error" and value is not None and value not in ERRORS:
                raise ValueError(f"no such error: {value}")
            if name == "forge" and value is not None and value not in FORGERIES:
                raise ValueError(f"no such forgery: {value}")
        with self._lock:
            for name, value in wanted.items():
                setattr(self.settings, name, value)

    def reset(self) -> None:
        """Switch everything off, let go of what is held back, and forget the counts. The clock stays."""
        with self._lock:
            self.settings = Settings()
            self.calls = {}
            self._released.set()
            self._released = threading.Event()

    def shift(self, seconds: float) -> None:
        """Let time pass, for the simulator alone."""
        with self._lock:
            self.shift_seconds += seconds

    def stand_still(self) -> None:
        """Let no time pass from now on but what somebody lets pass."""
        with self._lock:
            self.stood_still_at = self.stood_still_at or time.time()

    def count(self, endpoint: str) -> None:
        with self._lock:
            self.calls[endpoint] = self.calls.get(endpoint, 0) + 1

    def hold(self) -> None:
        """Wait as long as answers are to be slow."""
        if self.settings.delay_seconds:
            self._released.wait(self.settings.delay_seconds)

    def take_error(self, endpoint: str) -> str | None:
        """Return the error this call is to be answered with."""
        with self._lock:
            settings = self.settings
            if settings.error is None or settings.endpoint not in ("any", endpoint) or settings.times == 0:
                return None
            if settings.times is not None:
                settings.times -= 1
            return settings.error
