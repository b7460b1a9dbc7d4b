"""One plugin's JSON documents, errands and messages, sealed, in the transaction of its acts."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, Protocol

from sidecar.domain.errors import ConfigurationError, ConflictError, InvalidInputError, NotFoundError
from sidecar.domain.ids import MeetingId, new_id
from sidecar.services.plugin_ports import Attachment, PlaceView, Record
from sidecar.services.ports import Errand, MeetingTx
from sidecar.services.record_ports import PluginRecordReader, SealedRecord

MESSAGE = "plugin-message"  # the kind of errand that sends a plugin's message

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,120}\Z")
_LARGEST_BODY = 1024 * 1024  # bytes of JSON; what is larger is an object
_MOST_RECORDS = 5000


class Sealer(Protocol):
    """Seals what one plugin keeps, under a key of that plugin's: adapters.sealing.KeySealer."""

    def seal(self, plain: bytes, *, purpose: str) -> bytes: ...

    def unseal(self, sealed: bytes, *, purpose: str) -> bytes:
        """Raises StoreUnavailableError."""


MessageErrand = Callable[..., Errand]  # plugin_messages.PluginMessages.errand, the plugin's name filled in


class PluginRecords:
    """services.plugin_ports.Records over what is committed: reading only."""

    def __init__(self, plugin: str, reader: PluginRecordReader, sealer: Sealer) -> None:
        self._plugin = plugin
        self._reader = reader
        self._sealer = sealer

    def get(self, collection: str, id: str) -> Record:
        found = self._reader.find_record(self._plugin, _checked(collection), _checked(id))
        if found is None:
            raise NotFoundError("There is no such record.")
        return self._opened(found)

    def find(self, collection: str, *, meeting: str | None = None, limit: int = 500) -> list[Record]:
        about = MeetingId(meeting) if meeting is not None else None
        rows = self._reader.records(
            self._plugin, _checked(collection), meeting=about, limit=max(1, min(limit, _MOST_RECORDS))
        )
        return [self._opened(row) for row in rows]

    def put(
        self,
        collection: str,
        id: str,
        body: Mapping[str, Any],
        *,
        meeting: str | None = None,
        expected: int | None = None,
    ) -> int:
        _read_only()

    def drop(self, collection: str, id: str) -> None:
        _read_only()

    def add_errand(
        self, kind: str, body: Mapping[str, Any], *, due_at: datetime | None = None, meeting: str | None = None
    ) -> str:
        _read_only()

    def add_message(
        self,
        to: PlaceView | str,
        text: str,
        params: Mapping[str, str] | None = None,
        *,
        attachments: Sequence[Attachment] = (),
        channel: str | None = None,
        brand: str | None = None,
        meeting: str | None = None,
    ) -> str:
        _read_only()

    def _opened(self, row: SealedRecord) -> Record:
        plain = self._sealer.unseal(row.sealed, purpose=_purpose(row.collection, row.id))
        return Record(row.id, row.meeting, row.version, json.loads(plain), row.updated_at)


class PluginRecordsTx(PluginRecords):
    """services.plugin_ports.Records inside a transaction: reads its own changes, and writes."""

    def __init__(
        self,
        plugin: str,
        tx: MeetingTx,
        sealer: Sealer,
        *,
        now: datetime,
        takes_errand: Callable[[str], bool],
        message: MessageErrand,
    ) -> None:
        super().__init__(plugin, tx, sealer)
        self._tx = tx
        self._now = now
        self._takes_errand = takes_errand
        self._message = message

    def put(
        self,
        collection: str,
        id: str,
        body: Mapping[str, Any],
        *,
        meeting: str | None = None,
        expected: int | None = None,
    ) -> int:
        present = self._tx.find_record(self._plugin, _checked(collection), _checked(id))
        version = present.version if present else 0
        if expected is not None and expected != version:
            raise ConflictError("This record was changed by somebody else in the meantime.")
        plain = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        if len(plain) > _LARGEST_BODY:
            raise InvalidInputError("A record holds at most 1 MB.", field="body")
        kept = present.meeting if present else None
        record = SealedRecord(
            plugin=self._plugin,
            collection=collection,
            id=id,
            meeting=MeetingId(meeting) if meeting is not None else kept,
            version=version + 1,
            updated_at=self._now,
            sealed=self._sealer.seal(plain, purpose=_purpose(collection, id)),
        )
        if present is None:
            self._tx.add_record(record)
        else:
            self._tx.save_record(record, expected=version)
        return record.version

    def drop(self, collection: str, id: str) -> None:
        self._tx.drop_record(self._plugin, _checked(collection), _checked(id))

    def add_errand(
        self, kind: str, body: Mapping[str, Any], *, due_at: datetime | None = None, meeting: str | None = None
    ) -> str:
        if not kind.startswith(f"{self._plugin}.") or not self._takes_errand(kind):
            raise ConfigurationError(f"Plugin {self._plugin} offers no errand {kind!r} (provide_errands).")
        errand_id = new_id("e")
        self._tx.add_errand(
            Errand(
                id=errand_id,
                kind=kind,
                meeting=MeetingId(meeting) if meeting is not None else None,
                due_at=due_at or self._now,
                body=sealed_body(self._sealer, errand_id, body, plugin=self._plugin),
            )
        )
        return errand_id

    def add_message(
        self,
        to: PlaceView | str,
        text: str,
        params: Mapping[str, str] | None = None,
        *,
        attachments: Sequence[Attachment] = (),
        channel: str | None = None,
        brand: str | None = None,
        meeting: str | None = None,
    ) -> str:
        errand = self._message(
            to, text, params or {}, attachments=attachments, channel=channel, brand=brand, meeting=meeting
        )
        self._tx.add_errand(errand)
        return errand.id


def sealed_body(sealer: Sealer, errand_id: str, body: Mapping[str, Any], **plain: Any) -> dict[str, Any]:
    """Return an errand's body: what the desk may show in the clear, the rest sealed under the plugin's key."""
    secret = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return plain | {"sealed": sealer.seal(secret, purpose=f"errand:{errand_id}").hex()}


def open_body(sealer: Sealer, errand: Errand) -> dict[str, Any]:
    """Return what `sealed_body` hid. Raises StoreUnavailableError."""
    sealed = bytes.fromhex(errand.body["sealed"])
    found: dict[str, Any] = json.loads(sealer.unseal(sealed, purpose=f"errand:{errand.id}"))
    return found


def _purpose(collection: str, record: str) -> str:
    return f"record:{collection}:{record}"  # so that no row can be put in another one's place


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise NotFoundError("There is no such record.")
    return name


def _read_only() -> NoReturn:
    raise ConfigurationError("Records change inside Core.perform only, with the act that says why.")
