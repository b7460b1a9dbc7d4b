"""What recordings need from outside: where they are kept, where their media and keys lie."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sidecar.domain.errors import TillitError
from sidecar.domain.ids import MeetingId, ParticipantId, RecordingId, RoomName, StaffId
from sidecar.domain.recordings import Recording, RecordingState


class RecordingDamagedError(TillitError):
    """The recording was changed since it was made, or another key was put beside it."""

    slug = "recording-damaged"


class RecordingTx(Protocol):
    """Changes to recordings, in the transaction of the act: adapters.sql.recording_rows."""

    def add_recording(self, recording: Recording) -> None: ...

    def save_recording(self, recording: Recording) -> Recording:
        """Raises ConflictError when it was changed since it was read."""


class RecordingReader(Protocol):
    """Reads recordings from the meetings store: adapters.sql.recording_rows."""

    def recording(self, recording: RecordingId) -> Recording:
        """Raises NotFoundError."""

    def recordings(
        self,
        *,
        meeting: MeetingId | None = None,
        states: Collection[RecordingState] | None = None,
        adviser: StaffId | None = None,
        before: Recording | None = None,
        limit: int = 200,
    ) -> list[Recording]:
        """Return recordings, the newest first: of a meeting, in these states, of an adviser, older than this one."""

    def unfinished_recordings(self) -> Iterator[Recording]:
        """Yield every recording that is active, or over without the recorder's word for it, however many there are."""

    def due_recordings(self, by: datetime) -> Iterator[Recording]:
        """Yield every stopped recording whose date has come by then and that nothing holds, the earliest date first."""


@dataclass(frozen=True)
class RecordedTrack:
    """One stream of a recording. number: 0 where it is not in it. kind: "microphone", "camera" or "share"."""

    number: int
    participant: ParticipantId
    kind: str


@dataclass(frozen=True)
class RecordingOutline:
    """What a recording holds. pauses: (position in ms, when it stopped, when it went on).

    complete: ended properly; else it was broken off and reaches as far as its last whole piece. left_out: streams
    that came when it had no room for more.
    """

    complete: bool
    began_at: datetime | None
    duration_ms: int
    tracks: tuple[RecordedTrack, ...]
    pauses: tuple[tuple[int, datetime, datetime], ...] = ()
    left_out: tuple[RecordedTrack, ...] = ()

    def position_ms(self, moment: datetime) -> int:
        """Return where on the recording's time line a moment of the meeting lies; in a pause, where that is."""
        if self.began_at is None:
            return 0
        paused_ms = 0.0
        for _, stopped, went_on in self.pauses:
            if moment > stopped:
                paused_ms += (min(moment, went_on) - stopped).total_seconds() * 1000
        plain = (moment - self.began_at).total_seconds() * 1000 - paused_ms
        return max(0, min(self.duration_ms, int(plain)))


@dataclass(frozen=True)
class Watermark:
    """What is burnt into every picture a viewer gets. text: for people. code: 8 hex digits, for machines."""

    text: str
    code: str


class RecordingVault(Protocol):
    """Media and keys of recordings: adapters.recording_vault.FileRecordings."""

    def new_key(self, recording: RecordingId) -> bytes:
        """Make a fresh DEK, keep it wrapped by the region's KEK, and return it. Raises StoreUnavailableError."""

    def destroy(self, recording: RecordingId) -> None:
        """Destroy the key, then the media. No error when they are gone. Raises StoreUnavailableError."""

    def outline(self, recording: RecordingId) -> RecordingOutline:
        """Raises NotFoundError where media or key are gone, RecordingDamagedError."""

    def watch(
        self,
        recording: RecordingId,
        *,
        from_ms: int,
        to_ms: int,
        watermark: Watermark,
        names: Mapping[ParticipantId, str],
        head: bool = True,
    ) -> bytes:
        """Return that part as WebM, watermarked, times as on the recording's line. head: with the file's beginning.

        Raises NotFoundError, RecordingDamagedError, StoreUnavailableError when it cannot be made now.
        """


class Recorder(Protocol):
    """The media side's recorder; a part of Conference: adapters.shards.ShardedConference."""

    def records(self, room: RoomName) -> bool:
        """Say whether this room's media side has a recorder at all."""

    def start_recording(
        self, *, room: RoomName, recording: RecordingId, dek: bytes, consented: Collection[ParticipantId]
    ) -> None:
        """Begin. Whoever is in the room and did not consent pauses it.

        Raises ConferenceUnavailableError, NotRecordableError where nobody could open what would be recorded.
        """

    def allow_recording(
        self, *, room: RoomName, recording: RecordingId, consented: Collection[ParticipantId]
    ) -> None: ...

    def stop_recording(self, *, room: RoomName, recording: RecordingId, reason: str) -> None:
        """End this recording, no other of the room: nothing more is taken once this returns.

        No error when it was over. Raises ConferenceUnavailableError.
        """

    def recording_state(self, room: RoomName) -> Mapping[str, Any]:
        """Return {"recording", "state", "position_ms"}, {} where nothing is recorded.

        A recording nobody has asked after for a minute ends by itself. Raises ConferenceUnavailableError.
        """
