"""Which answers leave, in which form. A receiver gets the fields its delivery names, and no other."""

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tillit_forms.filling import Standing
from tillit_forms.template import Delivery, Template

# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection), full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMERIC = frozenset({"money", "number", "percent", "computed"})


@dataclass(frozen=True)
class Extract:
    """What one receiver is told. fields: its word -> our stored value, "" for what was not answered."""

    name: str
    to: str
    format: str
    fields: Mapping[str, str] = field(repr=False)
    numeric: tuple[str, ...]
    agreements: tuple[str, ...]
    keep_days: int

    def as_body(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "to": self.to,
            "format": self.format,
            "fields": dict(self.fields),
            "numeric": list(self.numeric),
            "agreements": list(self.agreements),
            "keep_days": self.keep_days,
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Extract":
        return cls(
            name=body["name"],
            to=body["to"],
            format=body["format"],
            fields=dict(body["fields"]),
            numeric=tuple(body["numeric"]),
            agreements=tuple(body["agreements"]),
            keep_days=body["keep_days"],
        )


def extract(template: Template, standing: Standing, delivery: Delivery) -> Extract:
    """Return what this delivery says. Only papers these answers chose go along."""
    chosen = {each.agreement.name for each in standing.agreements}
    return Extract(
        name=delivery.name,
        to=delivery.to,
        format=delivery.format,
        fields={theirs: standing.values.get(ours, "") for theirs, ours in delivery.fields.items()},
        numeric=tuple(theirs for theirs, ours in delivery.fields.items() if template.field(ours).kind in _NUMERIC),
        agreements=tuple(name for name in delivery.agreements if name in chosen),
        keep_days=delivery.keep_days,
    )


def as_json(
    found: Extract, *, id: str, facts: Mapping[str, Any], papers: Sequence[tuple[str, str, bytes]]
) -> tuple[str, bytes]:
    """Return the media type and the bytes of a JSON delivery. papers: (file name, SHA-256 hex, PDF)."""
    documents = [
        {
            "name": name,
            "media_type": "application/pdf",
            "sha256": digest,
            "data": base64.b64encode(data).decode("ascii"),
        }
        for name, digest, data in papers
    ]
    body = {"id": id, **facts, "delivery": found.name, "fields": dict(found.fields), "documents": documents}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "application/json", text.encode("utf-8")


def as_csv(found: Extract) -> tuple[str, bytes]:
    """Return the media type and the bytes of a CSV delivery: a row of names, a row of answers."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([cell(each) for each in found.fields])
    writer.writerow([value if name in found.numeric else cell(value) for name, value in found.fields.items()])
    return "text/csv; charset=utf-8", out.getvalue().encode("utf-8")


def cell(text: str) -> str:
    """Return a text a spreadsheet will not run: an apostrophe before what would be taken for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
