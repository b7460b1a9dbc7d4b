"""Deliveries as kept, and what happens to them: queued when a form is signed, tried, taken, given up, sent again."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sidecar.plugin_api import (
    ConflictError,
    Core,
    DeliveryFailedError,
    ErrandView,
    NotFoundError,
    PluginAct,
    PluginRefusedError,
    Record,
    Records,
    from_text,
    to_text,
)
from tillit_forms.delivery.extracting import Extract, as_csv, as_json, extract
from tillit_forms.delivery.sending import Answer, headers, post
from tillit_forms.delivery.timing import pause
from tillit_forms.forms import Forms
from tillit_forms.kept import Form, State
from tillit_forms.settings import Receiver
from tillit_forms.signing import SigningService

DELIVERIES = "deliveries"  # the collection
DELIVER, FORGET = "forms.deliver", "forms.forget"  # kinds of errand
ENDINGS = {
    "declined": State.DECLINED,
    "expired": State.EXPIRED,
    "withdrawn": State.WITHDRAWN,
}


@dataclass(frozen=True)
class Delivery:
    """One receiver's share of one signed form. state: "waiting", "delivered" or "dead". problem: never content.

    attempts: so far. due_at, done_at: RFC 3339. extract: what it says; empty once its keep_days are over.
    """

    id: str
    form: str
    template: str
    meeting: str | None
    region: str
    signed_at: str
    extract: Mapping[str, Any]
    state: str = "waiting"
    attempts: int = 0
    problem: str = ""
    due_at: str = ""
    done_at: str = ""
    version: int = 0

    def to_body(self) -> dict[str, Any]:
        body = asdict(self)
        for key in ("id", "version"):
            del body[key]
        return body

    @property
    def to(self) -> str:
        return str(self.extract["to"])


class Deliveries:
    """What leaves for other systems, at least once, in sight."""

    def __init__(
        self,
        *,
        core: Core,
        forms: Forms,
        receivers: Mapping[str, Receiver],
        clock: Callable[[], datetime],
        attempts: int,
        signing: Callable[[], SigningService],
    ) -> None:
        self._core, self._forms, self._receivers = core, forms, receivers
        self._clock, self._most, self._signing = clock, attempts, signing

    def get(self, delivery: str) -> Delivery:
        """Raises NotFoundError."""
        return _read(self._core.records().get(DELIVERIES, delivery))

    def all(self, *, meeting: str | None = None) -> list[Delivery]:
        """Return deliveries, those that need a person first, then the newest."""
        found = [_read(each) for each in self._core.records().find(DELIVERIES, meeting=meeting, limit=2000)]
        rank = {"dead": 0, "waiting": 1, "delivered": 2}
        return sorted(found, key=lambda each: (rank[each.state], -_order(each.signed_at)))

    def of_form(self, form: Form) -> list[Delivery]:
        """Return a form's deliveries. Their ids follow from the form's, so nobody else's are read."""
        found = []
        for each in self._forms.template(form).deliveries:
            try:
                found.append(self.get(delivery_id(form.id, each.name)))
            except NotFoundError:
                continue
        return found

    # Called by the signing, as often as it likes

    def signing_changed(self, reference: str, state: str) -> None:
        """Take note that a signing came to its end. Late, twice and out of order are all the same to us."""
        try:
            form = self._forms.get(reference.partition(":")[2])
        except NotFoundError:
            return  # the form is gone with its meeting
        if form.state is State.SIGNED and state == "preserved":
            self._release(form)
        if form.state is not State.SIGNING:
            return
        if state in ("sealed", "preserved"):
            self._signed(form)
        elif state in ENDINGS:
            act = PluginAct(
                "forms.ended", {"form": form.id, "state": state}, meeting=form.meeting, public={"form": form.id}
            )
            self._forms.save(replace(form, state=ENDINGS[state]), act)

    def _signed(self, form: Form) -> None:
        """Keep that it is signed and queue what follows, in one transaction."""
        template, standing = self._forms.template(form), self._forms.standing(form)
        now = self._clock()
        region = self._core.meeting(form.meeting).region if form.meeting else ""
        # The papers are about to get a time-stamp: what carries them waits for it, and no longer than their copies do.
        papers_at = self._signing().view(form.signing).get("copies_by") or to_text(now)
        queued = [
            Delivery(
                id=delivery_id(form.id, each.name),
                form=form.id,
                template=form.template,
                meeting=form.meeting,
                region=region,
                signed_at=to_text(now),
                extract=extract(template, standing, each).as_body(),
                due_at=papers_at if each.agreements else to_text(now),
            )
            for each in standing.deliveries
        ]
        data = {"form": form.id, "deliveries": len(queued), "receivers": sorted({each.to for each in queued})}
        act = PluginAct("forms.signed", data, meeting=form.meeting, public={"form": form.id})

        def queue(records: Records, _form: Form) -> None:
            for each in queued:
                records.put(DELIVERIES, each.id, each.to_body(), meeting=each.meeting, expected=0)
                body, due = {"delivery": each.id, "attempt": 1}, from_text(each.due_at)
                records.add_errand(DELIVER, body, due_at=due, meeting=each.meeting)

        self._forms.save(replace(form, state=State.SIGNED), act, also=queue)

    def _release(self, form: Form) -> None:
        """The papers have their time-stamp: what waited for it leaves now. The errand of later then finds it done."""
        now = self._clock()
        held = [each for each in self.of_form(form) if not each.attempts and from_text(each.due_at) > now]

        def send(records: Records) -> None:
            for each in held:
                body = replace(each, due_at=to_text(now)).to_body()
                records.put(DELIVERIES, each.id, body, meeting=each.meeting, expected=each.version)
                records.add_errand(DELIVER, {"delivery": each.id, "attempt": 1}, meeting=each.meeting)

        self._core.keep(send)

    # The worker's errands

    def deliver(self, errand: ErrandView) -> None:
        """Make one attempt. Raises DeliveryFailedError when it is given up, so that the desk shows it."""
        try:
            delivery = self.get(errand.body["delivery"])
        except NotFoundError:
            return
        if delivery.state == "delivered":
            return
        if delivery.state == "waiting" and delivery.attempts >= errand.body["attempt"]:
            return  # another errand has this turn; a dead one was started anew by a person
        answer, digest = self._attempt(delivery)
        self._note(delivery, answer, digest)

    def forget(self, errand: ErrandView) -> None:
        """Drop what a delivered delivery said, or a form from outside meetings, once its time is over."""
        if "form" in errand.body:
            self._forget_form(errand.body["form"])
            return
        try:
            delivery = self.get(errand.body["delivery"])
        except NotFoundError:
            return
        if delivery.state != "delivered" or not delivery.extract.get("fields"):
            return
        empty = {**delivery.extract, "fields": {}}
        act = PluginAct("forms.forgotten", {"delivery": delivery.id}, meeting=delivery.meeting)
        self._save(replace(delivery, extract=empty), act)

    # The desk

    def again(self, delivery: str, *, by: str) -> Delivery:
        """Put a dead delivery back in line. Raises PluginRefusedError for one that is not."""
        found = self.get(delivery)
        if found.state != "dead":
            raise PluginRefusedError("This delivery is not dead.", sentence="forms.desk.not_dead")
        act = PluginAct("forms.sent_again", {"delivery": found.id}, meeting=found.meeting, actor=by)
        fresh = replace(found, state="waiting", attempts=0, problem="", due_at=to_text(self._clock()))

        def queue(records: Records) -> None:
            records.add_errand(DELIVER, {"delivery": found.id, "attempt": 1}, meeting=found.meeting)

        return self._save(fresh, act, also=queue)

    def _attempt(self, delivery: Delivery) -> tuple[Answer, str]:
        receiver = self._receivers.get(delivery.to)
        if receiver is None:
            return Answer("refused", "no such receiver"), ""
        if delivery.region and receiver.regions and delivery.region not in receiver.regions:
            return Answer("refused", "region not allowed"), ""
        now = self._clock()
        media_type, body = self._body(delivery)
        sent = headers(receiver, id=delivery.id, media_type=media_type, body=body, now=now)
        return post(receiver, body=body, headers=sent, now=now), hashlib.sha256(body).hexdigest()

    def _body(self, delivery: Delivery) -> tuple[str, bytes]:
        found = Extract.from_body(delivery.extract)
        if found.format == "csv":
            return as_csv(found)
        form = self._forms.get(delivery.form)
        stamped = self._signing().view(form.signing)["state"] == "preserved"
        papers = []
        for paper in form.papers:
            if paper.key in found.agreements:
                sealed = self._signing().sealed(form.signing, paper.key)
                papers.append((paper.file, hashlib.sha256(sealed).hexdigest(), sealed))
        facts = {
            "kind": "agreement.signed",
            "form": form.id,
            "template": form.template,
            "template_sha256": form.digest,
            "reference": form.reference,
            "signed_at": delivery.signed_at,
            "time_stamped": stamped,
        }
        return as_json(found, id=delivery.id, facts=facts, papers=papers)

    def _note(self, delivery: Delivery, answer: Answer, digest: str) -> None:
        attempt, now = delivery.attempts + 1, self._clock()
        data: dict[str, Any] = {"delivery": delivery.id, "receiver": delivery.to, "attempt": attempt}
        if answer.kind == "taken":
            done = replace(delivery, state="delivered", attempts=attempt, problem="", done_at=to_text(now))
            act = PluginAct("forms.delivered", {**data, "sent_sha256": digest}, meeting=delivery.meeting)
            keep = timedelta(days=delivery.extract["keep_days"])

            def forget(records: Records) -> None:
                records.add_errand(FORGET, {"delivery": delivery.id}, due_at=now + keep, meeting=delivery.meeting)

            self._save(done, act, also=forget)
            return
        dead = answer.kind == "refused" or attempt >= self._most
        act = PluginAct(
            "forms.delivery_dead" if dead else "forms.delivery_failed",
            {**data, "reason": answer.problem},
            meeting=delivery.meeting,
        )
        due = now + pause(attempt, id=delivery.id, asked=answer.wait)
        failed = replace(
            delivery,
            state="dead" if dead else "waiting",
            attempts=attempt,
            problem=answer.problem,
            due_at="" if dead else to_text(due),
        )

        def again(records: Records) -> None:
            if not dead:
                body = {"delivery": delivery.id, "attempt": attempt + 1}
                records.add_errand(DELIVER, body, due_at=due, meeting=delivery.meeting)

        self._save(failed, act, also=again)
        if dead:
            raise DeliveryFailedError(f"Given up: {answer.problem}.", retry=False)

    def _save(
        self, delivery: Delivery, act: PluginAct, also: Callable[[Records], None] = lambda _records: None
    ) -> Delivery:
        def keep(records: Records) -> Delivery:
            version = records.put(
                DELIVERIES, delivery.id, delivery.to_body(), meeting=delivery.meeting, expected=delivery.version
            )
            also(records)
            return replace(delivery, version=version)

        return self._core.perform(act, effect=keep)

    def _forget_form(self, form: str) -> None:
        try:
            found = self._forms.get(form)
        except NotFoundError:
            return
        mine = self.of_form(found)
        if any(each.state != "delivered" for each in mine):
            raise ConflictError("A delivery of this form is still on its way.")
        for paper in found.papers:
            self._core.objects.drop(paper.object)
        act = PluginAct("forms.forgotten", {"form": form})

        def drop(records: Records) -> None:
            records.drop("forms", form)
            for each in mine:
                records.drop(DELIVERIES, each.id)

        self._core.perform(act, effect=drop)


def delivery_id(form: str, name: str) -> str:
    return f"{form}.{name}"


def _read(record: Record) -> Delivery:
    return Delivery(id=record.id, version=record.version, **record.body)


def _order(at: str) -> float:
    return datetime.fromisoformat(at).timestamp() if at else 0.0
