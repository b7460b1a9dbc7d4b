"""What happens to a form: begun, filled in, made into papers, opened again, withdrawn. Each an act with its record."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sidecar.plugin_api import (
    ClauseView,
    ConflictError,
    Core,
    NotFoundError,
    PlaceView,
    PluginAct,
    PluginRefusedError,
    Record,
    Records,
    new_id,
    to_text,
)
from tillit_forms.agreement import Paper, compose, pieces
from tillit_forms.fields import FieldError, read_value
from tillit_forms.filling import ChosenAgreement, Standing, stand
from tillit_forms.kept import Answer, Form, KeptPaper, State
from tillit_forms.library import Library
from tillit_forms.pdf import Fonts, UnprintableError, draw
from tillit_forms.template import Template

FORMS = "forms"  # the collection
_TRIES = 5  # of a change that meets another; people type slower than that


@dataclass(frozen=True)
class Changed:
    """A change that was kept. before: the answer it replaced. over: that answer was news to whoever changed it."""

    form: Form
    before: Answer | None
    over: bool


class Forms:
    """The forms of this installation."""

    def __init__(
        self,
        *,
        core: Core,
        library: Library,
        fonts: Fonts,
        clock: Callable[[], datetime],
        digest_key: bytes,
    ) -> None:
        self._core, self._library, self._fonts = core, library, fonts
        self._clock, self._digest_key = clock, digest_key

    # Reading

    def get(self, form: str) -> Form:
        """Raises NotFoundError."""
        return read_form(self._core.records().get(FORMS, form))

    def of_meeting(self, meeting: str) -> list[Form]:
        return [read_form(each) for each in self._core.records().find(FORMS, meeting=meeting)]

    def template(self, form: Form) -> Template:
        return self._library.get(form.template)

    def today(self, brand: str) -> date:
        """Return the day it is where the bank is."""
        return self._clock().astimezone(ZoneInfo(self._core.brand(brand).time_zone)).date()

    def standing(self, form: Form) -> Standing:
        """Return where a form stands: an open one as of today, a finished one as of the day of its papers."""
        today = date.fromisoformat(form.papers_on) if form.papers_on else self.today(form.brand)
        return stand(self.template(form), form.values, today=today)

    def words(self, language: str) -> dict[str, str]:
        return {each: self._core.t(language, f"forms.{each}") for each in ("yes", "no")}

    def paper(
        self, form: Form, standing: Standing, chosen: ChosenAgreement, *, hidden: frozenset[str], draft: bool
    ) -> Paper:
        """Return a paper in the form's language, for a reader who sees these fields masked."""
        template = self.template(form)
        language = template.language(form.language)
        return compose(
            template,
            standing,
            chosen,
            language=language,
            brand=self._core.brand(form.brand).name,
            reference=f"{template.ref} · {form.id}",
            words=self.words(language),
            draft=draft,
            hidden=hidden,
        )

    # Acts

    def begin(
        self,
        template: Template,
        *,
        brand: str,
        language: str,
        origin: str,
        by: str,
        place: PlaceView | None = None,
        answers: Mapping[str, str] | None = None,
        key: str = "",
        person: str = "",
        reference: str = "",
        also: Callable[[Records, Form], None] | None = None,
    ) -> Form:
        """Begin a form with these first answers, which were checked. also: what belongs to the same transaction."""
        now = to_text(self._clock())
        form = Form(
            id=new_id("form").lower(),
            template=template.ref,
            digest=template.digest,
            brand=brand,
            language=language,
            origin=origin,
            by=by,
            created_at=now,
            meeting=place.meeting if place else None,
            answers={name: Answer(value, by, now, 1) for name, value in (answers or {}).items()},
            key=key,
            person=person,
            reference=reference,
        )
        data = {"form": form.id, "template": form.template, "template_sha256": form.digest, "origin": origin}
        act = PluginAct("forms.begun", data, place=place, actor=by, public={"form": form.id})

        def keep(records: Records) -> Form:
            stored = self._put(records, form, expected=0)
            if also is not None:
                also(records, stored)
            return stored

        return self._core.perform(act, effect=keep)

    def change(
        self, form: str, name: str, written: object, *, seen: int, place: PlaceView, undo: bool = False
    ) -> Changed:
        """Set one answer. The last writer wins; who was overwritten without being seen is told, and can undo.

        seen: the `n` the writer had before their eyes, 0 for none. Raises PluginRefusedError with its sentence.
        """
        for _ in range(_TRIES):
            kept = self.get(form)
            field = self._field(kept, name, place)
            value = self._read(kept, field.name, written, language=place.language)
            before = kept.answers.get(name)
            if before is not None and before.value == value:
                return Changed(kept, before, over=False)
            over = before is not None and before.n > seen and before.by != place.person
            answer = Answer(value, place.person, to_text(self._clock()), (before.n if before else 0) + 1)
            data = {
                "form": form,
                "field": name,
                "n": answer.n,
                "value_digest": self.digest(form, name, value),
                "empty": not value,
                "overwrote": over,
                "undo": undo,
            }
            public = {"form": form, "field": name, "n": answer.n, "by": place.participant}
            public |= {"over": self._participant(place.meeting, before.by) if over and before else ""}
            act = PluginAct("forms.field_changed", data, place=place, public=public)
            try:
                stored = self._core.perform(
                    act,
                    effect=lambda records: self._put(records, kept.with_answer(name, answer)),  # noqa: B023 - run at once
                )
            except ConflictError:
                continue
            return Changed(stored, before, over)
        raise ConflictError("Several people changed this form at the same moment.")

    def make_papers(self, form: Form, *, place: PlaceView | None, by: str) -> Form:
        """Make the papers of a complete form and hold it still. Raises PluginRefusedError while it has gaps."""
        if form.state is not State.OPEN:
            raise PluginRefusedError("The form is not open.", sentence="forms.not_open")
        today = self.today(form.brand)
        standing = stand(self.template(form), form.values, today=today)
        if not standing.complete:
            raise PluginRefusedError("The form is not complete.", sentence="forms.incomplete")
        drawn = [self._draw(form, standing, chosen) for chosen in standing.agreements]
        made: list[KeptPaper] = []

        def store() -> None:
            made[:] = [self._store(form, paper, data, critical, by) for paper, data, critical in drawn]

        data = {
            "form": form.id,
            "template": form.template,
            "papers": [hashlib.sha256(pdf).hexdigest() for _, pdf, _ in drawn],
            "answers_digest": self.digest(form.id, "", json.dumps(standing.values, sort_keys=True)),
        }
        act = PluginAct("forms.papers_made", data, place=place, actor=by, public={"form": form.id})
        ready = replace(form, state=State.READY, papers_on=today.isoformat(), old_documents=())
        done = self._core.perform(
            act, before=store, effect=lambda records: self._put(records, replace(ready, papers=tuple(made)))
        )
        if place is not None:
            self._withdraw_old(form, {each.document for each in made}, place)
        return done

    def reopen(self, form: Form, *, place: PlaceView) -> Form:
        """Let a form whose papers nobody has begun to sign be changed again."""
        if form.state is not State.READY:
            raise PluginRefusedError("The form cannot be opened again.", sentence="forms.not_ready")
        act = PluginAct("forms.reopened", {"form": form.id}, place=place, public={"form": form.id})
        documents = tuple({*form.old_documents, *(each.document for each in form.papers if each.document)})
        opened = replace(form, state=State.OPEN, papers=(), papers_on="", old_documents=documents)
        done = self._core.perform(act, effect=lambda records: self._put(records, opened))
        for paper in form.papers:
            self._core.objects.drop(paper.object)
        return done

    def withdraw(self, form: Form, *, place: PlaceView) -> Form:
        """Put a form away that nobody has signed."""
        if form.state not in (State.OPEN, State.READY):
            raise PluginRefusedError("The form is past that.", sentence="forms.not_open")
        act = PluginAct("forms.withdrawn", {"form": form.id}, place=place, public={"form": form.id})
        return self._core.perform(act, effect=lambda records: self._put(records, replace(form, state=State.WITHDRAWN)))

    def digest(self, form: str, field: str, value: str) -> str:
        """Return a keyed digest, hex: enough to show later that a value was this one, too little to guess it."""
        text = "\x1f".join((form, field, value)).encode("utf-8")
        return hmac.new(self._digest_key, text, hashlib.sha256).hexdigest()

    def check(self, template: Template, name: str, written: object, *, today: date) -> str:
        """Return the stored form of an answer. Raises FieldError, also for a sign that cannot be printed."""
        value = read_value(template.field(name), written, today=today)
        try:
            self._fonts.check(value)
        except UnprintableError as error:
            raise FieldError("signs", sign=error.sign) from None
        return value

    def save(self, form: Form, *acts: PluginAct, also: Callable[[Records, Form], None] | None = None) -> Form:
        """Keep a changed form under these acts."""

        def keep(records: Records) -> Form:
            stored = self._put(records, form)
            if also is not None:
                also(records, stored)
            return stored

        return self._core.perform(*acts, effect=keep)

    def _participant(self, meeting: str, person: str) -> str:
        return next((each.participant for each in self._core.places(meeting) if each.person == person), "")

    def _field(self, form: Form, name: str, place: PlaceView) -> Any:
        if form.meeting != place.meeting:
            raise NotFoundError("There is no such form here.")
        field = self.template(form).fields.get(name)
        if field is None or field.formula is not None:
            raise NotFoundError("There is no such question.")
        if form.state is not State.OPEN:
            raise PluginRefusedError("The form is not open.", sentence="forms.not_open")
        if place.capacity.value not in field.filled_by:
            raise PluginRefusedError("This question is for somebody else.", sentence="forms.not_yours")
        return field

    def _read(self, form: Form, name: str, written: object, *, language: str) -> str:
        try:
            return self.check(self.template(form), name, written, today=self.today(form.brand))
        except FieldError as error:
            raise PluginRefusedError(
                f"The answer is not of its form ({error.why}).", sentence=f"forms.wrong.{error.why}", **error.params
            ) from error

    def _withdraw_old(self, form: Form, now: set[str], place: PlaceView) -> None:
        """Take papers of before from the meeting's documents. A paper that came out the same is the same document."""
        stale = [each for each in form.old_documents if each not in now]
        withdraw = getattr(self._core.service("documents"), "withdraw", None) if stale else None
        if withdraw is not None:
            for document in stale:
                withdraw(document, place=place)

    def _draw(self, form: Form, standing: Standing, chosen: ChosenAgreement) -> tuple[Paper, bytes, Any]:
        paper = self.paper(form, standing, chosen, hidden=frozenset(), draft=False)
        pdf, critical = draw(paper, self._fonts)
        # A clause's title stands beside the paper, where nothing is covered.
        sensitive = frozenset(each.name for each in self.template(form).fields.values() if each.sensitive)
        bare = self.paper(form, standing, chosen, hidden=sensitive, draft=False)
        titles = {each.clause: each.text[:120] for each in reversed(bare.blocks) if each.clause}
        return paper, pdf, [replace(each, title=titles[each.clause]) for each in critical]

    def _store(self, form: Form, paper: Paper, pdf: bytes, critical: Any, by: str) -> KeptPaper:
        clauses = [ClauseView(each.clause, each.page, each.title, each.box) for each in critical]
        file = f"{paper.title}.pdf"
        document = ""
        if form.meeting is not None:
            try:
                documents = self._core.service("documents")
            except NotFoundError:
                documents = None
            if documents is not None:
                # What the panel masks is masked on the paper too, for the same readers.
                hidden = [each for value in paper.sensitive for each in pieces(value)]
                document = documents.add(
                    form.meeting,
                    file,
                    pdf,
                    by=by,
                    origin="form",
                    visible_to=None,
                    critical=clauses,
                    hidden=hidden,
                )
        return KeptPaper(
            key=paper.name,
            title=paper.title,
            file=file,
            sha256=hashlib.sha256(pdf).hexdigest(),
            object=self._core.objects.put(form.meeting, "paper", pdf),
            document=document,
            critical=tuple({"id": each.id, "page": each.page, "title": each.title} for each in clauses),
        )

    def _put(self, records: Records, form: Form, expected: int | None = None) -> Form:
        version = records.put(
            FORMS,
            form.id,
            form.to_body(),
            meeting=form.meeting,
            expected=form.version if expected is None else expected,
        )
        return replace(form, version=version)


def read_form(record: Record) -> Form:
    return Form.from_record(record.id, record.version, record.body)
