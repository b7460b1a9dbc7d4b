"""Customers from a TOML file into the people store: for a pilot without a CRM, and for the demo."""

import tomllib
from pathlib import Path
from typing import Any

from sidecar.domain.errors import ConfigurationError
from sidecar.domain.ids import new_id
from sidecar.domain.national_ids import NationalIdError, normalise
from sidecar.domain.policy import LANGUAGES, Segment
from sidecar.services.ports import PeopleStore, Person

_KEYS = frozenset({"name", "national_id", "email", "phone", "inbox", "locality", "language", "country", "segment"})

_CHOICES = {"language": LANGUAGES, "segment": tuple(Segment)}


def import_customers(path: Path, people: PeopleStore) -> int:
    """Add or update every [[customers]] of the file, matched by personal number. Return how many.

    Raises ConfigurationError that names the row, never the number.
    """
    try:
        rows: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["customers"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ConfigurationError(f"{path}: this is not a file of [[customers]].") from error
    for number, row in enumerate(rows, start=1):
        unknown = set(row) - _KEYS
        if unknown or not row.get("name") or not row.get("national_id"):
            raise ConfigurationError(f"{path.name}, customer {number}: a key is missing or unknown {sorted(unknown)}.")
        for key, value in row.items():
            if not isinstance(value, str) or not value.isprintable() or value not in _CHOICES.get(key, (value,)):
                raise ConfigurationError(f"{path.name}, customer {number}: {key} cannot be used.")
        try:
            subject = normalise(row["national_id"], country=row.get("country", "SE"))
        except NationalIdError as error:
            raise ConfigurationError(f"{path.name}, customer {number}: {error}.") from error
        known = people.find_by_subject(subject)
        rest = {key: value for key, value in row.items() if key != "national_id"}
        people.put(
            Person(
                id=known.id if known else new_id("per"),
                kind="customer",
                subjects=(subject,),
                verified_name=known.verified_name if known else "",
                **rest,
            )
        )
    return len(rows)
