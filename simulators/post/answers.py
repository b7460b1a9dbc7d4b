"""What the two APIs answered, by idempotency key, so that a repeated call gives the same and does nothing."""

import hashlib
import threading
from typing import Any


class ApiError(Exception):
    """An answer other than success. retry_after: seconds, for the header."""

    def __init__(self, status: int, error: str, retry_after: int = 0) -> None:
        super().__init__(error)
        self.status, self.error, self.retry_after = status, error, retry_after


class Answers:
    """Kept until forgotten. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}

    def find(self, api: str, key: str, body: bytes) -> dict[str, Any] | None:
        """Return the earlier answer, None for a new key. Raises ApiError(409) for a key with another body."""
        with self._lock:
            known = self._answers.get((api, key))
        if known is not None and known[0] != hashlib.sha256(body).hexdigest():
            raise ApiError(409, "idempotency_key_reused")
        return known[1] if known else None

    def keep(self, api: str, key: str, body: bytes, answer: dict[str, Any]) -> None:
        with self._lock:
            self._answers[api, key] = hashlib.sha256(body).hexdigest(), answer

    def forget(self) -> None:
        with self._lock:
            self._answers.clear()
