"""What the worker does for signings: close those out of time, seal what a device refused, preserve, renew, archive."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sidecar.plugin_api import (
    ConflictError,
    Core,
    DeliveryFailedError,
    DocumentsService,
    ErrandView,
    InvalidInputError,
    NotFoundError,
    PluginAct,
    Records,
)
from tillit_pades_signing import rules
from tillit_pades_signing.model import Signing, State
from tillit_pades_signing.preserve import PreserveError, Preserver
from tillit_pades_signing.seal.keys import SealUnavailableError
from tillit_pades_signing.sealing import Sealing, file_name
from tillit_pades_signing.signings import Signings

log = logging.getLogger(__name__)

_AGAIN = timedelta(days=1)  # how long after a failed renewal it is tried anew, long before the old one ends


class Errands:
    """The plugin's errands by kind. Each may come twice and late."""

    def __init__(
        self,
        *,
        core: Core,
        clock: Callable[[], datetime],
        signings: Signings,
        sealing: Sealing,
        preserver: Preserver | None,
        renew_before: timedelta,
    ) -> None:
        self._core, self._clock = core, clock
        self._signings, self._sealing, self._preserver = signings, sealing, preserver
        self._renew_before = renew_before

    def by_kind(self) -> Mapping[str, Callable[[ErrandView], None]]:
        known: dict[str, Callable[[ErrandView], None]] = {
            "expire": self._expire,
            "seal": self._seal,
            "preserve": self._preserve,
            "copies": self._copies,
            "renew": self._renew,
            "archive": self._archive,
            "tell": self._tell,
        }
        return {f"pades_signing.{kind}": self._of_something(do) for kind, do in known.items()}

    @staticmethod
    def _of_something(do: Callable[[ErrandView], None]) -> Callable[[ErrandView], None]:
        """Nothing is left to do where the signing is gone: its meeting was erased."""

        def run(errand: ErrandView) -> None:
            try:
                do(errand)
            except NotFoundError:
                log.info("errand of a signing that is gone", extra={"kind": errand.kind})

        return run

    def _expire(self, errand: ErrandView) -> None:
        self._signings.expire(str(errand.body["signing"]))

    def _seal(self, errand: ErrandView) -> None:
        try:
            self._sealing.seal_now(str(errand.body["signing"]))
        except SealUnavailableError as error:
            raise DeliveryFailedError("the sealing key does not answer", retry=True) from error

    def _preserve(self, errand: ErrandView) -> None:
        """Complete PAdES B-LTA: revocation information and an outsider's time around the seal."""
        self._stamp(str(errand.body["signing"]), State.SEALED, "preserved")

    def _copies(self, errand: ErrandView) -> None:
        """Send what is sealed where the time-stamp is late: nobody waits for their copy for as long as it takes."""
        record = self._core.records().get("signing", str(errand.body["signing"]))
        signing = Signing.from_body(record.body)
        if signing.copies_by is None:
            return

        def effect(records: Records) -> None:
            body = replace(signing, copies_by=None).to_body()
            records.put("signing", signing.id, body, meeting=signing.meeting or None, expected=record.version)
            self._sealing.send_copies(records, signing, "early_message")

        self._core.keep(effect)

    def _renew(self, errand: ErrandView) -> None:
        """Put a new time-stamp around the old ones before the newest one's certificate ends."""
        self._stamp(str(errand.body["signing"]), State.PRESERVED, "renewed")

    def _stamp(self, signing_id: str, state: State, kind: str) -> None:
        if self._preserver is None:
            return
        record = self._core.records().get("signing", signing_id)
        signing, now = Signing.from_body(record.body), self._clock()
        if signing.state is not state or (signing.renew_at is not None and now < signing.renew_at):
            return
        files: dict[str, bytes] = {}
        ends: list[datetime] = []
        try:
            for each in signing.documents:
                sealed = self._core.objects.get(signing.sealed[each.id][-1])
                stamped = self._preserver.preserve(sealed) if kind == "preserved" else self._preserver.renew(sealed)
                files[each.id] = stamped.data
                ends.append(stamped.valid_until)
        except PreserveError as error:
            raise DeliveryFailedError(str(error), retry=error.may_retry) from error
        renew_at = max(now + _AGAIN, min(ends) - self._renew_before)
        objects: dict[str, str] = {}

        def keep() -> None:
            for document, data in files.items() if not objects else ():
                objects[document] = self._core.objects.put(signing.meeting or None, "sealed", data)

        def effect(records: Records) -> None:
            done = rules.preserved(signing, objects, now=now, renew_at=renew_at)
            about = signing.meeting or None
            records.put("signing", signing_id, done.to_body(), meeting=about, expected=record.version)
            records.add_errand("pades_signing.renew", {"signing": signing_id}, due_at=renew_at, meeting=about)
            records.add_errand("pades_signing.archive", {"signing": signing_id}, meeting=about)
            if kind == "preserved":
                self._sealing.send_copies(records, done, "" if signing.copies_by is not None else "again_message")
            if signing.reference:
                body = {"signing": signing_id, "state": str(done.state)}
                records.add_errand("pades_signing.tell", body, meeting=about)

        data = {"signing": signing_id, "state": str(State.PRESERVED), "stamps_count": len(files)}
        public = {"signing": signing_id, "state": str(State.PRESERVED)} if signing.meeting else None
        act = PluginAct(f"pades_signing.{kind}", data, meeting=signing.meeting or None, actor="system", public=public)
        try:
            self._core.perform(act, effect=effect, before=keep)
        except ConflictError:
            log.info("preserved by another process", extra={"signing": signing_id})

    def _archive(self, errand: ErrandView) -> None:
        """Give the finished files to the document room, where they are found by whoever may see them, also anew."""
        signing_id = str(errand.body["signing"])
        record = self._core.records().get("signing", signing_id)
        signing = Signing.from_body(record.body)
        if not signing.meeting:
            return
        try:
            room: DocumentsService = self._core.service("documents")
        except NotFoundError:
            return  # this bank has no document room; the objects here are the archive
        archived = dict(signing.archived)
        try:
            for each in signing.documents:
                newest = self._core.objects.get(signing.sealed[each.id][-1])
                if each.id in archived:
                    room.extend(archived[each.id], newest, by="system")
                    continue
                archived[each.id] = room.add(
                    signing.meeting,
                    file_name(each),
                    newest,
                    by="system",
                    origin="signed",
                    visible_to=["adviser", *(signing.party(key).participant for key in each.parties)],
                )
        except InvalidInputError as error:
            raise DeliveryFailedError("the document room does not take the sealed file", retry=False) from error
        if archived == dict(signing.archived):
            return
        body = {**record.body, "archived": archived}
        self._core.keep(
            lambda records: records.put(
                "signing", signing_id, body, meeting=signing.meeting or None, expected=record.version
            )
        )

    def _tell(self, errand: ErrandView) -> None:
        """Tell the plugin that asked for the signing what has become of it."""
        signing = self._signings.read(str(errand.body["signing"])).signing
        owner = signing.reference.partition(":")[0]
        try:
            listener = self._core.service(f"signing_listener.{owner}")
        except NotFoundError:
            return
        listener.signing_changed(signing.reference, str(errand.body["state"]))
