"""A form's template as values: questions, conditions, the agreements they build, and where answers go."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType

from tillit_forms.expressions import Expression
from tillit_forms.fields import Field

Words = Mapping[str, str]  # language -> text
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
NO_WORDS: Words = MappingProxyType({})


@dataclass(frozen=True)
class Question:
    """A field where it is asked. when: asked only then; None: always."""

    field: Field
    when: Expression | None = None


@dataclass(frozen=True)
class Section:
    name: str
    title: Words
    questions: tuple[Question, ...]
    help: Words = dataclasses.field(default_factory=dict)
    when: Expression | None = None


@dataclass(frozen=True)
class Clause:
    """A piece of an agreement. text may hold "{field}"; table: fields shown as label and value.

    critical: holds back signing until it was read.
    """

    name: str
    heading: Words
    text: Words
    table: tuple[str, ...] = ()
    when: Expression | None = None
    critical: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Return the fields its words lean on; without them it cannot be written."""
        return frozenset(name for text in (*self.text.values(), *self.heading.values()) for name in placeholders(text))


@dataclass(frozen=True)
class Attachment:
    """Conditions chosen with the agreement, printed after it under a heading of their own."""

    name: str
    title: Words
    clauses: tuple[Clause, ...]
    when: Expression | None = None


@dataclass(frozen=True)
class Agreement:
    """One paper of the form. recipients: "parties", and names of systems; each gets this paper and no other."""

    name: str
    title: Words
    clauses: tuple[Clause, ...]
    attachments: tuple[Attachment, ...] = ()
    recipients: tuple[str, ...] = ("parties",)
    when: Expression | None = None


@dataclass(frozen=True)
class Delivery:
    """Which answers go where once it is signed. fields: the receiver's word -> our field. keep_days: of the body."""

    name: str
    to: str
    fields: Mapping[str, str]
    format: str = "json"
    agreements: tuple[str, ...] = ()
    when: Expression | None = None
    keep_days: int = 30


@dataclass(frozen=True)
class Signer:
    """Outside meetings: the fields that say who signs and how to reach them. "" for those the form does not ask."""

    name: str
    email: str = ""
    phone: str = ""
    number: str = ""


@dataclass(frozen=True)
class Template:
    """One version of a form. order: the fields so that each comes after those its condition or formula reads.

    signing: the methods the bank allows for this form, "touch", "sms" or "eid". publish: may stand on a public page.
    digest: SHA-256 of the file, hex; what an agreement says it was made from.
    """

    name: str
    version: int
    owner: str
    reviewed_on: date
    next_review: date
    in_force_from: date
    languages: tuple[str, ...]
    title: Words
    about: Words
    signing: tuple[str, ...]
    signers: tuple[str, ...]
    sections: tuple[Section, ...]
    agreements: tuple[Agreement, ...]
    deliveries: tuple[Delivery, ...]
    publish: bool
    signer: Signer | None
    keep_days: int
    order: tuple[str, ...]
    digest: str

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    def questions(self) -> Iterator[tuple[Section, Question]]:
        for section in self.sections:
            for question in section.questions:
                yield section, question

    def field(self, name: str) -> Field:
        """Return the field of that name. Raises KeyError."""
        return self.fields[name]

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {question.field.name: question.field for _, question in self.questions()}

    def language(self, wanted: str) -> str:
        """Return the reader's language where the form is written in it, else English or its first."""
        if wanted in self.languages:
            return wanted
        near = {"nb": "sv", "da": "sv"}.get(wanted, "en")  # Scandinavians read Swedish with less effort than English
        return next((each for each in (near, "en", *self.languages) if each in self.languages), self.languages[0])


def placeholders(text: str) -> list[str]:
    return PLACEHOLDER.findall(text)
