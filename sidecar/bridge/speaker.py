"""Who speaks: judged from sound levels that clients measure, without hearing anything."""

from collections.abc import Mapping

SWITCH_AFTER_S = 1.5  # a cough or a "yes" moves nothing
KEEP_AT_LEAST_S = 4.0
_SILENCE = 127 - 50  # quieter than 50 dB below full scale is a room, not a voice
_SMOOTHING = 0.4


class SpeakerDetector:
    """Chooses one speaker in a room. Levels: 0..127, larger is louder."""

    def __init__(self) -> None:
        self.speaker: str | None = None
        self._smoothed: dict[str, float] = {}
        self._candidate: str | None = None
        self._candidate_since = 0.0
        self._since = float("-inf")

    def update(self, levels: Mapping[str, float], now: float) -> bool:
        """Take the mean level of each participant since the last call. Returns whether the speaker changed."""
        for participant, level in levels.items():
            before = self._smoothed.get(participant, 0.0)
            self._smoothed[participant] = before + _SMOOTHING * (level - before)
        for gone in self._smoothed.keys() - levels.keys():
            del self._smoothed[gone]
        if self.speaker is not None and self.speaker not in levels:
            self.speaker = self._candidate = None
            self._since = now
            return True
        loudest = max(self._smoothed, key=lambda each: self._smoothed[each], default=None)
        if loudest is None or self._smoothed[loudest] < _SILENCE or loudest == self.speaker:
            self._candidate = None
            return False
        if loudest != self._candidate:
            self._candidate, self._candidate_since = loudest, now
        first = self.speaker is None
        if now - self._candidate_since < SWITCH_AFTER_S or (not first and now - self._since < KEEP_AT_LEAST_S):
            return False
        self.speaker, self._since, self._candidate = loudest, now, None
        return True
