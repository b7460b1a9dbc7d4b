"""Turns: one at a time for one place, and nobody waits for somebody else's place."""

import threading

import pytest

from sidecar.domain.errors import ConflictError
from sidecar.web.turns import Turns


def test_the_second_for_the_same_place_waits_for_the_first() -> None:
    turns, order = Turns(), []
    second_asks = threading.Event()

    def second() -> None:
        second_asks.set()
        turns.take("p_maja")
        order.append("second")
        turns.give_back("p_maja")

    turns.take("p_maja")
    thread = threading.Thread(target=second)
    thread.start()
    assert second_asks.wait(60)
    order.append("first")
    turns.give_back("p_maja")
    thread.join(60)

    assert order == ["first", "second"]


def test_another_place_does_not_wait() -> None:
    turns = Turns(longest_wait_s=0.01)

    turns.take("p_maja")
    turns.take("p_samir")


def test_a_wait_without_end_ends_as_a_conflict_and_leaves_the_line() -> None:
    turns = Turns(longest_wait_s=0.01)
    turns.take("p_maja")

    with pytest.raises(ConflictError):
        turns.take("p_maja")
    turns.give_back("p_maja")
    turns.take("p_maja")


def test_nothing_is_kept_of_places_nobody_asks_for() -> None:
    turns = Turns()
    for number in range(100):
        turns.take(f"p_{number}")
        turns.give_back(f"p_{number}")

    assert turns._locks == {}


def test_of_many_in_parallel_never_two_have_the_turn() -> None:
    turns, inside, most = Turns(), [0], [0]

    def work() -> None:
        for _ in range(50):
            turns.take("p_maja")
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            inside[0] -= 1
            turns.give_back("p_maja")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert most == [1]
