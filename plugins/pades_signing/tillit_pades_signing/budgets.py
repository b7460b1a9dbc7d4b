"""How often something may happen within a day, whoever begins anew: counted in records, before it happens.

A name may say whom it is about, a telephone number too: what is stored is a keyed digest of it.
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from sidecar.plugin_api import ConflictError, Core, ErrandView, NotFoundError, Record, Records, from_text, to_text

FORGET = "pades_signing.forget"  # kind of errand
WINDOW = timedelta(days=1)
_COLLECTION = "spent"
_RETRIES = 8  # another process counted in between: read and count again


class BudgetSpentError(Exception):
    """It may not happen now. too_soon: only a moment has to pass."""

    def __init__(self, *, too_soon: bool) -> None:
        super().__init__("too soon" if too_soon else "spent")
        self.too_soon = too_soon


class Budgets:
    """Counts what is taken, and forgets it when its day is over."""

    def __init__(self, *, core: Core, clock: Callable[[], datetime], key: bytes) -> None:
        self._core, self._clock, self._key = core, clock, key

    def left(self, what: str, *, most: int) -> int:
        """Return how many of `most` a day may still be taken."""
        try:
            record = self._core.records().get(_COLLECTION, self._id(what))
        except NotFoundError:
            return most
        return max(0, most - len(_recent(record, self._clock())))

    def take(self, what: str, *, most: int, gap: timedelta = timedelta(0), meeting: str = "") -> int:
        """Count one and return how many are left. Raises BudgetSpentError with nothing counted.

        gap: how long after the one before. meeting: with which the count is erased.
        """
        id, now = self._id(what), self._clock()

        def effect(records: Records) -> int:
            record = _found(records, id)
            taken = _recent(record, now) if record is not None else []
            if len(taken) >= most:
                raise BudgetSpentError(too_soon=False)
            if taken and now - max(taken) < gap:
                raise BudgetSpentError(too_soon=True)
            body = {"at": [to_text(at) for at in (*taken, now)]}
            version = record.version if record is not None else 0
            records.put(_COLLECTION, id, body, meeting=meeting or None, expected=version)
            if record is None:
                records.add_errand(FORGET, {"spent": id}, due_at=now + WINDOW, meeting=meeting or None)
            return most - len(taken) - 1

        for last in (*[False] * (_RETRIES - 1), True):
            try:
                return self._core.keep(effect)
            except ConflictError:
                if last:
                    raise
        raise ConflictError("too many count this at once")

    def forget(self, errand: ErrandView) -> None:
        """The worker's errand: drop a count whose day is over, and come back to one that went on."""
        id, now = str(errand.body["spent"]), self._clock()

        def effect(records: Records) -> None:
            record = _found(records, id)
            if record is None:
                return
            taken = _recent(record, now)
            if taken:
                records.add_errand(FORGET, {"spent": id}, due_at=max(taken) + WINDOW, meeting=record.meeting)
            else:
                records.drop(_COLLECTION, id)

        self._core.keep(effect)

    def _id(self, what: str) -> str:
        return hmac.new(self._key, f"budget\0{what}".encode(), "sha256").hexdigest()[:48]


def _found(records: Records, id: str) -> Record | None:
    try:
        return records.get(_COLLECTION, id)
    except NotFoundError:
        return None


def _recent(record: Record, now: datetime) -> list[datetime]:
    return [at for at in map(from_text, record.body["at"]) if now - at < WINDOW]
