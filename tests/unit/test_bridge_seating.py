"""Places and the speaker: nothing jumps without need."""

from sidecar.bridge.seating import seat
from sidecar.bridge.speaker import SpeakerDetector


def test_everybody_gets_a_place_in_order() -> None:
    assert seat(3, {}, ["a", "b"]) == {0: "a", 1: "b"}


def test_who_stays_keeps_the_place() -> None:
    assert seat(3, {0: "a", 1: "b", 2: "c"}, ["c", "d", "b"]) == {1: "b", 2: "c", 0: "d"}


def test_only_the_most_important_fit() -> None:
    assert seat(2, {0: "a", 1: "b"}, ["c", "a", "b"]) == {0: "a", 1: "c"}


def test_a_place_that_no_longer_exists_is_given_up() -> None:
    assert seat(1, {0: "a", 1: "b"}, ["b"]) == {0: "b"}


def speak(detector: SpeakerDetector, levels: dict[str, float], start: float, seconds: float) -> list[float]:
    """Return the moments at which the speaker changed."""
    ticks = [start + n * 0.25 for n in range(int(seconds * 4))]
    return [now for now in ticks if detector.update(levels, now)]


def test_a_voice_is_the_speaker_after_a_second_and_a_half() -> None:
    detector = SpeakerDetector()
    changes = speak(detector, {"a": 110.0, "b": 20.0}, 0.0, 5)
    assert detector.speaker == "a"
    assert len(changes) == 1
    assert 1.5 <= changes[0] <= 2.5


def test_a_cough_changes_nothing() -> None:
    detector = SpeakerDetector()
    speak(detector, {"a": 110.0, "b": 0.0}, 0.0, 10)
    speak(detector, {"a": 100.0, "b": 120.0}, 10.0, 1)
    speak(detector, {"a": 110.0, "b": 0.0}, 11.0, 5)
    assert detector.speaker == "a"


def test_a_speaker_is_kept_for_four_seconds() -> None:
    detector = SpeakerDetector()
    (first,) = speak(detector, {"a": 110.0, "b": 0.0}, 0.0, 3)
    changes = speak(detector, {"a": 0.0, "b": 115.0}, first + 0.25, 8)
    assert detector.speaker == "b"
    assert changes[0] - first >= 4.0


def test_the_speaker_stays_through_silence() -> None:
    detector = SpeakerDetector()
    speak(detector, {"a": 110.0, "b": 0.0}, 0.0, 5)
    assert speak(detector, {"a": 5.0, "b": 5.0}, 5.0, 20) == []
    assert detector.speaker == "a"


def test_who_left_is_no_longer_the_speaker() -> None:
    detector = SpeakerDetector()
    speak(detector, {"a": 110.0, "b": 0.0}, 0.0, 5)
    assert detector.update({"b": 0.0}, 6.0)
    assert detector.speaker is None
