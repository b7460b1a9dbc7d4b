"""Who gets which receive slot. A pure function: nobody who has a place is moved without need."""

from collections.abc import Mapping, Sequence


def seat(places: int, seated: Mapping[int, str], wanted: Sequence[str]) -> dict[int, str]:
    """Return place -> participant for one receiver.

    seated: how it is now. wanted: who should be seen and heard, the most important first; more than there
    are places is fine. Whoever stays keeps the place, so that no picture jumps.
    """
    chosen = set(wanted[:places])
    result = {place: who for place, who in seated.items() if who in chosen and place < places}
    free = (place for place in range(places) if place not in result)
    sitting = set(result.values())
    for who in wanted[:places]:
        if who not in sitting:
            result[next(free)] = who
    return result
