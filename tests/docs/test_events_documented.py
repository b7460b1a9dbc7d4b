"""Every kind of audit record stands in docs/events.md, as the code has it, and every act is of such a kind."""

import re
from pathlib import Path

import pytest

from sidecar.domain.audit import KINDS

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \| (.+) \|$", re.MULTILINE)
# Act("kind", ... and the services' own shorthand for it.
_WRITTEN = re.compile(r'\b_?[Aa]ct\(\s*"([^"]+)"')


def rows() -> list[tuple[str, str, str]]:
    return _ROW.findall((ROOT / "docs" / "events.md").read_text("utf-8"))


def test_every_kind_is_on_the_page_once_and_in_the_codes_own_words() -> None:
    found = rows()

    assert len({kind for kind, _, _ in found}) == len(found)
    assert {kind: line for kind, line, _ in found} == dict(KINDS)


@pytest.mark.parametrize(("kind", "where"), [pytest.param(kind, where, id=kind) for kind, _, where in rows()])
def test_the_file_that_is_said_to_write_a_kind_names_it(kind: str, where: str) -> None:
    if where == "*reserved*":
        return
    files = re.findall(r"`([^`]+)`", where)

    assert files
    for file in files:
        assert f'"{kind}"' in (ROOT / "sidecar" / file).read_text("utf-8"), file


def test_every_act_of_the_product_is_of_a_known_kind() -> None:
    """An act of an unknown kind is refused by the log, so what it stands for could never happen."""
    written = {
        kind: path.name
        for folder in ("services", "web")
        for path in sorted((ROOT / "sidecar" / folder).glob("*.py"))
        for kind in _WRITTEN.findall(path.read_text("utf-8"))
    }

    assert "meeting.booked" in written
    assert {kind: file for kind, file in written.items() if kind not in KINDS} == {}


def test_what_is_called_reserved_is_written_nowhere() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "sidecar" / "services").glob("*.py"))
    reserved = {kind for kind, _, where in rows() if where == "*reserved*"}

    assert {kind for kind in reserved if f'"{kind}"' in sources} == set()
