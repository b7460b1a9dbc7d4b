"""The keys of a meeting that is encrypted all the way: passed on between its pages, held by none of us.

A page publishes its public key and, wrapped for each of the others, the key it sends with. What is kept here opens
nothing: the private halves never leave the browsers. The record says whose public key it was, when, and for how many.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from sidecar.domain.errors import ConflictError, InvalidInputError
from sidecar.domain.meetings import Participant
from sidecar.domain.policy import Encryption, Policy, encryption_for
from sidecar.services.acts import Act, Acts
from sidecar.services.admission import Admission
from sidecar.services.arrival import situation
from sidecar.services.ports import MeetingStore

_POINT_BYTES = 65  # an uncompressed point of P-256 (SEC 1, section 2.3.3)
_WRAPPED_BYTES = 12 + 4 + 32 + 16  # nonce, the key's id, the key, the tag


class StrictKeys:
    """Takes what a page publishes. Who may read it is the room's state to say."""

    def __init__(
        self,
        *,
        acts: Acts,
        admission: Admission,
        meetings: MeetingStore,
        policy: Policy,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._admission = admission
        self._meetings = meetings
        self._policy = policy
        self._clock = clock

    def publish(self, place: Participant, *, key: str, sealed: Mapping[str, object]) -> None:
        """Keep a page's public key and what it wrapped for the others, in place of what it published before.

        key: base64url of 65 bytes. sealed: participant id -> base64url of 64 bytes, at most one for each place of
        the meeting. Raises InvalidInputError, ConflictError where the meeting is not encrypted all the way.
        """
        meeting = self._meetings.get(place.meeting)
        if not self._admission.is_inside(meeting, place):
            raise ConflictError("Only somebody who is in the room has keys here.")
        if encryption_for(self._policy, situation(self._policy, meeting, place)) is not Encryption.STRICT:
            raise ConflictError("This meeting is not encrypted all the way.")
        point = _bytes(key, _POINT_BYTES, "key")
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError as error:
            raise InvalidInputError("This is no point on the curve P-256.", field="key") from error
        others = {each.id for each in self._meetings.participants(meeting.id) if each.id != place.id}
        for to, wrapped in sealed.items():
            if to not in others:
                raise InvalidInputError("A key is wrapped for somebody in this meeting.", field="sealed")
            _bytes(wrapped, _WRAPPED_BYTES, "sealed")
        data = {"sha256": hashlib.sha256(point).hexdigest(), "given_to": len(sealed)}
        act = Act("media.keys", str(place.person or place.staff), self._clock(), meeting.id, place.id, data)
        holding = replace(place, media_key=key, sealed_keys=tuple((to, str(each)) for to, each in sealed.items()))
        self._acts.perform(act, effect=lambda tx: tx.save_participant(holding))


def _bytes(text: object, length: int, field: str) -> bytes:
    """Return what base64url without padding stands for, exactly so long and written in the one way."""
    if isinstance(text, str) and len(text) == -(-length * 4 // 3):
        try:
            found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (ValueError, binascii.Error):
            found = b""
        if len(found) == length and base64.urlsafe_b64encode(found).rstrip(b"=").decode() == text:
            return found
    raise InvalidInputError(f"This is base64url of {length} bytes, without padding.", field=field)
