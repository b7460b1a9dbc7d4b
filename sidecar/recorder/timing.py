"""One time line for everybody's sound and picture, from clocks that all run a little differently.

Each sender stamps its streams by clocks of its own. Its reports (RTCP SR) say which moment of its one clock a stamp
means, so voice and lips stay together; where that clock lies on ours is learnt from how soon reports arrive: the
one that travelled fastest tells it best. Before the first reports a frame counts as of its arrival, and is put right
later (`TrackClock.reported`). Stamps that no honest clock could make are taken as of their arrival.
Source: RFC 3550 section 6.4.1.
"""

from collections import deque

_WINDOW_S = 60.0  # of reports looked back on: long enough for a fast one, short enough to follow a clock
_SLEW_PER_S = 0.002  # how fast the learnt place moves: twenty times what a bad crystal does
_SETTLING_S = 10.0  # after the first report a better guess is taken at once
_LATEST_S, _EARLIEST_S = 3.0, 0.5  # a frame comes at most so long after, or before, the moment it claims
_SURE_S = 20.0  # after the first report: several have come, and the fastest of them tells the place well
_CATCH_UP = 0.05  # share of the running time by which a track moves towards a better mapping
_STEP_S = 0.5  # a difference larger than this is jumped: nothing can be in step meanwhile


class SenderClock:
    """Where one participant's own clock lies on ours. offset_s: to be added to its seconds; None before a report."""

    def __init__(self) -> None:
        self.offset_s: float | None = None
        self._heard: deque[tuple[float, float]] = deque()
        self._first_at = 0.0
        self._moved_at = 0.0

    def heard(self, theirs_s: float, arrived_s: float) -> None:
        """A report that says `theirs_s` came at `arrived_s`, steady seconds of ours."""
        sample = arrived_s - theirs_s
        if self.offset_s is not None and abs(sample - self.offset_s) > 2 * _LATEST_S:
            self._heard.clear()  # the clock was set anew, or lies: begin again from this report
            self.offset_s = None
        heard = self._heard
        heard.append((arrived_s, sample))
        while arrived_s - heard[0][0] > _WINDOW_S or len(heard) > 256:
            heard.popleft()
        best = min(each[1] for each in heard)
        if self.offset_s is None:
            self._first_at, self._moved_at = arrived_s, arrived_s
            self.offset_s = sample
        elif arrived_s - self._first_at < _SETTLING_S:
            self.offset_s = best
        else:
            most = _SLEW_PER_S * max(0.0, arrived_s - self._moved_at)
            self.offset_s += max(-most, min(most, best - self.offset_s))
        self._moved_at = arrived_s

    def is_sure(self, now: float) -> bool:
        """Say whether the place is known well: from here on it only follows the clock."""
        return self.offset_s is not None and now - self._first_at >= _SURE_S


class TrackClock:
    """Says when a track's frame was made, in our steady seconds."""

    def __init__(self, rate: int, sender: SenderClock) -> None:
        self._rate = rate
        self._sender = sender
        self._report: tuple[int, float] | None = None  # unwrapped stamp, the sender's own seconds
        self._arrival: tuple[int, float] | None = None  # unwrapped stamp, our seconds
        self._newest = 0
        self._known = False
        self._last: tuple[int, float] | None = None

    def report(self, timestamp: int, theirs_s: float) -> None:
        """A sender report ties a stamp to a moment of the sender's clock."""
        if self._known:
            self._report = (self._full(timestamp), theirs_s)

    def moment(self, timestamp: int, arrived_s: float) -> float:
        """Return when the frame with this stamp was made. Never more than seconds from its arrival."""
        if not self._known:
            self._known = True
            self._newest = 0x100000000 + timestamp
        stamp = self._full(timestamp)
        self._newest = max(self._newest, stamp)
        if self._arrival is None:
            self._arrival = (stamp, arrived_s)
        target = self._mapped(stamp, arrived_s)
        if self._last is not None:
            before_stamp, before = self._last
            elapsed = (stamp - before_stamp) / self._rate
            plain = before + elapsed
            difference = target - plain
            if abs(difference) < _STEP_S:
                most = _CATCH_UP * abs(elapsed)
                target = plain + max(-most, min(most, difference))
        self._last = (stamp, target)
        return target

    def reported(self, timestamp: int, arrived_s: float) -> float | None:
        """Return when the frame was made as the sender's reports have it by now; None without any, or if they lie."""
        return self._reported(self._full(timestamp), arrived_s)

    def is_sure(self, now: float) -> bool:
        """Say whether what the reports say will stay as it is."""
        return self._report is not None and self._sender.is_sure(now)

    def _reported(self, stamp: int, arrived_s: float) -> float | None:
        offset = self._sender.offset_s
        if self._report is None or offset is None:
            return None
        at, theirs = self._report
        moment = theirs + (stamp - at) / self._rate + offset
        return moment if -_EARLIEST_S < arrived_s - moment < _LATEST_S else None

    def _mapped(self, stamp: int, arrived_s: float) -> float:
        reported = self._reported(stamp, arrived_s)
        if reported is not None:
            return reported
        assert self._arrival is not None
        at, ours = self._arrival
        moment = ours + (stamp - at) / self._rate
        if not -_EARLIEST_S < arrived_s - moment < _LATEST_S:
            self._arrival = (stamp, arrived_s)
            return arrived_s
        return moment

    def _full(self, timestamp: int) -> int:
        difference = (timestamp - self._newest) & 0xFFFFFFFF
        return self._newest + difference - (0x100000000 if difference >= 0x80000000 else 0)
