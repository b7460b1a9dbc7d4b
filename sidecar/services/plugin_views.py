"""Meetings, places and people as plugins see them, and which plugins a meeting lets in."""

from collections.abc import Callable
from functools import lru_cache

from sidecar.domain.errors import NotFoundError
from sidecar.domain.identity import LoA, Subject
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId
from sidecar.domain.meetings import FINAL_STATES, Meeting, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import (
    Policy,
    Situation,
    band_for,
    integrations_after,
    integrations_for,
    permissions_for,
    signing_for,
)
from sidecar.services.arrival import situation
from sidecar.services.plugin_ports import MeetingView, PersonView, PlaceView
from sidecar.services.ports import MeetingStore, PeopleStore, Person

_NO_NUMBER = frozenset({"email", "phone"})


# As in services.admission: values in, a value out, so no answer goes stale.
@lru_cache(maxsize=1000)
def _permissions(policy: Policy, where: Situation) -> frozenset[str]:
    return permissions_for(policy, where)


@lru_cache(maxsize=1000)
def _integrations(policy: Policy, where: Situation) -> frozenset[str]:
    return integrations_for(policy, where)


def let_in(policy: Policy, meeting: Meeting) -> frozenset[str]:
    """Return the plugins that may be called for this meeting as it stands: during it, or once it is over."""
    where = as_customer(policy, meeting)
    return integrations_after(policy, where) if meeting.state in FINAL_STATES else _integrations(policy, where)


def as_customer(policy: Policy, meeting: Meeting) -> Situation:
    """Return the meeting's own situation, as it is for its customer."""
    return Situation(
        type=policy.type(meeting.type_ref),
        segment=meeting.segment,
        packages=meeting.packages,
        capacity=Capacity.CUSTOMER,
        raises=meeting.raises,
    )


def number_of(person: Person) -> Subject | None:
    """Return the national number an eID's answer is held against, None where none is known."""
    return next(
        (each for each in person.subjects if each.scheme not in _NO_NUMBER and not each.scheme.startswith("staff:")),
        None,
    )


class PluginViews:
    """Reads the stores for plugins."""

    def __init__(
        self,
        *,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        is_inside: Callable[[Meeting, Participant], bool],
        channels: Callable[[Person], tuple[str, ...]],
    ) -> None:
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._is_inside = is_inside
        self._channels = channels

    def place(self, participant: str) -> PlaceView:
        place = self._meetings.participant(ParticipantId(participant))
        return self.place_of(self._meetings.get(place.meeting), place)

    def place_of(self, meeting: Meeting, place: Participant) -> PlaceView:
        where = situation(self._policy, meeting, place)
        pseudonym = place.person or place.staff
        person = self._people.find(pseudonym) if pseudonym else None
        return PlaceView(
            meeting=meeting.id,
            participant=place.id,
            person=pseudonym or "",
            name=person.shown_name if person else "",
            capacity=place.capacity,
            band=band_for(where),
            meeting_type=meeting.type_ref,
            language=place.language,
            brand=meeting.brand,
            loa=LoA(place.identified.loa) if place.identified else None,
            provider=place.identified.provider if place.identified else "",
            permissions=_permissions(self._policy, where),
            is_staff=place.is_staff,
            inside=self._is_inside(meeting, place),
            meeting_state=meeting.state.value,
            away=place.state is ParticipantState.AWAY,
        )

    def places(self, meeting: str) -> list[PlaceView]:
        found = self._meetings.get(MeetingId(meeting))
        return [self.place_of(found, place) for place in self._meetings.participants(found.id)]

    def meeting(self, meeting: str) -> MeetingView:
        found = self._meetings.get(MeetingId(meeting))
        where = as_customer(self._policy, found)
        return MeetingView(
            id=found.id,
            titles=where.type.title,
            type_ref=found.type_ref,
            band=band_for(where),
            segment=found.segment.value,
            brand=found.brand,
            region=found.region,
            state=found.state.value,
            starts_at=found.starts_at,
            ends_at=found.ends_at,
            retain_until=found.retain_until,
            purpose=found.purpose,
            language=found.language,
            case=found.case,
            signing=signing_for(self._policy, where),
            plugins=let_in(self._policy, found),
            places=tuple(self.place_of(found, place) for place in self._meetings.participants(found.id)),
            approvers=where.type.approvers,
        )

    def person(self, person: str) -> PersonView:
        found = self._people.get(PersonId(person))
        if found.kind == "staff":
            raise NotFoundError("There is no such person here, or the person was erased.")
        return PersonView(
            id=found.id,
            name=found.shown_name,
            language=found.language,
            country=found.country,
            channels=self._channels(found),
            has_number=number_of(found) is not None,
        )
