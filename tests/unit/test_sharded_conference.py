"""Commands go to the shard a room is on, and a shard's last answer is believed for a moment only."""

from collections.abc import Mapping

import pytest

from sidecar.adapters.shards import ShardedConference
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.services.ports import ConferenceUnavailableError
from sidecar.testing import FakeConference

MAJA = ParticipantId("p_maja")


class Side(FakeConference):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def answers(self, shard: str) -> bool:
        self.asked += 1
        return not self.down

    def health(self) -> Mapping[str, str]:
        return {"prosody": "closed" if self.down else "ok"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.requirement("R207")
def test_a_command_reaches_the_shard_of_its_room_alone() -> None:
    se, fi = Side(), Side()
    both = ShardedConference({"se": se, "fi": fi})
    both.expel(room=RoomName("fi-1"), participant=MAJA, reason="left")
    both.mute(room=RoomName("se-1"), participant=MAJA, kind="audio")
    both.end(room=RoomName("fi-1"), reason="ended")

    assert [call[0] for call in fi.calls] == ["expel", "end"]
    assert [call[0] for call in se.calls] == ["mute"]
    for gone in ("no-1", "0123456789abcdef"):
        with pytest.raises(ConferenceUnavailableError):
            both.end(room=RoomName(gone), reason="ended")


def test_a_yes_is_believed_for_three_seconds_and_a_no_for_half_a_second() -> None:
    side, clock = Side(), Clock()
    both = ShardedConference({"se": side}, monotonic=clock)

    assert [both.answers("se") for _ in range(5)] == [True] * 5
    side.down = True
    clock.now = 2.9
    assert both.answers("se")
    assert side.asked == 1
    clock.now = 3.1
    assert not both.answers("se")
    side.down = False
    clock.now = 3.5
    assert not both.answers("se")
    clock.now = 3.7
    assert both.answers("se")
    assert not both.answers("no"), "one that nobody knows cannot be entered"


def test_readiness_names_each_shard_and_end_to_end_needs_all_of_them() -> None:
    se, bridge = Side(), Side()
    both = ShardedConference({"se": se, "": bridge})
    se.down = True

    assert both.health() == {"shard-se-prosody": "closed", "prosody": "ok"}
    se.end_to_end = True
    assert not both.end_to_end
    bridge.end_to_end = True
    assert both.end_to_end
