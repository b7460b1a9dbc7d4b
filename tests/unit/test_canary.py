"""The canary's columns: what is written is read, from any column on, and nothing else is taken for one."""

import random
import zlib
from itertools import islice

import pytest

from sidecar.domain import canary
from sidecar.domain.errors import InvalidInputError


def turned(columns: tuple[bool, ...], by: int) -> list[bool]:
    return list(columns[by:] + columns[:by])


@pytest.mark.requirement("R206")
@pytest.mark.parametrize("number", [1, 2, 255, 4711, 65535])
def test_a_number_is_read_from_any_column_on_and_inverted(number: int) -> None:
    columns = canary.columns_of(number)

    for by in range(canary.COLUMNS):
        assert canary.read_columns(turned(columns, by)) == number
        assert canary.read_columns([not each for each in turned(columns, by)]) == number


@pytest.mark.requirement("R206")
def test_one_wrong_check_column_is_forgiven_and_two_are_not() -> None:
    columns = list(canary.columns_of(4711))
    for place in range(16, canary.COLUMNS):
        columns[place] = not columns[place]
        assert canary.read_columns(columns) == 4711
        columns[place] = not columns[place]
    columns[20], columns[50] = not columns[20], not columns[50]

    assert canary.read_columns(columns) is None


@pytest.mark.requirement("R206")
def test_no_canary_looks_like_another_ones_whichever_column_it_begins_from() -> None:
    chosen = random.Random(3).sample(range(1, canary.MOST + 1), 300)

    for number in chosen:
        assert canary.read_columns(turned(canary.columns_of(number), number % canary.COLUMNS)) == number


@pytest.mark.requirement("R206")
def test_columns_made_by_chance_are_none() -> None:
    dice = random.Random(4)
    made = ([dice.random() < 0.5 for _ in range(canary.COLUMNS)] for _ in iter(int, 1))

    assert [each for each in islice(made, 3000) if canary.read_columns(each)] == []
    for plain in ([True] * 64, [False] * 64, [True, False] * 32, [True, True, False, False] * 16):
        assert canary.read_columns(plain) is None
    assert canary.read_columns([True] * 63) is None


def test_every_canary_turns_often_enough_to_be_paced() -> None:
    for number in range(1, canary.MOST + 1, 97):
        columns = canary.columns_of(number)
        turns = sum(columns[place] != columns[place - 1] for place in range(canary.COLUMNS))
        assert turns >= 14, number


@pytest.mark.parametrize("number", [0, -1, 65536])
def test_a_number_that_is_none_is_refused(number: int) -> None:
    with pytest.raises(InvalidInputError):
        canary.columns_of(number)


def test_the_picture_is_the_columns() -> None:
    data = canary.png(4711, canary.Shades(light=200, dark=10), cell_px=2)
    start = data.index(b"IDAT") + 4
    rows = zlib.decompress(data[start:-16])

    assert len(rows) == 4 * 129
    assert [each == 200 for each in rows[1:129:2]] == list(canary.columns_of(4711))
    assert [each == 10 for each in rows[2 * 129 + 1 : 3 * 129 : 2]] == list(canary.columns_of(4711))
    assert canary.svg(4711).count("h12v12h-12z") == canary.COLUMNS
    assert 'url("canary-4711-dark.svg")' in canary.css(4711)
