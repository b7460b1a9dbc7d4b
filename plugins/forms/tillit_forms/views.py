"""A form as one reader may see it: JSON for the panel and the public page. What is masked never leaves the server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tillit_forms import wording
from tillit_forms.agreement import Paper
from tillit_forms.fields import Field, country_of, day_limit, masked, show
from tillit_forms.filling import Gap, Standing
from tillit_forms.kept import Answer
from tillit_forms.template import Template

Say = Callable[..., str]


@dataclass(frozen=True)
class Reader:
    """Who looks. fills: the capacity that may answer, "" for none. person: whose own answers are never hidden.

    unmasked: sees sensitive values. A personal number is masked for everybody: it belongs on the paper, not on a
    screen that may be shared.
    """

    language: str
    fills: str
    say: Say
    person: str = ""
    unmasked: bool = False
    names: Mapping[str, str] = field(default_factory=dict)  # pseudonym -> participant id


def sections(
    template: Template, standing: Standing, answers: Mapping[str, Answer], reader: Reader, *, today: date
) -> list[dict[str, Any]]:
    """Return the questions in force, by section."""
    language = template.language(reader.language)
    gaps = {gap.field: gap for gap in standing.gaps}
    asked = set(standing.asked)
    found = []
    for section in template.sections:
        fields = [
            question(
                each.field, standing, answers.get(each.field.name), gaps.get(each.field.name), reader, language, today
            )
            for each in section.questions
            if each.field.name in asked
        ]
        if fields:
            found.append(
                {
                    "name": section.name,
                    "title": section.title[language],
                    "help": section.help.get(language, ""),
                    "fields": fields,
                }
            )
    return found


def question(
    field: Field,
    standing: Standing,
    answer: Answer | None,
    gap: Gap | None,
    reader: Reader,
    language: str,
    today: date,
) -> dict[str, Any]:
    """Return one question with its answer as this reader sees it."""
    stored = standing.values.get(field.name, "") or (answer.value if answer else "")
    hidden = bool(stored) and is_hidden(field, answer, reader)
    words = {each: reader.say(f"forms.{each}") for each in ("yes", "no")}
    view: dict[str, Any] = {
        "name": field.name,
        "kind": field.kind,
        "label": field.label[language],
        "help": field.help.get(language, ""),
        "required": field.required,
        "mine": reader.fills in field.filled_by and field.formula is None,
        "shown": masked(field, stored) if hidden else show(field, stored, language, words=words),
        "value": "" if hidden else editable(field, stored, language),
        "masked": hidden,
        "filled": bool(stored),
        "n": answer.n if answer else 0,
        "by": reader.names.get(answer.by, "") if answer else "",
        "problem": problem(gap, reader.say) if gap is not None else "",
        "missing": gap is not None,
    }
    if field.choices:
        view["choices"] = [{"value": each.value, "label": each.label[language]} for each in field.choices]
    if field.kind == "date":
        limits = (day_limit(field.earliest, today), day_limit(field.latest, today))
        view["earliest"], view["latest"] = (each.isoformat() if each else "" for each in limits)
    if field.kind == "personal_number" and len(field.countries) > 1:
        view["countries"] = list(field.countries)
        view["country"] = country_of(stored) if stored else field.countries[0]
    if field.kind == "money":
        view["unit"] = field.currency
    if field.kind == "percent":
        view["unit"] = "%"
    return view


def is_hidden(field: Field, answer: Answer | None, reader: Reader) -> bool:
    if not field.sensitive:
        return False
    if field.kind == "personal_number":
        return True
    own = answer is not None and bool(reader.person) and answer.by == reader.person
    return not (reader.unmasked or own)


def editable(field: Field, stored: str, language: str) -> str:
    """Return what stands in the input: numbers with hard spaces between thousands, which every language reads."""
    if stored and field.kind in ("money", "number", "percent"):
        value = Decimal(stored)
        whole = wording.number(value, "sv").replace("\u2212", "-")
        return whole.replace(",", ".") if language == "en" else whole
    return stored


def problem(gap: Gap, say: Say) -> str:
    """Return the sentence of a gap, "" for one that is merely not answered yet."""
    if gap.why == "wrong":
        return say(f"forms.wrong.{gap.detail}", **dict(gap.params))
    return ""


def paper(found: Paper) -> dict[str, Any]:
    """Return a paper for the page: text only, never markup."""
    return {
        "key": found.name,
        "title": found.title,
        "language": found.language,
        "blocks": [
            {"kind": each.kind, "text": each.text, "rows": [list(row) for row in each.rows], "critical": each.critical}
            for each in found.blocks
        ],
    }
