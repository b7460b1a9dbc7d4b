"""The acts of a signing: each is decided by `rules`, recorded, done and announced, in this order."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sidecar.plugin_api import (
    ClientView,
    ConflictError,
    Core,
    DocumentsService,
    InvalidInputError,
    NotFoundError,
    PlaceView,
    PluginAct,
    Records,
    SignCompletion,
    SigningMethod,
    SigningRequest,
    SignQuestion,
    SignStep,
    new_id,
    to_text,
)
from tillit_pades_signing import rules
from tillit_pades_signing.binding import digest, hidden_data, visible_text
from tillit_pades_signing.model import METHODS, Attempt, Party, Signature, Signing, State
from tillit_pades_signing.opening import Wanted, read_wanted

log = logging.getLogger(__name__)

SIGNINGS, TRIES, PROOFS = "signing", "try", "proof"
_RETRIES = 8  # another party's change came in between: read again, decide again
_GRACE = timedelta(seconds=5)  # the worker leaves a fresh one to the request that is sealing it
T = TypeVar("T")
Sealer = Callable[[str], None]


@dataclass(frozen=True)
class Stored:
    """A signing as read. version: to be given back when it is written."""

    signing: Signing
    version: int


class _TryReplacedError(NotFoundError):
    """This try is not the one that counts any more."""


class Signings:
    """Every change of a signing goes through here. seal: makes the sealed files of one that is signed."""

    def __init__(self, *, core: Core, clock: Callable[[], datetime], largest_document: int, seal: Sealer) -> None:
        self._core, self._clock = core, clock
        self._largest = largest_document
        self._seal = seal

    # Reading

    def read(self, signing: str) -> Stored:
        """Raises NotFoundError."""
        record = self._core.records().get(SIGNINGS, signing)
        return Stored(Signing.from_body(record.body), record.version)

    def of_meeting(self, meeting: str) -> list[Signing]:
        found = self._core.records().find(SIGNINGS, meeting=meeting)
        return [Signing.from_body(record.body) for record in found]

    def methods(self, signing: Signing, party: Party) -> list[SigningMethod]:
        """Return the ways this party may sign now, the strongest first: the form's that the policy leaves."""
        return self._methods(party, self._place(party))

    def _methods(self, party: Party, place: PlaceView | None) -> list[SigningMethod]:
        offered = self._core.signing_methods(place)
        return sorted(
            (each for each in offered if each.kind in party.methods),
            key=lambda each: (METHODS.index(each.kind), int(each.loa)),
            reverse=True,
        )

    def missing(self, signing: Signing, party: Party) -> dict[str, tuple[str, ...]]:
        """Return what a party must still see: document id -> ids of clauses; () for pages not seen at all."""
        missing: dict[str, tuple[str, ...]] = {}
        for document in signing.documents_of(party.key):
            if document.source and party.participant:
                seen = self._documents().seen(document.source, party.participant)
                if not seen.complete:
                    missing[document.id] = tuple(seen.missing)
        return missing

    # Acts

    def open(self, wanted: Wanted) -> Signing:
        """Freeze the documents and open the signing. Raises InvalidInputError, NotFoundError."""
        now = self._clock()
        signing, content = read_wanted(wanted, core=self._core, now=now, largest=self._largest)
        kept: dict[str, str] = {}

        def keep() -> None:
            for document, data in content.items():
                kept[document] = self._core.objects.put(wanted.meeting, "original", data)

        def effect(records: Records) -> Signing:
            documents = tuple(replace(each, original=kept[each.id]) for each in signing.documents)
            opened = self._remember(replace(signing, documents=documents), [act])
            records.put(SIGNINGS, signing.id, opened.to_body(), meeting=wanted.meeting, expected=0)
            self._errand(records, "expire", opened, due_at=signing.deadline)
            return opened

        act = self._act("opened", signing, actor=wanted.by, more=_documents_data(signing))
        return self._core.perform(act, effect=effect, before=keep)

    def start(
        self, signing: Signing, key: str, method_name: str, client: ClientView, *, same_device: bool, return_path: str
    ) -> SignStep:
        """A party begins to sign. An older try of theirs is stopped first."""
        now = self._clock()
        party = self._party(signing, key)
        place = self._place(party)
        method = self._method(party, place, method_name)
        attempt = Attempt(
            id=new_id("try"),
            method=method.name,
            kind=method.kind,
            started_at=now,
            visible=visible_text(signing, party, t=self._words(party), bank=self._core.brand(signing.brand).name),
            hidden="",
            device=client.device,
            same_device=same_device,
            return_path=return_path,
        )
        attempt = replace(attempt, hidden=hidden_data(signing, party, attempt=attempt.id))
        rules.begin(signing, key, attempt, now)
        self._require(signing, party, method, "begun")
        request = self._request(signing, party, place, attempt, client)
        self._stop(signing, party, client)
        steps: list[SignStep] = []

        def start() -> None:
            if not steps:  # once, however often what is stored has changed in between
                steps.append(method.start(request))

        def change(current: Signing) -> Signing:
            # Two pages of one person: the one that came first goes on, and this one does not take its place.
            rules.require(current.party(key).attempt in (None, party.attempt), "attempt_over")
            if steps and steps[0].status != "pending":
                return current
            return rules.begin(current, key, attempt, now)

        def also(records: Records, begun: Signing) -> None:
            if steps[0].status == "pending":
                self._keep(records, begun, party, attempt, steps[0].state)

        try:
            self._change(signing.id, "begun", change, key, more={"method": method.name}, before=start, also=also)
        except Exception:  # raised again: whatever it was, nobody can answer what was asked and not kept
            if steps and steps[0].status == "pending":
                method.cancel(request, steps[0].state)
            raise
        if steps[0].status == "failed":
            self._fail(signing.id, key, attempt, steps[0])
        return _public(steps[0])

    def poll(self, signing: Signing, key: str, client: ClientView) -> SignStep:
        """Say where a party's try stands. Called about once a second by the waiting page."""
        return self._continue(signing, key, client, lambda method, request, state: method.poll(request, state))

    def submit(self, signing: Signing, key: str, client: ClientView, answer: Mapping[str, str]) -> SignStep:
        """Take what the person typed, drew, or what the app brought back."""
        return self._continue(
            signing, key, client, lambda method, request, state: method.submit(request, state, answer)
        )

    def stop(self, signing: Signing, key: str, client: ClientView) -> None:
        """A party wants to read again, or chose another way. Nothing is signed, the document is kept."""
        party = self._party(signing, key)
        if party.attempt is None:
            return
        self._stop(signing, party, client)
        attempt = party.attempt.id
        self._change(signing.id, None, lambda current: rules.give_up(current, key, attempt))

    def decline(self, signing: Signing, key: str, client: ClientView) -> Signing:
        """A party does not want to sign."""
        self._stop(signing, self._party(signing, key), client)
        return self._change(signing.id, "declined", lambda current: rules.decline(current, key, self._clock()), key)

    def withdraw(self, signing_id: str, *, actor: str) -> Signing:
        """The bank takes a signing back."""
        return self._change(
            signing_id, "withdrawn", lambda signing: rules.withdraw(signing, self._clock()), actor=actor
        )

    def expire(self, signing_id: str) -> Signing:
        """Close a signing whose deadline has passed. Any other stays as it is."""
        now = self._clock()
        signing = self.read(signing_id).signing
        if rules.expire(signing, now) == signing:
            return signing
        return self._change(signing_id, "expired", lambda each: rules.expire(each, now))

    # One try

    def _continue(
        self,
        signing: Signing,
        key: str,
        client: ClientView,
        ask: Callable[[SigningMethod, SigningRequest, Mapping[str, Any]], SignStep],
    ) -> SignStep:
        now = self._clock()
        party = self._party(signing, key)
        attempt = party.attempt
        rule = rules.may_sign_now(signing, party, now)
        if rule is not None:
            return SignStep("failed", f"pades_signing.refused.{rule}")
        if attempt is None or attempt.device != client.device or now - attempt.started_at > rules.ATTEMPT_TTL:
            # Another browser than the one that began may not finish, nor learn what its page shows.
            return SignStep("failed", "pades_signing.failed.start_again")
        place = self._place(party)
        method = self._method(party, place, attempt.method)
        request = self._request(signing, party, place, attempt, client)
        try:
            kept = self._kept(self._core.records(), signing, party, attempt)
            step = ask(method, request, kept)
            if step.status == "complete" and step.completion is not None:
                self._complete(signing.id, key, attempt, request, method, step.completion)
            elif step.status == "pending":
                self._go_on(signing, party, attempt, kept, step.state)
            else:
                self._kept(self._core.records(), signing, party, attempt)
                self._fail(signing.id, key, attempt, step)
        except _TryReplacedError:
            current = self.read(signing.id).signing
            if self._party(current, key).attempt == attempt:
                raise
            return self.poll(current, key, client)  # what was answered here is not of the newer try
        if step.status == "complete" and signing.act == "approve":
            return SignStep("complete", "pades_signing.done.approve", view=step.view)  # a method knows only of signing
        return _public(step)

    def _complete(
        self,
        signing_id: str,
        key: str,
        attempt: Attempt,
        request: SigningRequest,
        method: SigningMethod,
        completion: SignCompletion,
    ) -> None:
        """Hold a completion against what was asked, keep its proof, and take the signature: once."""
        stored = self.read(signing_id)
        signing, party = stored.signing, self._party(stored.signing, key)
        claimed = rules.Claimed(
            method=completion.method,
            kind=method.kind,
            loa=completion.loa,
            subject=completion.subject,
            at=completion.at,
            visible_digest=completion.signed_text_sha256,
            hidden_digest=completion.hidden_sha256,
        )
        rules.check_claim(
            attempt,
            claimed,
            asked_visible=digest(attempt.visible),
            # Written anew from what is to be signed: a changed document has another digest.
            asked_hidden=digest(hidden_data(signing, party, attempt=attempt.id)),
            subjects=(request.subject,) if request.subject is not None else (),
        )
        self._require(signing, party, method, "signed")
        seen = self._seen(signing, party)
        evidence = {part.name: part.data for part in completion.evidence}
        signature = Signature(
            method=completion.method,
            kind=method.kind,
            provider=completion.provider,
            loa=int(completion.loa),
            name=completion.name or party.name,
            at=completion.at,
            visible=attempt.visible,
            hidden=attempt.hidden,
            proof=_proof(evidence),
            digests={name: hashlib.sha256(data).hexdigest() for name, data in evidence.items()},
            seen=seen,
        )
        objects: dict[str, str] = {}

        def keep() -> None:
            for name, data in evidence.items() if not objects else ():
                objects[name] = self._core.objects.put(_meeting(signing), "evidence", data)

        def change(current: Signing) -> Signing:
            return rules.sign(current, key, attempt.id, replace(signature, evidence=objects), self._clock())

        def also(records: Records, signed: Signing) -> None:
            # A proof is worth one signature, whatever was said of it: a second one meets this record.
            records.put(PROOFS, signature.proof, {"signing": signing.id}, meeting=_meeting(signing), expected=0)
            records.drop(TRIES, _try(signing, party))
            if signed.state is State.SIGNED:
                self._errand(records, "seal", signed, due_at=self._clock() + _GRACE)

        signed = self._change(
            signing_id,
            "signed",
            change,
            key,
            more={"method": signature.method, "loa": signature.loa, "proof_sha256": signature.proof},
            before=keep,
            also=also,
        )
        if signed.state is State.SIGNED:
            self._seal(signing_id)

    def _stop(self, signing: Signing, party: Party, client: ClientView) -> None:
        """End a party's open try at the remote side, so that nobody answers a question no page waits for."""
        attempt = party.attempt
        if attempt is None:
            return
        try:
            place = self._place(party)
            method = self._method(party, place, attempt.method)
            kept = self._kept(self._core.records(), signing, party, attempt)
            method.cancel(self._request(signing, party, place, attempt, client), kept)
        except (NotFoundError, rules.SigningRefusedError):
            log.info("signing try not stopped", extra={"signing": signing.id})

    def _kept(self, records: Records, signing: Signing, party: Party, attempt: Attempt) -> Mapping[str, Any]:
        """Return the state of a party's try. Raises _TryReplacedError."""
        try:
            record = records.get(TRIES, _try(signing, party))
        except NotFoundError:
            raise _TryReplacedError("this try is over") from None
        if record.body["attempt"] != attempt.id:
            raise _TryReplacedError("this try was replaced")
        state: Mapping[str, Any] = record.body["state"]
        return state

    def _go_on(
        self, signing: Signing, party: Party, attempt: Attempt, asked: Mapping[str, Any], state: Mapping[str, Any]
    ) -> None:
        """Keep what a step changed of the state it was asked with, beside what another request changed meanwhile.

        An eID gives its answer once, to whichever of them asked. Raises _TryReplacedError.
        """
        changed = {name: value for name, value in state.items() if name not in asked or asked[name] != value}
        if not changed:
            return

        def effect(records: Records) -> None:  # the only writer: what it reads is what it replaces
            kept = self._kept(records, signing, party, attempt)
            self._keep(records, signing, party, attempt, {**kept, **changed})

        self._core.keep(effect)

    def _keep(
        self, records: Records, signing: Signing, party: Party, attempt: Attempt, step: Mapping[str, Any]
    ) -> None:
        """Keep a method's state. A code to send is taken out first, and queued in the same transaction."""
        state = dict(step)
        code = state.pop("send", None)
        records.put(TRIES, _try(signing, party), {"attempt": attempt.id, "state": state}, meeting=_meeting(signing))
        if code is not None:
            first = signing.documents_of(party.key)[0]
            records.add_message(
                self._place(party) or party.person,
                "pades_signing.code_message",
                {"pin": str(code), "document": signing.title, "control": first.code},
                channel="sms",
                brand=signing.brand,
                meeting=_meeting(signing),
            )

    # Inside

    def _change(
        self,
        signing_id: str,
        kind: str | None,
        change: Callable[[Signing], Signing],
        key: str = "",
        *,
        actor: str | None = None,
        more: Mapping[str, Any] | None = None,
        before: Callable[[], object] | None = None,
        also: Callable[[Records, Signing], None] | None = None,
    ) -> Signing:
        """Decide on what is stored now, record, store; anew where another party came in between."""
        for last in (*[False] * (_RETRIES - 1), True):
            stored = self.read(signing_id)
            changed = change(stored.signing)
            if kind is None and changed == stored.signing:
                return changed
            acts: list[PluginAct] = []
            if kind is not None:
                party = stored.signing.party(key) if key else None
                acts.append(self._act(kind, changed, party, actor=actor, more=more))
            if changed.state is State.SIGNED and stored.signing.state is State.OPEN:
                acts.append(self._act("completed", changed))

            def effect(records: Records, stored: Stored = stored, acts: list[PluginAct] = acts) -> Signing:
                # Anew: by now `before` has stored what it points to.
                final = self._remember(change(stored.signing), acts)
                records.put(SIGNINGS, signing_id, final.to_body(), meeting=_meeting(final), expected=stored.version)
                if also is not None:
                    also(records, final)
                if final.state is not stored.signing.state:
                    self._tell(records, final)
                return final

            try:
                if not acts:
                    return self._core.keep(effect)
                return self._core.perform(*acts, effect=effect, before=before)
            except ConflictError:
                if last or self.read(signing_id).version == stored.version:
                    raise
        raise ConflictError("this signing is being changed by too many at once")

    def _tell(self, records: Records, signing: Signing) -> None:
        if signing.reference:
            self._errand(records, "tell", signing, state=str(signing.state))

    @staticmethod
    def _errand(records: Records, kind: str, signing: Signing, *, due_at: datetime | None = None, **more: str) -> None:
        body = {"signing": signing.id, **more}
        records.add_errand(f"pades_signing.{kind}", body, due_at=due_at, meeting=_meeting(signing))

    def _fail(self, signing_id: str, key: str, attempt: Attempt, step: SignStep) -> None:
        more = {"method": attempt.method, "reason": step.message.rpartition(".")[2]}
        self._change(signing_id, "failed", lambda each: rules.give_up(each, key, attempt.id), key, more=more)

    def _remember(self, signing: Signing, acts: Sequence[PluginAct]) -> Signing:
        """Keep the acts of a signing outside a meeting with it: in the log nothing would lead to them."""
        for act in acts if not signing.meeting else ():
            told = {"kind": act.kind, "actor": act.actor or "system", "at": to_text(self._clock()), "data": act.data}
            signing = signing.with_event(told)
        return signing

    def _act(
        self,
        kind: str,
        signing: Signing,
        party: Party | None = None,
        *,
        actor: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> PluginAct:
        place = self._place(party) if party is not None else None
        public = {"signing": signing.id, "state": str(signing.state)}
        if signing.act == "approve" and signing.amount is not None:
            more = {**(more or {}), "amount_minor": signing.amount.minor, "currency": signing.amount.currency}
        return PluginAct(
            kind=f"pades_signing.{kind}",
            data={"signing": signing.id, "state": str(signing.state), **(more or {})},
            place=place,
            meeting=None if place is not None else _meeting(signing),
            actor=actor or (party.person if party is not None and place is None else None),
            public=public if signing.meeting else None,
        )

    def _require(self, signing: Signing, party: Party, method: SigningMethod, kind: str) -> None:
        """Ask the policy and every plugin, and hold back who has not seen all that must be seen."""
        place = self._place(party)
        if place is None:
            return
        self._core.require_sign(
            SignQuestion(
                meeting=signing.meeting,
                participant=party.participant,
                capacity=place.capacity,
                band=place.band,
                meeting_type=place.meeting_type,
                method=method.name,
                kind=method.kind,
                documents=tuple((each.source, each.sha256) for each in signing.documents_of(party.key) if each.source),
                permission="approve_transaction" if signing.act == "approve" else "sign",
            ),
            f"pades_signing.{kind}",
        )
        rules.require(not self.missing(signing, party), "not_read")

    def _seen(self, signing: Signing, party: Party) -> dict[str, dict[str, Any]]:
        seen: dict[str, dict[str, Any]] = {}
        for document in signing.documents_of(party.key):
            if document.source and party.participant:
                found = self._documents().seen(document.source, party.participant)
                seen[document.id] = {
                    "pages": len(found.pages),
                    "acknowledged": len(found.acknowledged),
                    "seconds": round(sum(found.seconds.values())),
                }
        return seen

    def _documents(self) -> DocumentsService:
        service: DocumentsService = self._core.service("documents")
        return service

    def _place(self, party: Party) -> PlaceView | None:
        return self._core.place(party.participant) if party.participant else None

    @staticmethod
    def _party(signing: Signing, key: str) -> Party:
        try:
            return signing.party(key)
        except KeyError:
            raise NotFoundError("nobody of that key signs here") from None

    def _method(self, party: Party, place: PlaceView | None, name: str) -> SigningMethod:
        for each in self._methods(party, place):
            if each.name == name:
                return each
        if not name:
            raise InvalidInputError("A way to sign must be named.", field="method")
        raise rules.SigningRefusedError("method_not_allowed")

    def _words(self, party: Party) -> Callable[..., str]:
        return lambda key, **params: self._core.t(party.language, key, **params)

    def _request(
        self, signing: Signing, party: Party, place: PlaceView | None, attempt: Attempt, client: ClientView
    ) -> SigningRequest:
        return self._core.signing_request(
            place or party.person,
            client,
            visible_text=attempt.visible,
            hidden_data=attempt.hidden.encode(),
            same_device=attempt.same_device,
            return_path=attempt.return_path,
            language=party.language,
            brand=signing.brand,
        )


def _meeting(signing: Signing) -> str | None:
    return signing.meeting or None


def _try(signing: Signing, party: Party) -> str:
    return f"{signing.id}.{party.key}"


def _proof(evidence: Mapping[str, bytes]) -> str:
    """Return a digest of what proves a signature: the same proof has the same, whatever it is said to be for."""
    proof = hashlib.sha256()
    for name in sorted(evidence):
        if not name.endswith("-collect.json"):  # a record of our own, which another request would write differently
            proof.update(hashlib.sha256(evidence[name]).digest())
    return proof.hexdigest()


def _documents_data(signing: Signing) -> dict[str, Any]:
    digests = [each.sha256 for each in signing.documents]
    return {"act": signing.act, "documents_sha256": digests, "parties_count": len(signing.parties)}


def _public(step: SignStep) -> SignStep:
    """Return the step without what stays on the server."""
    return SignStep(step.status, step.message, step.params, step.view)
