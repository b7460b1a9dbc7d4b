"""What a set of answers amounts to: which questions are asked, what is missing, which clauses apply. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from tillit_forms import wording
from tillit_forms.expressions import Expression, Value, evaluate
from tillit_forms.fields import LARGEST, Field, FieldError, read_value, typed
from tillit_forms.template import Agreement, Attachment, Clause, Delivery, Template


@dataclass(frozen=True)
class Gap:
    """Why a form is not complete. why: "missing", "wrong", "open" (a condition nobody can decide yet)."""

    field: str
    why: str
    detail: str = ""
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ChosenAttachment:
    attachment: Attachment
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class ChosenAgreement:
    """An agreement as these answers build it."""

    agreement: Agreement
    clauses: tuple[Clause, ...]
    attachments: tuple[ChosenAttachment, ...]


@dataclass(frozen=True)
class Standing:
    """Where a form stands. values: stored answers in force, computed ones too. asked: fields in force, in page order.

    Answers to questions that are no longer asked count for nothing here, and come back when they are asked again.
    """

    values: Mapping[str, str]
    asked: tuple[str, ...]
    gaps: tuple[Gap, ...]
    agreements: tuple[ChosenAgreement, ...]
    deliveries: tuple[Delivery, ...]

    @property
    def complete(self) -> bool:
        return not self.gaps


def stand(template: Template, answers: Mapping[str, str], *, today: date) -> Standing:
    """Return where these stored answers stand. Unknown names are ignored; each answer is checked again as of today."""
    return _Judge(template, answers, today).standing()


class _Judge:
    def __init__(self, template: Template, answers: Mapping[str, str], today: date) -> None:
        self._template, self._answers, self._today = template, answers, today
        self._fields = template.fields
        self._typed: dict[str, Value] = {}
        self._values: dict[str, str] = {}
        self._asked: set[str] = set()
        self._gaps: dict[tuple[str, str], Gap] = {}

    def standing(self) -> Standing:
        asked_when = {
            question.field.name: (section.when, question.when) for section, question in self._template.questions()
        }
        for name in self._template.order:
            conditions = asked_when[name]
            if all(self._holds(each) for each in conditions):
                self._ask(self._fields[name])
        agreements = tuple(
            chosen for each in self._template.agreements if (chosen := self._agreement(each)) is not None
        )
        deliveries = tuple(each for each in self._template.deliveries if self._holds(each.when))
        asked = tuple(
            question.field.name for _, question in self._template.questions() if question.field.name in self._asked
        )
        rank = {name: at for at, name in enumerate(asked)}
        gaps = sorted(self._gaps.values(), key=lambda gap: (rank.get(gap.field, len(rank)), gap.field, gap.why))
        return Standing(self._values, asked, tuple(gaps), agreements, deliveries)

    def _holds(self, condition: Expression | None) -> bool:
        """Return whether a condition holds. Where nobody can say, what it waits for becomes a gap."""
        if condition is None:
            return True
        found = evaluate(condition, self._typed)
        if found is None:
            for name in sorted(condition.names):
                if name in self._asked and name not in self._typed:
                    self._gap(Gap(name, "open"))
        return found is True

    def _ask(self, field: Field) -> None:
        self._asked.add(field.name)
        if field.formula is not None:
            self._compute(field, evaluate(field.formula, self._typed))
            return
        try:
            value = read_value(field, self._answers.get(field.name, ""), today=self._today)
        except FieldError as error:
            self._gap(Gap(field.name, "wrong", error.why, tuple(sorted(error.params.items()))))
            return
        if not value:
            if field.required:
                self._gap(Gap(field.name, "missing"))
            return
        self._values[field.name] = value
        self._typed[field.name] = typed(field, value)

    def _compute(self, field: Field, found: Value | None) -> None:
        if not isinstance(found, Decimal) or abs(found) > LARGEST:
            return
        places = wording.DECIMALS.get(field.currency, field.decimals)
        value = found.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        value = abs(value) if value == 0 else value
        if (field.minimum is not None and value < field.minimum) or (
            field.maximum is not None and value > field.maximum
        ):
            limit = field.minimum if field.minimum is not None and value < field.minimum else field.maximum
            why = "small" if limit is field.minimum else "large"
            self._gap(Gap(field.name, "wrong", why, (("limit", f"{limit:f}"),)))
        self._values[field.name] = f"{value:f}"
        self._typed[field.name] = value

    def _agreement(self, agreement: Agreement) -> ChosenAgreement | None:
        if not self._holds(agreement.when):
            return None
        attachments = tuple(
            ChosenAttachment(each, self._clauses(each.clauses))
            for each in agreement.attachments
            if self._holds(each.when)
        )
        return ChosenAgreement(agreement, self._clauses(agreement.clauses), attachments)

    def _clauses(self, clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
        chosen = tuple(each for each in clauses if self._holds(each.when))
        for clause in chosen:
            for name in sorted(clause.names):
                if name not in self._values:  # its sentence would have a hole
                    self._gap(Gap(name, "missing"))
        return chosen

    def _gap(self, gap: Gap) -> None:
        if (gap.field, "wrong") not in self._gaps and (gap.field, "missing") not in self._gaps:
            self._gaps.pop((gap.field, "open"), None)
            self._gaps[gap.field, gap.why] = gap
