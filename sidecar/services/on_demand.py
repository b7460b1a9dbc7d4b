"""A call without a booking: from the bank's page to the first adviser who is free (R038, R040)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sidecar.domain.clock import to_text
from sidecar.domain.errors import NotFoundError
from sidecar.domain.ids import MeetingId, ParticipantId, new_id
from sidecar.domain.meetings import Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.opening_hours import OpeningHours
from sidecar.domain.permissions import Capacity
from sidecar.domain.placement import new_room
from sidecar.domain.policy import Decision, MeetingType, Policy, Segment
from sidecar.services.acts import Act, Acts
from sidecar.services.placement import Placement
from sidecar.services.ports import MeetingStore, MeetingTx

_CLOSED = Decision(False, "default/opening-hours", "outside-hours")
_LASTS = timedelta(hours=1)


class OnDemand:
    """Opens a call for somebody who is not known yet; who they are is shown by their eID."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        policy: Policy,
        clock: Callable[[], datetime],
        hours: Callable[[str], OpeningHours],
        region_for: Callable[[str], str],
        placement: Placement,
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._policy = policy
        self._clock = clock
        self._hours = hours
        self._region_for = region_for
        self._placement = placement

    def types(self) -> Sequence[MeetingType]:
        """Return the meeting types that may begin without a booking."""
        return [t for t in self._policy.current_types(today=self._clock().date()) if t.on_demand]

    def begin(self, type_name: str, *, brand: str, language: str, country: str = "SE") -> Participant:
        """Open a call and return the caller's place. Raises RefusedError outside opening hours."""
        now = self._clock()
        meeting_type = next((t for t in self.types() if t.name == type_name), None)
        if meeting_type is None:
            raise NotFoundError("Calls of this kind are booked.")
        meeting_id = MeetingId(new_id("m"))
        place = Participant(
            id=ParticipantId(new_id("p")),
            meeting=meeting_id,
            capacity=Capacity.CUSTOMER,
            state=ParticipantState.ARRIVED,
            language=language,
        )
        act = Act(
            "meeting.booked",
            place.id,
            now,
            meeting_id,
            data={
                "type": meeting_type.ref,
                "policy_sha256": meeting_type.source_sha256,
                "band": meeting_type.band.value,
                "on_demand": True,
                "starts_at": to_text(now),
            },
        )
        if not self._hours(brand).is_open(now):
            self._acts.refuse(act, _CLOSED)
        shard = self._placement.choose(country, answering=True)
        if isinstance(shard, Decision):
            self._acts.refuse(act, shard)
        meeting = Meeting(
            id=meeting_id,
            state=MeetingState.BOOKED,
            type_ref=meeting_type.ref,
            brand=brand,
            segment=Segment.PRIVATE,
            adviser=None,
            packages=frozenset(),
            room=new_room(shard),
            region=self._region_for(country),
            purpose=meeting_type.title[language],
            language=language,
            starts_at=now,
            ends_at=now + _LASTS,
            booked_at=now,
            retain_until=now + timedelta(days=meeting_type.retention_days),
            on_demand=True,
            booked_by=place.id,
            domicile=country,
        )
        adviser_place = Participant(
            id=ParticipantId(new_id("p")),
            meeting=meeting_id,
            capacity=Capacity.ADVISER,
            state=ParticipantState.INVITED,
            language=language,
        )

        def effect(tx: MeetingTx) -> Participant:
            tx.add_meeting(meeting)
            tx.add_participant(adviser_place)
            tx.add_participant(place)
            return place

        return self._acts.perform(act, effect=effect)

    def waiting(self, brand: str) -> list[tuple[Meeting, Participant]]:
        """Return a brand's calls that wait for an adviser, longest first; behind them those whose page is not open."""
        calls = []
        for meeting in self._meetings.in_states((MeetingState.BOOKED,), started_by=self._clock()):
            if meeting.on_demand and meeting.brand == brand and meeting.adviser is None:
                calls += [
                    (meeting, place)
                    for place in self._meetings.participants(meeting.id)
                    if place.state is ParticipantState.WAITING
                ]
        return sorted(
            calls, key=lambda call: (call[1].absent_since is not None, call[1].waiting_since or call[0].starts_at)
        )
