"""A form as it is kept: its template's version, the answers with who and when, the papers, how far it has come."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """open: being filled in. ready: papers made, nothing changes. The last four are final."""

    OPEN = "open"
    READY = "ready"
    SIGNING = "signing"
    SIGNED = "signed"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Answer:
    """by: a pseudonym, "visitor" or "system". at: RFC 3339. n: counts the changes of this field, from 1."""

    value: str = field(repr=False)
    by: str
    at: str
    n: int


@dataclass(frozen=True)
class KeptPaper:
    """An agreement as PDF. object: its id in the object store; document: in the meeting's documents, or ""."""

    key: str
    title: str
    file: str
    sha256: str
    object: str
    document: str
    critical: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Form:
    """origin: "room", "public" or "system". key: digest of the visitor's secret. person: who signs outside a meeting.

    version: of the record, for telling that somebody else was first; 0 before it is stored.
    """

    id: str
    template: str
    digest: str
    brand: str
    language: str
    origin: str
    by: str
    created_at: str
    meeting: str | None = None
    state: State = State.OPEN
    answers: Mapping[str, Answer] = field(default_factory=dict, repr=False)
    papers: tuple[KeptPaper, ...] = ()
    papers_on: str = ""
    old_documents: tuple[str, ...] = ()
    signing: str = ""
    key: str = field(default="", repr=False)
    person: str = ""
    reference: str = ""
    version: int = 0

    @property
    def values(self) -> dict[str, str]:
        return {name: each.value for name, each in self.answers.items()}

    def with_answer(self, name: str, answer: Answer) -> "Form":
        return replace(self, answers={**self.answers, name: answer})

    def to_body(self) -> dict[str, Any]:
        body = asdict(self)
        for key in ("id", "version"):
            del body[key]
        return body

    @classmethod
    def from_record(cls, id: str, version: int, body: Mapping[str, Any]) -> "Form":
        values = dict(body)
        values["state"] = State(values["state"])
        values["answers"] = {name: Answer(**each) for name, each in values["answers"].items()}
        values["papers"] = tuple(
            KeptPaper(**{**each, "critical": tuple(each["critical"])}) for each in values["papers"]
        )
        values["old_documents"] = tuple(values["old_documents"])
        return cls(id=id, version=version, **values)
