"""The traceability table: rows as agreed, proofs as the tests are marked."""

from pathlib import Path
from typing import Any

import pytest


def test_the_table_is_up_to_date(docs: Any) -> None:
    assert docs.difference("docs/requirements.md") == ""


def test_no_test_carries_a_requirement_that_does_not_exist(docs: Any) -> None:
    assert docs.unknown_requirements() == {}


def test_every_row_is_there_once_with_a_known_weight(docs: Any) -> None:
    rows = docs.requirement_rows()
    ids = [row["id"] for row in rows]

    assert ids == [f"R{number:03d}" for number in (*range(1, 162), *range(201, 218))]
    assert {row["weight"] for row in rows} == set(docs.WEIGHTS)
    assert all(row["text"].strip() and "|" not in row["text"] for row in rows)


MODULE = """
import pytest
pytestmark = pytest.mark.requirement("R003")

@pytest.mark.requirement("R001", "R002")
@pytest.mark.parametrize("x", [1])
def test_one(x): ...

class TestGroup:
    @pytest.mark.requirement("R002")
    async def test_two(self): ...

@pytest.mark.requirement("R004")
def helper(): ...
"""


@pytest.mark.parametrize("place", ["tests/unit/test_some.py", "plugins/any/tests/test_some.py"])
def test_marks_are_read_from_functions_classes_and_modules(docs: Any, tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(MODULE)

    assert docs.marked_tests(tmp_path) == {
        "R001": [f"{place}::test_one"],
        "R002": [f"{place}::test_one", f"{place}::TestGroup::test_two"],
        "R003": [f"{place}::test_one", f"{place}::TestGroup::test_two"],
    }


def test_a_row_without_a_test_says_open(docs: Any) -> None:
    tests = docs.marked_tests()
    page = docs.requirements_page().splitlines()

    for row in docs.requirement_rows():
        [line] = [each for each in page if each.startswith(f"| {row['id']} |")]
        assert line.endswith("| open |") == (row["id"] not in tests)
