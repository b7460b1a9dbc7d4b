"""What the demo and its rehearsal say on the console."""

import json
import tomllib
from pathlib import Path

import pytest

from simulators.demo import story
from simulators.demo.__main__ import Steps, ports_message
from simulators.demo.guide import app
from simulators.demo.ports import TakenPort
from simulators.demo.processes import ROOT, Process
from simulators.demo.rehearsal import RehearsalError, failed_step, with_one_byte_changed

TEXTS = Path(app.__file__).parent / "texts"


def test_a_taken_port_is_named_with_its_holder_and_what_to_do() -> None:
    said = ports_message(
        [
            TakenPort(8080, "the bank's pages", "process 4711 (nginx -g daemon)", 4711),
            TakenPort(8088, "this guide", "", None),
        ]
    )

    assert "8080 (the bank's pages) is held by process 4711 (nginx -g daemon)" in said
    assert "8088 (this guide) is held by another program" in said
    assert "kill 4711" in said
    assert "--free-ports" in said


def test_a_port_whose_holder_cannot_be_seen_asks_for_no_kill() -> None:
    assert "kill" not in ports_message([TakenPort(8080, "the bank's pages", "", None)])


def test_a_step_is_one_line_with_its_number_and_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps(8)
    for title, seconds in (("BankID", 1.26), ("mail", 0.0)):
        steps.begin(title)
        steps.ready(seconds)

    assert capsys.readouterr().out == "[1/8] BankID ... ready 1.3 s\n[2/8] mail ... ready 0.0 s\n"


def test_a_command_is_written_as_one_types_it_in_the_projects_folder() -> None:
    command = [f"{ROOT}/.venv/bin/python", "-m", "sidecar", "--settings", f"{ROOT}/var/a b/tillit.toml", "web"]

    assert (
        Process("web", "web", command, "").typed == ".venv/bin/python -m sidecar --settings 'var/a b/tillit.toml' web"
    )


def test_the_failed_step_is_the_storys_own_and_not_the_helper_inside_it() -> None:
    """Whoever reads the failure wants the step of the meeting, not where Playwright gave up."""
    unborn = object.__new__(story.Story)

    with pytest.raises(AttributeError) as caught:
        unborn.hold()

    assert failed_step(caught.tb) == "sign in at the desk"


def test_a_failure_outside_the_story_names_no_step() -> None:
    with pytest.raises(RehearsalError) as caught:
        raise RehearsalError("x")

    assert failed_step(caught.tb) == ""


def test_one_byte_is_changed_in_an_entry_and_the_file_stays_json() -> None:
    file = json.dumps({"entries": [{"kind": "meeting.booked"}, {"kind": "audit"}, {"kind": "meeting.ended"}]}).encode()

    other = with_one_byte_changed(file)

    assert sum(one != two for one, two in zip(file, other, strict=True)) == 1
    assert [entry["kind"] for entry in json.loads(other)["entries"]] == ["meeting.booked", "budit", "meeting.ended"]


def test_a_file_without_entries_cannot_be_changed() -> None:
    with pytest.raises(RehearsalError):
        with_one_byte_changed(b"{}")


def test_both_languages_say_the_same_things() -> None:
    swedish, english = (tomllib.loads((TEXTS / f"{name}.toml").read_text("utf-8")) for name in ("sv", "en"))

    assert swedish.keys() == english.keys()
    same = {key for key in swedish if swedish[key] == english[key]}
    assert same <= {"name", "elin.name", "maja.name", "samir.name", "berit.name", "process.bankid"}
