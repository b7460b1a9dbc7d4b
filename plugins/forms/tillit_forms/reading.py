"""A template's TOML file, read as a closed form. Every complaint names the file and the key."""

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType

from sidecar.plugin_api import LANGUAGES, Capacity, ConfigurationError
from tillit_forms.expressions import Expression, ExpressionError, Kind, check
from tillit_forms.fields import COUNTRIES, KINDS, Choice, Field, day_limit
from tillit_forms.template import (
    NO_WORDS,
    PLACEHOLDER,
    Agreement,
    Attachment,
    Clause,
    Delivery,
    Question,
    Section,
    Signer,
    Template,
)
from tillit_forms.toml_table import Table
from tillit_forms.wording import DECIMALS

LARGEST_FILE = 512 * 1024  # bytes
SIGNING = ("touch", "sms", "eid")
FILLERS = frozenset({*(each.value for each in Capacity), "visitor", "system"})
PREFILLS = ("", "person.name", "meeting.date")


def read_template(path: Path) -> Template:
    """Return the template of a file. Raises ConfigurationError naming file and key."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path.name}: cannot be read.") from error
    return parse_template(data, file=path.name)


def parse_template(data: bytes, *, file: str) -> Template:
    """Return the template these bytes hold. file: what complaints call it. Raises ConfigurationError."""
    if len(data) > LARGEST_FILE:
        raise ConfigurationError(f"{file}: larger than {LARGEST_FILE // 1024} KiB.")
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file}: is not TOML: {str(error)[:200]}.") from error
    return _template(Table(table, "", file), hashlib.sha256(data).hexdigest())


def _template(top: Table, digest: str) -> Template:
    name, version = top.name(), top.number("version", 1, 9999)
    if top.file not in (f"{name}-{version}.toml", "template"):
        top.fail("name", f"the file must be called {name}-{version}.toml")
    owner, reviewed, review = top.text("owner"), top.take("reviewed_on", date), top.take("next_review", date)
    if review <= reviewed:
        top.fail("next_review", "must come after reviewed_on")
    languages = top.some_of("languages", LANGUAGES)
    if not languages:
        top.fail("languages", "must name at least one language")
    sections = tuple(_section(each, languages) for each in top.tables("section", least=1))
    fields = _fields(top, sections)
    agreements = tuple(_agreement(each, languages) for each in top.tables("agreement", least=1))
    deliveries = tuple(_delivery(each) for each in top.tables("delivery"))
    template = Template(
        name=name,
        version=version,
        owner=owner,
        reviewed_on=reviewed,
        next_review=review,
        in_force_from=top.take("in_force_from", date),
        languages=languages,
        title=top.words("title", languages),
        about=top.words("about", languages),
        signing=top.some_of("signing", SIGNING),
        signers=top.some_of("signers", FILLERS, ["customer"]),
        sections=sections,
        agreements=agreements,
        deliveries=deliveries,
        publish=top.take("publish", bool, False),
        signer=_signer(top),
        keep_days=top.number("keep_days", 1, 36500, 90),
        order=_order(top, sections),
        digest=digest,
    )
    top.end()
    if not template.signing or not template.signers:
        top.fail("signing" if not template.signing else "signers", "must name at least one")
    if template.publish and template.signer is None:
        top.fail("signer", "a form on a public page says which fields name its signer")
    _check_names(top, template)
    _check_expressions(top, template, {each: field.expression_kind for each, field in fields.items()})
    return template


def _signer(top: Table) -> Signer | None:
    table = top.take("signer", dict, {})
    if not table:
        return None
    inner = Table(table, "signer", top.file)
    signer = Signer(inner.name(), *(inner.text(key, "") for key in ("email", "phone", "number")))
    inner.end()
    return signer


def _section(table: Table, languages: Sequence[str]) -> Section:
    section = Section(
        name=table.name(),
        title=table.words("title", languages),
        help=table.words("help", languages, NO_WORDS),
        when=table.expression("when"),
        questions=tuple(_question(each, languages) for each in table.tables("field", least=1)),
    )
    table.end()
    return section


def _question(table: Table, languages: Sequence[str]) -> Question:
    kind = table.one_of("type", KINDS)
    choices = tuple(_choice(each, languages) for each in table.tables("choice"))
    if (kind == "choice") != bool(choices):
        table.fail("choice", "belongs to the type choice, which needs at least one")
    if len({each.value for each in choices}) != len(choices):
        table.fail("choice", "two have the same value")
    default_currency = "SEK" if kind == "money" else ""
    field = Field(
        name=table.name(),
        kind=kind,
        label=table.words("label", languages),
        help=table.words("help", languages, NO_WORDS),
        required=table.take("required", bool, kind != "computed"),
        filled_by=frozenset(table.some_of("filled_by", FILLERS, ["adviser", "customer", "visitor", "system"])),
        choices=choices,
        currency=table.one_of("currency", ("", *DECIMALS), default_currency),
        decimals=table.number("decimals", 0, 6, 2 if kind == "percent" else 0),
        minimum=table.decimal("minimum"),
        maximum=table.decimal("maximum"),
        earliest=table.text("earliest", ""),
        latest=table.text("latest", ""),
        countries=table.some_of("countries", COUNTRIES, list(COUNTRIES)),
        longest=table.number("longest", 0, 4000, 0),
        formula=table.expression("formula"),
        prefill=table.one_of("prefill", PREFILLS, ""),
        sensitive=table.take("sensitive", bool, kind == "personal_number"),
    )
    when = table.expression("when")
    table.end()
    _check_field(table, field)
    return Question(field, when)


def _check_field(table: Table, field: Field) -> None:
    if (field.kind == "computed") != (field.formula is not None):
        table.fail("formula", "belongs to the type computed, which needs one")
    if not field.countries:
        table.fail("countries", "must name at least one")
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        table.fail("minimum", "is more than maximum")
    for key, limit in (("earliest", field.earliest), ("latest", field.latest)):
        try:
            day_limit(limit, date(2026, 1, 1))
        except (ValueError, OverflowError):
            table.fail(key, f"{limit!r} is no date, and not today+30 or the like")


def _choice(table: Table, languages: Sequence[str]) -> Choice:
    choice = Choice(table.name("value"), table.words("label", languages))
    table.end()
    return choice


def _agreement(table: Table, languages: Sequence[str]) -> Agreement:
    agreement = Agreement(
        name=table.name(),
        title=table.words("title", languages),
        clauses=tuple(_clause(each, languages) for each in table.tables("clause", least=1)),
        attachments=tuple(_attachment(each, languages) for each in table.tables("attachment")),
        recipients=table.some_of("recipients", None, ["parties"]),
        when=table.expression("when"),
    )
    table.end()
    return agreement


def _attachment(table: Table, languages: Sequence[str]) -> Attachment:
    attachment = Attachment(
        name=table.name(),
        title=table.words("title", languages),
        clauses=tuple(_clause(each, languages) for each in table.tables("clause", least=1)),
        when=table.expression("when"),
    )
    table.end()
    return attachment


def _clause(table: Table, languages: Sequence[str]) -> Clause:
    clause = Clause(
        name=table.name(),
        heading=table.words("heading", languages, NO_WORDS),
        text=table.words("text", languages, NO_WORDS),
        table=table.some_of("table", None, []),
        when=table.expression("when"),
        critical=table.take("critical", bool, False),
    )
    table.end()
    if not clause.text and not clause.table:
        table.fail("text", "a clause has a text or a table")
    for language, text in [*clause.text.items(), *clause.heading.items()]:
        if "{" in PLACEHOLDER.sub("", text) or "}" in PLACEHOLDER.sub("", text):
            table.fail(f"text.{language}", "a brace stands only around the name of a field")
    return clause


def _delivery(table: Table) -> Delivery:
    fields = table.take("fields", dict)
    for theirs, ours in fields.items():
        if not isinstance(ours, str) or not 1 <= len(theirs) <= 80:
            table.fail(f"fields.{theirs}", "names one of the form's fields")
    delivery = Delivery(
        name=table.name(),
        to=table.name("to"),
        fields=MappingProxyType(dict(fields)),
        format=table.one_of("format", ("json", "csv"), "json"),
        agreements=table.some_of("agreements", None, []),
        when=table.expression("when"),
        keep_days=table.number("keep_days", 0, 3650, 30),
    )
    table.end()
    if delivery.format == "csv" and delivery.agreements:
        table.fail("agreements", "a csv delivery carries answers only")
    return delivery


# What holds only for the whole


def _fields(top: Table, sections: Sequence[Section]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for at, section in enumerate(sections, 1):
        for number, question in enumerate(section.questions, 1):
            if question.field.name in found:
                top.fail(f"section[{at}].field[{number}].name", f"{question.field.name!r} is asked twice")
            found[question.field.name] = question.field
    return found


def _order(top: Table, sections: Sequence[Section]) -> tuple[str, ...]:
    """Return the fields so that each comes after those it leans on. A circle has no answer and is refused."""
    needs: dict[str, frozenset[str]] = {}
    for section in sections:
        of_section = section.when.names if section.when else frozenset()
        for question in section.questions:
            own = [each.names for each in (question.when, question.field.formula) if each is not None]
            needs[question.field.name] = of_section.union(*own)
    order: list[str] = []
    done: set[str] = set()
    while len(order) < len(needs):
        ready = [name for name in needs if name not in done and needs[name] & needs.keys() <= done]
        if not ready:
            circle = ", ".join(sorted(set(needs) - done))
            top.fail("section", f"these fields wait for each other: {circle}")
        order += ready
        done.update(ready)
    return tuple(order)


def _check_names(top: Table, template: Template) -> None:
    fields = template.fields
    groups: list[tuple[str, list[str]]] = [
        ("section", [each.name for each in template.sections]),
        ("agreement", [each.name for each in template.agreements]),
        ("delivery", [each.name for each in template.deliveries]),
    ]
    for at, agreement in enumerate(template.agreements, 1):
        groups.append((f"agreement[{at}].clause", [each.name for each in agreement.clauses]))
        groups.append((f"agreement[{at}].attachment", [each.name for each in agreement.attachments]))
        for where, clause in _clauses(agreement, at):
            for name in sorted(clause.names | set(clause.table)):
                if name not in fields:
                    top.fail(where, f"there is no field {name!r}")
    for where, names in groups:
        if len(set(names)) != len(names):
            top.fail(where, "two have the same name")
    if template.signer is not None:
        kinds = {"name": "text", "email": "email", "phone": "phone", "number": "personal_number"}
        for key, kind in kinds.items():
            ours = getattr(template.signer, key)
            if ours and (ours not in fields or fields[ours].kind != kind):
                top.fail(f"signer.{key}", f"{ours!r} is no field of the type {kind}")
    known = {each.name for each in template.agreements}
    for at, delivery in enumerate(template.deliveries, 1):
        for theirs, ours in delivery.fields.items():
            if ours not in fields:
                top.fail(f"delivery[{at}].fields.{theirs}", f"there is no field {ours!r}")
        for name in delivery.agreements:
            if name not in known:
                top.fail(f"delivery[{at}].agreements", f"there is no agreement {name!r}")


def _clauses(agreement: Agreement, at: int) -> list[tuple[str, Clause]]:
    found = [(f"agreement[{at}].clause[{number}]", each) for number, each in enumerate(agreement.clauses, 1)]
    for number, attachment in enumerate(agreement.attachments, 1):
        where = f"agreement[{at}].attachment[{number}]"
        found += [(f"{where}.clause[{inner}]", each) for inner, each in enumerate(attachment.clauses, 1)]
    return found


def _check_expressions(top: Table, template: Template, kinds: Mapping[str, Kind]) -> None:
    def fits(where: str, expression: Expression | None, wanted: str) -> None:
        if expression is None:
            return
        try:
            found = check(expression, kinds)
        except ExpressionError as error:
            top.fail(where, str(error))
            return
        if found.name != wanted:
            top.fail(where, f"must yield a {wanted}, not a {found.name}")

    yes_no: Callable[[str, Expression | None], None] = lambda where, each: fits(f"{where}.when", each, "yes_no")  # noqa: E731
    for at, section in enumerate(template.sections, 1):
        yes_no(f"section[{at}]", section.when)
        for number, question in enumerate(section.questions, 1):
            yes_no(f"section[{at}].field[{number}]", question.when)
            fits(f"section[{at}].field[{number}].formula", question.field.formula, "number")
    for at, agreement in enumerate(template.agreements, 1):
        yes_no(f"agreement[{at}]", agreement.when)
        for number, attachment in enumerate(agreement.attachments, 1):
            yes_no(f"agreement[{at}].attachment[{number}]", attachment.when)
        for where, clause in _clauses(agreement, at):
            yes_no(where, clause.when)
    for at, delivery in enumerate(template.deliveries, 1):
        yes_no(f"delivery[{at}]", delivery.when)
