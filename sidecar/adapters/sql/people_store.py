"""The `people` store: who a pseudonym is, each person sealed under a key of their own.

Erasing a person destroys that key; nothing else in the product tells a name from a pseudonym.
"""

import hashlib
import hmac

from sidecar.adapters.sealing import new_dek, seal, unseal
from sidecar.adapters.sql.codec import from_json, to_json
from sidecar.adapters.sql.database import Connection, Row
from sidecar.adapters.sql.opening import StorePlace, open_database
from sidecar.domain.errors import NotFoundError
from sidecar.domain.identity import Subject
from sidecar.domain.ids import PersonId, StaffId
from sidecar.services.ports import Person

MIGRATIONS = (
    """
    CREATE TABLE people (id TEXT PRIMARY KEY, kind TEXT NOT NULL, wrapped_key BLOB, sealed BLOB NOT NULL);
    CREATE TABLE subjects (digest TEXT PRIMARY KEY, person TEXT NOT NULL REFERENCES people (id));
    """,
    "CREATE INDEX subjects_by_person ON subjects (person)",
)


class SqlPeopleStore:
    """People on SQL. kek: wraps each person's key. index_key: makes subjects findable, not readable."""

    def __init__(self, place: StorePlace, *, kek: bytes, index_key: bytes) -> None:
        self._db = open_database(place, MIGRATIONS, store="people")
        self._kek = kek
        self._index_key = index_key

    def put(self, person: Person) -> None:
        def effect(connection: Connection) -> None:
            row = connection.execute("SELECT wrapped_key FROM people WHERE id=?", (person.id,)).fetchone()
            if row is not None and row["wrapped_key"] is None:
                raise NotFoundError("This person was erased and does not come back under the same pseudonym.")
            dek = self._unwrap(person.id, row["wrapped_key"]) if row else new_dek()
            connection.execute(
                "INSERT INTO people VALUES (?,?,?,?)"
                " ON CONFLICT (id) DO UPDATE SET kind=excluded.kind, sealed=excluded.sealed",
                (
                    person.id,
                    person.kind,
                    seal(self._kek, dek, purpose=f"dek:{person.id}"),
                    seal(dek, to_json(person).encode(), purpose=f"person:{person.id}"),
                ),
            )
            connection.execute("DELETE FROM subjects WHERE person=?", (person.id,))  # a number that was corrected
            for subject in person.subjects:
                connection.execute(
                    "INSERT INTO subjects VALUES (?,?) ON CONFLICT (digest) DO UPDATE SET person=excluded.person",
                    (self._digest(subject), person.id),
                )

        self._db.write(effect)

    def get(self, person: PersonId | StaffId) -> Person:
        found = self.find(person)
        if found is None:
            raise NotFoundError("There is no such person here, or the person was erased.")
        return found

    def find(self, person: PersonId | StaffId) -> Person | None:
        row = self._db.read_one("SELECT * FROM people WHERE id=?", person)
        return self._open(row) if row else None

    def find_by_subject(self, subject: Subject) -> Person | None:
        row = self._db.read_one(
            "SELECT people.* FROM people JOIN subjects ON people.id = subjects.person WHERE digest=?",
            self._digest(subject),
        )
        return self._open(row) if row else None

    def search_customers(self, words: str, *, limit: int = 8) -> list[Person]:
        # Names are sealed, so a search opens every customer: right for a branch, not for a whole bank,
        # whose customer register answers through its CRM instead.
        wanted = [word.casefold() for word in words.split()]
        found = []
        for row in self._db.read("SELECT * FROM people WHERE kind='customer'"):
            person = self._open(row)
            parts = f"{person.name} {person.locality}".casefold().split() if person else []
            if person and wanted and all(any(p.startswith(w) for p in parts) for w in wanted):
                found.append(person)
        return sorted(found, key=lambda person: person.name)[:limit]

    def is_healthy(self) -> bool:
        return self._db.read_one("SELECT 1 AS one") is not None

    def _open(self, row: Row) -> Person | None:
        if row["wrapped_key"] is None:
            return None
        dek = self._unwrap(row["id"], row["wrapped_key"])
        return from_json(Person, unseal(dek, row["sealed"], purpose=f"person:{row['id']}").decode())

    def _unwrap(self, person: str, wrapped: bytes) -> bytes:
        return unseal(self._kek, wrapped, purpose=f"dek:{person}")

    def _digest(self, subject: Subject) -> str:
        text = f"{subject.scheme}:{subject.value}".encode()
        return hmac.new(self._index_key, text, hashlib.sha256).hexdigest()
