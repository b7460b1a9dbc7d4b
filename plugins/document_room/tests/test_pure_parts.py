"""The parts that only compute: reading, names, the index's words, settings."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.plugin_api import ClauseView, ConfigurationError
from sidecar.testing.people import NOON
from tillit_document_room import load_texts, reading
from tillit_document_room.finding import split
from tillit_document_room.intake import refusal
from tillit_document_room.names import file_name, shown_name
from tillit_document_room.reading import Reading
from tillit_document_room.sandbox.refusals import REASONS
from tillit_document_room.settings import read_settings

CLAUSES = (ClauseView("c_1", 2, "Räntan"), ClauseView("c_2", 4, "Dröjsmål"))


def later(seconds: float) -> Any:
    return NOON + timedelta(seconds=seconds)


def report(read: Reading, page: int, at: float, **how: Any) -> reading.Change:
    facts: dict[str, Any] = {"seconds": 100.0, "seen": (), "scrolled_past": ()} | how
    return reading.reported(read, page=page, clauses=CLAUSES, needed_s=4.0, now=later(at), **facts)


@pytest.mark.requirement("R209")
def test_time_counts_only_from_when_a_page_was_handed_out_until_the_next_was() -> None:
    read = reading.handed_out(Reading(), 2, CLAUSES, later(0)).reading
    read = reading.handed_out(read, 3, CLAUSES, later(3)).reading
    change = report(read, 2, 60, seen=("c_1",))
    assert change.newly_seen == ()
    assert change.reading.seconds[2] == 3.0
    assert report(read, 3, 60).reading.seconds[3] == 57.0


@pytest.mark.requirement("R209")
def test_a_page_that_was_never_handed_out_counts_for_nothing() -> None:
    change = report(Reading(), 2, 60, seen=("c_1",), scrolled_past=("c_1",))
    assert change == reading.Change(Reading())


@pytest.mark.requirement("R050", "R209")
def test_a_clause_left_behind_is_told_once_and_forgotten_when_read() -> None:
    first = reading.handed_out(Reading(), 3, CLAUSES, later(0))
    assert first.newly_passed == ("c_1",)
    again = reading.handed_out(first.reading, 3, CLAUSES, later(1))
    assert again.newly_passed == ()
    back = reading.handed_out(again.reading, 2, CLAUSES, later(2)).reading
    done = report(back, 2, 8, seen=("c_1",))
    assert done.newly_seen == ("c_1",)
    assert done.reading.passed == frozenset()
    assert reading.missing(done.reading, CLAUSES) == ("c_2",)


@pytest.mark.requirement("R050")
def test_scrolling_past_a_clause_on_its_own_page_counts_as_passing() -> None:
    read = reading.handed_out(Reading(), 2, CLAUSES, later(0)).reading
    assert report(read, 2, 1, scrolled_past=("c_1",)).newly_passed == ("c_1",)
    assert report(read, 2, 1, scrolled_past=("c_2", "c_9")).newly_passed == ()


def test_what_was_not_opened_cannot_be_acknowledged() -> None:
    with pytest.raises(KeyError):
        reading.acknowledged(Reading(), CLAUSES[0])


STEPS = st.lists(
    st.tuples(st.sampled_from(["hand", "report"]), st.integers(1, 5), st.integers(0, 30), st.floats(0, 1e6)),
    max_size=30,
)


@given(STEPS)
def test_nobody_reads_for_longer_than_time_has_passed(steps: list[tuple[str, int, int, float]]) -> None:
    read, at = Reading(), 0.0
    for what, page, passes, claimed in steps:
        at += passes
        if what == "hand":
            read = reading.handed_out(read, page, CLAUSES, later(at)).reading
        else:
            read = report(read, page, at, seconds=claimed, seen=("c_1", "c_2")).reading
    assert sum(read.seconds.values()) <= at + 0.05
    assert reading.from_body(reading.to_body(read)) == read


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("Skuldebrev.pdf", "Skuldebrev"),
        ("C:\\hem\\Maja\\lön.PDF", "lön"),
        ("../../etc/passwd", "passwd"),
        ("fdp.\u202egnp.exe", "fdp. gnp.exe"),
        ("a\x00b\nc.pdf", "a b c"),
        ("deklaration_19121212-1212.pdf", "deklaration …"),
        (".pdf", "Dokument"),
        ("", "Dokument"),
        ("x" * 500, "x" * 120),
    ],
)
def test_a_name_is_fit_for_a_screen(given_name: str, shown: str) -> None:
    assert shown_name(given_name, fallback="Dokument") == shown


@given(st.text(max_size=300))
def test_no_name_breaks_a_screen_or_a_header(name: str) -> None:
    shown = shown_name(name, fallback="Dokument")
    assert 0 < len(shown) <= 120
    assert shown.isprintable() or " " in shown
    assert file_name(shown).isascii()
    assert not set(file_name(shown)) & set('"\r\n;/\\')


def test_words_are_found_whatever_their_case_and_marks() -> None:
    assert split("Årsredovisning_2025, Bolån") == ["arsredovisning", "2025", "bolan"]


def test_every_reason_has_its_sentence_in_every_language() -> None:
    texts = load_texts()
    for reason in REASONS:
        key = refusal(reason).params["sentence"]
        for language in texts:
            assert texts[language][str(key)], (language, key)


def test_no_sentence_of_a_refusal_blames_or_shouts() -> None:
    for sentences in load_texts().values():
        for key, sentence in sentences.items():
            assert "!" not in sentence, key
            assert "tyvärr" not in sentence.lower(), key


@pytest.mark.parametrize(
    "table",
    [
        {"scaner": "x"},
        {"scanner": "127.0.0.1:3310"},
        {"scanner": "tcp:127.0.0.1:0"},
        {"scanner": "unix:relative"},
        {"scanner": 7},
        {"max_megabytes": 0},
        {"max_megabytes": True},
        {"max_pages": "many"},
        {"page_text": "perhaps"},
        {"unsafe_weak_sandbox": "yes"},
        {"office": "/there/is/no/soffice"},
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_start(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        read_settings(table)


def test_settings_have_safe_defaults(tmp_path: Path) -> None:
    settings = read_settings({"office": ""})
    assert settings.scanner == ""
    assert settings.office is None
    assert settings.unsafe_weak_sandbox is False
    assert read_settings({"scanner": f"unix:{tmp_path}/clamd"}).scanner.startswith("unix:/")
