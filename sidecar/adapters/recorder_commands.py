"""The recorder's commands, as each media side carries them out; mixed into the adapters of `Conference`."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from sidecar.adapters.control_client import ControlClient
from sidecar.domain.errors import NotRecordableError
from sidecar.domain.ids import ParticipantId, RecordingId, RoomName
from sidecar.recorder.handover import HandoverError, seal_for
from sidecar.services.ports import ConferenceUnavailableError
from sidecar.services.recording_ports import Recorder


class RecorderCommands:
    """The commands to one process that records. The DEK travels sealed to a key it offers for this one recording."""

    _recorder: ControlClient | None  # None: a media side without a recorder, where nothing begins or is stopped

    def records(self, room: RoomName) -> bool:
        return self._recorder is not None

    def start_recording(
        self, *, room: RoomName, recording: RecordingId, dek: bytes, consented: Collection[ParticipantId]
    ) -> None:
        client = self._recorder
        if client is None:
            raise ConferenceUnavailableError("Meetings on this shard cannot be recorded.")
        offered = client.call("POST", "/v1/recorder/keys").body
        try:
            sealed = seal_for(bytes.fromhex(str(offered["key"])), dek, recording=recording)
        except (KeyError, ValueError, HandoverError) as error:
            raise ConferenceUnavailableError("The recorder offered no key to send the recording's under.") from error
        body = {
            "recording": recording,
            "offer": str(offered.get("offer")),
            "sealed_dek": sealed.hex(),
            "consented": sorted(consented),
        }
        answer = client.call("POST", f"/v1/rooms/{room}/recording", body, also=(409,))
        if str(answer.body.get("type", "")).endswith("#not-recordable"):
            raise NotRecordableError
        if answer.status not in (200, 201):
            raise ConferenceUnavailableError("The recorder does not record this room.")

    def allow_recording(self, *, room: RoomName, recording: RecordingId, consented: Collection[ParticipantId]) -> None:
        if self._recorder is not None:
            body = {"recording": recording, "consented": sorted(consented)}
            self._recorder.call("PUT", f"/v1/rooms/{room}/recording", body)

    def stop_recording(self, *, room: RoomName, recording: RecordingId, reason: str) -> None:
        if self._recorder is not None:
            named = f"reason={quote(reason, safe='')}&recording={quote(recording, safe='')}"
            self._recorder.call("DELETE", f"/v1/rooms/{room}/recording?{named}")

    def recording_state(self, room: RoomName) -> Mapping[str, Any]:
        return self._recorder.call("GET", f"/v1/rooms/{room}/recording").body if self._recorder is not None else {}


class _Sides(Protocol):
    def _side(self, room: RoomName) -> Recorder: ...


class ShardedRecorder:
    """Hands each command to the shard the room is on."""

    def records(self: _Sides, room: RoomName) -> bool:
        return self._side(room).records(room)

    def start_recording(
        self: _Sides, *, room: RoomName, recording: RecordingId, dek: bytes, consented: Collection[ParticipantId]
    ) -> None:
        self._side(room).start_recording(room=room, recording=recording, dek=dek, consented=consented)

    def allow_recording(
        self: _Sides, *, room: RoomName, recording: RecordingId, consented: Collection[ParticipantId]
    ) -> None:
        self._side(room).allow_recording(room=room, recording=recording, consented=consented)

    def stop_recording(self: _Sides, *, room: RoomName, recording: RecordingId, reason: str) -> None:
        self._side(room).stop_recording(room=room, recording=recording, reason=reason)

    def recording_state(self: _Sides, room: RoomName) -> Mapping[str, Any]:
        return self._side(room).recording_state(room)
