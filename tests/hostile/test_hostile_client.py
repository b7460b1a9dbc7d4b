"""The hostile client on both servers, and its page: docs/hostile-client.md. All of it: script/hostile-client."""

from collections.abc import Callable

import pytest

from tests.hostile.__main__ import embedded_table, on_prosody_table
from tests.hostile.columns import Cell, columns, representative
from tests.hostile.table import PAGE, UNCOVERED, Table, mark_of, read_page
from tests.prosody.stand import ROOT, has_prosody


def quietly(_step: str) -> None: ...


TABLES = {"Prosody": on_prosody_table, "Embedded bridge and web": embedded_table}


@pytest.mark.requirement("R204")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("title", TABLES)
def test_what_policy_forbids_does_not_happen_and_what_it_allows_does(title: str) -> None:
    """Adviser, customer and observer of each band. Every cell is as the page says, which script/soak holds in full."""
    if title == "Prosody" and not has_prosody():
        pytest.skip("Prosody is not installed")
    make: Callable[..., Table] = TABLES[title]
    table = make(representative(), quietly)

    assert table.faults == []
    written = {cell[:4]: cell[4] for cell in read_page((ROOT / PAGE).read_text("utf-8"))}
    for column, cells in table.results.items():
        for act, cell in cells.items():
            said = written.get((title, column.section, str(column.capacity), act)) or written[title, "", "", act]
            assert str(cell) == said, f"{PAGE} is behind ({column.section}, {column.capacity}, {act})"


def test_the_page_is_of_the_policy_we_ship() -> None:
    """A grant that changes, for any capacity in any band, asks for script/hostile-client --write."""
    text = (ROOT / PAGE).read_text("utf-8")
    assert mark_of(list(columns())) in text
    sections = {section for _, section, *_ in read_page(text)}
    assert {column.section for column in columns()} <= sections


def test_every_band_and_capacity_is_tried() -> None:
    tried = {(column.band, column.capacity) for column in columns()}
    assert len(tried) == 3 * 6


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        (Cell(wanted=True, done=True), ""),
        (Cell(wanted=False, done=False, rule="chat"), ""),
        (Cell(wanted=False, done=True), "happened although the policy forbids it"),
        (Cell(wanted=True, done=False, rule="chat"), "did not happen although the policy allows it (chat)"),
        (Cell(wanted=False, done=False), "was refused without a rule"),
    ],
)
def test_a_gate_that_lets_through_and_one_that_refuses_everything_are_both_found(cell: Cell, fault: str) -> None:
    assert cell.fault == fault
    [column] = [each for each in columns() if each.type_ref == "mortgage@1" and each.capacity == "customer"]
    assert len(Table("x", "", [column], {column: {"act": cell}}).faults) == bool(fault)


def test_what_no_server_can_refuse_is_in_the_threat_model() -> None:
    model = (ROOT / "docs/threat-model.md").read_text("utf-8").partition("## What no server can enforce")[2]
    for word in ("camera", "whole screen", "film", "JVB", "whiteboard", "Jicofo", "shared video"):
        assert word.lower() in model.lower(), word
    page = (ROOT / PAGE).read_text("utf-8")
    assert all(f"| {act} |" in page for act, _ in UNCOVERED)
