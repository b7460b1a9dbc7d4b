"""The people store: a person is found by number, readable by key alone, and gone when the key is."""

from dataclasses import replace

import pytest

from sidecar.adapters.sql.people_store import SqlPeopleStore
from sidecar.domain.errors import NotFoundError
from sidecar.domain.identity import Subject
from sidecar.domain.ids import PersonId
from sidecar.services.ports import PeopleStore, Person
from tests.contract.conftest import Places

NUMBER = Subject("se-personnummer", "199002142389")
MAJA = Person(
    id="per_maja",
    kind="customer",
    name="Maja Granlid",
    email="maja.granlid@example.org",
    phone="+46701740605",
    subjects=(NUMBER,),
    locality="Luleå",
)


def open_store(places: Places, *, kek: bytes = bytes(32)) -> SqlPeopleStore:
    return SqlPeopleStore(places("people"), kek=kek, index_key=b"i" * 32)


@pytest.fixture
def store(places: Places) -> PeopleStore:
    store = open_store(places)
    store.put(MAJA)
    return store


def test_a_person_reads_back_the_same_after_a_restart(store: PeopleStore, places: Places) -> None:
    assert store.get(PersonId("per_maja")) == MAJA
    assert open_store(places).get(PersonId("per_maja")) == MAJA


def test_nobody_is_there_who_was_not_put_there(store: PeopleStore) -> None:
    assert store.find(PersonId("per_samir")) is None
    assert store.find_by_subject(Subject("se-personnummer", "198805071233")) is None
    with pytest.raises(NotFoundError):
        store.get(PersonId("per_samir"))


def test_a_person_is_found_by_number_of_the_right_kind_only(store: PeopleStore) -> None:
    assert store.find_by_subject(NUMBER) == MAJA
    assert store.find_by_subject(Subject("phone", NUMBER.value)) is None


def test_a_corrected_number_is_found_and_the_old_one_no_more(store: PeopleStore) -> None:
    right = Subject("se-personnummer", "198805071233")
    store.put(replace(MAJA, subjects=(right,)))

    assert store.find_by_subject(right) is not None
    assert store.find_by_subject(NUMBER) is None


def test_somebody_who_called_as_a_stranger_is_found_as_a_customer_once_they_are_one(store: PeopleStore) -> None:
    store.put(replace(MAJA, id="per_new", kind="guest", name="Vera Stensund", subjects=()))
    assert store.search_customers("Vera") == []

    store.put(replace(MAJA, id="per_new", kind="customer", name="Vera Stensund", subjects=()))

    assert [person.id for person in store.search_customers("Vera")] == ["per_new"]


def test_customers_are_found_by_how_their_words_begin(store: PeopleStore) -> None:
    store.put(replace(MAJA, id="per_ture", name="Ture Almvik", locality="Skellefteå", subjects=()))

    for words in ("maja", "GRAN", "lul maj", "Granlid Luleå"):
        assert [person.id for person in store.search_customers(words)] == ["per_maja"], words
    assert store.search_customers("aja") == []
    assert store.search_customers("") == [], "an empty search does not list the whole register"
    assert store.search_customers("%") == []
    assert store.search_customers("maja", limit=0) == []


@pytest.mark.requirement("R125", "R202")
def test_the_file_holds_nothing_that_names_a_person(store: PeopleStore, places: Places) -> None:
    data = places.bytes_kept("people", "people", "subjects")

    for secret in ("Maja", "Granlid", "199002142389", "example.org", "46701740605", "Luleå"):
        assert secret.encode() not in data


@pytest.mark.requirement("R202")
def test_a_person_whose_key_is_destroyed_is_gone_and_does_not_come_back(store: PeopleStore, places: Places) -> None:
    places.run("people", "UPDATE people SET wrapped_key=NULL WHERE id='per_maja'")

    assert store.find(PersonId("per_maja")) is None
    assert store.find_by_subject(NUMBER) is None
    assert store.search_customers("maja") == []
    with pytest.raises(NotFoundError):
        store.get(PersonId("per_maja"))
    with pytest.raises(NotFoundError):
        store.put(MAJA)


def test_two_people_swapped_on_disk_open_as_neither(store: PeopleStore, places: Places) -> None:
    """Who can write the file cannot read it, and cannot make one person pass for another either."""
    store.put(replace(MAJA, id="per_ture", name="Ture Almvik", subjects=()))
    for column in ("wrapped_key", "sealed"):
        of_ture = f"(SELECT {column} FROM people WHERE id='per_ture')"
        places.run("people", f"UPDATE people SET {column}={of_ture} WHERE id='per_maja'")

    with pytest.raises(Exception, match="do not open"):
        store.find(PersonId("per_maja"))


def test_another_key_opens_nobody(store: PeopleStore, places: Places) -> None:
    with pytest.raises(Exception, match="do not open"):
        open_store(places, kek=b"k" * 32).find(PersonId("per_maja"))
