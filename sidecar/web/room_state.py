"""What one person's page may know of the room, as JSON: built anew for each reader, nothing hidden is sent."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sidecar.adapters.i18n import Translator
from sidecar.bootstrap import Services
from sidecar.domain.clock import to_text
from sidecar.domain.meetings import INSIDE, Meeting, Participant, ParticipantState
from sidecar.domain.permissions import Permission
from sidecar.domain.policy import (
    Encryption,
    Policy,
    Situation,
    band_for,
    decide,
    encryption_for,
    permissions_for,
    promise,
)
from sidecar.services.arrival import situation
from sidecar.web.guard import translator
from sidecar.web.plugin_panels import shown_panels
from sidecar.web.recording_state import recorded_until, recording_alerts, recording_form, recording_view

_SHOWN = INSIDE | {ParticipantState.LEFT, ParticipantState.EXPELLED}


def room_state(services: Services, me: Participant, t: Translator) -> dict[str, Any]:
    """Return the state JSON of the room page for this person. Names as verified, never a personal number."""
    meeting = services.meetings.get(me.meeting)
    places = services.meetings.participants(meeting.id)
    policy = services.policy
    where = situation(policy, meeting, me)
    permissions = permissions_for(policy, where)
    adviser = next((p for p in places if p.is_staff), None)
    brand = services.brands[meeting.brand]
    refusals = _refusals(
        policy,
        where,
        language=t.language,
        adviser=_name(services, adviser) if adviser else brand.name,
        phone=brand.phone,
    )
    band, encryption = band_for(where), encryption_for(policy, where)
    strict = encryption is Encryption.STRICT
    return {
        "meeting": {
            "id": meeting.id,
            "title": policy.type(meeting.type_ref).title[t.language],
            "type": meeting.type_ref,
            "band": band.value,
            "band_label": t(f"meeting.band.{band.value}"),
            "started_at": to_text(meeting.opened_at) if meeting.opened_at else None,
            "ends_at": to_text(meeting.ends_at),
            "promise": promise(policy, where, t.language, recorded_until=recorded_until(services, meeting, t)),
            "encryption": encryption,
            "state": meeting.state.value,
            "brand": services.brands[meeting.brand].name,
        },
        "me": {
            "id": me.id,
            "name": _name(services, me),
            "capacity": me.capacity.value,
            "permissions": sorted(permissions),
            "session_until": to_text(me.session_until) if me.session_until else None,
        },
        "people": [
            _person(services, meeting, place, t) | (_keys(place, me) if strict else {})
            for place in places
            if place.state in _SHOWN and _came(place)
        ],
        "lobby": _lobby(services, places, t) if Permission.ADMIT in permissions else [],
        "alerts": [
            *(_alerts(places, t) if Permission.ADMIT in permissions else ()),
            *recording_alerts(services, me, meeting, t, responsible=Permission.ADMIT in permissions),
        ],
        "needs_national_id": Permission.INVITE_GUEST in permissions and services.booking.needs_national_id(meeting),
        "panels": shown_panels(services, meeting, me, t),
        "refusals": dict(refusals),
        "recording": recording_view(services, me, meeting, t),
        "recording_form": recording_form(services, meeting, where, t),
        "chat": _chat(services, meeting, places) if Permission.CHAT in permissions else [],
        "raises": [
            {
                "target": target,
                "label": policy.sentences.say(f"raise.{target}", t.language),
                "sentence": policy.sentences.say(f"raise.{target}.text", t.language),
                "check": "" if checked.allowed else f"/desk/meetings/{meeting.id}/start",
            }
            for target, checked in services.room.raises_left(me).items()
        ]
        if Permission.RAISE_SECURITY in permissions
        else [],
    }


# Values in, a value out: a raise, another role package or another adviser makes another key, so no answer goes stale.
@lru_cache(maxsize=1000)
def _refusals(policy: Policy, where: Situation, *, language: str, adviser: str, phone: str) -> Mapping[str, str]:
    """Return the sentence of every permission this person does not have."""
    return MappingProxyType(
        {
            permission.value: policy.sentences.say(decision, language, adviser=adviser, phone=phone)
            for permission in Permission
            if not (decision := decide(policy, where, permission)).allowed
        }
    )


def verified_label(services: Services, place: Participant, t: Translator) -> str:
    """Return how this person was verified, in words: "BankID, tillitsnivå 3"."""
    if place.is_staff:
        return t("meeting.verified.staff")
    if place.identified is None:
        return ""
    key = f"{place.identified.provider}.label"
    return t(key) if t.has(key) else t("meeting.verified.other")


def region_name(region: str) -> str:
    """Return a region in the reader's words: the countries it lies in, else its own name."""
    t = translator()
    key = f"meeting.region.{region.replace('-', '_')}"
    return t(key) if t.has(key) else region


def _came(place: Participant) -> bool:
    return place.state in INSIDE or place.joined_at is not None


def _person(services: Services, meeting: Meeting, place: Participant, t: Translator) -> dict[str, Any]:
    name = _name(services, place)
    return {
        "id": place.id,
        "name": name,
        "given": name.split(" ")[0],
        "capacity": place.capacity.value,
        "capacity_label": t(f"meeting.capacity.{place.capacity.value}"),
        "verified": verified_label(services, place, t),
        "state": "left" if place.state not in INSIDE else _live_state(services, meeting, place),
        "hand": place.hand,
        "sharing": place.sharing,
    }


def _keys(place: Participant, reader: Participant) -> dict[str, str]:
    """Return whose key this is, in words that are the same in every language, and what was wrapped for the reader."""
    how = place.identified
    return {
        "key": place.media_key,
        "level": f"{how.provider}/{how.loa}" if how else "staff",
        "sealed": dict(place.sealed_keys).get(reader.id, ""),
    }


def _live_state(services: Services, meeting: Meeting, place: Participant) -> str:
    """Return where somebody with a part in the room is: "away" while the place of a broken connection waits."""
    if place.state is ParticipantState.AWAY:
        return "away" if place.lost and services.admission.is_inside(meeting, place) else "left"
    return "in_room" if place.state is ParticipantState.IN_ROOM else "admitted"


def _lobby(services: Services, places: Sequence[Participant], t: Translator) -> list[dict[str, Any]]:
    return [
        {
            "id": place.id,
            "name": _name(services, place),
            "verified": verified_label(services, place, t),
            "since": to_text(place.waiting_since) if place.waiting_since else None,
            "away_since": to_text(place.absent_since) if place.absent_since else None,
            "capacity_label": t(f"meeting.capacity.{place.capacity.value}"),
        }
        for place in places
        if place.state is ParticipantState.WAITING
    ]


def _alerts(places: Sequence[Participant], t: Translator) -> list[dict[str, Any]]:
    """Say that another person tried, not who it was, and that somebody says this is no call of theirs."""
    return [
        {
            "id": f"{kind}-{place.id}-{times}",
            "sentence": t(f"meeting.{kind}", capacity=t(f"meeting.capacity.{place.capacity.value}")),
        }
        for place in places
        for kind, times in (("wrong_person", place.wrong_person_tries), ("declined_call", place.declined_calls))
        if times
    ]


def _chat(services: Services, meeting: Meeting, places: Sequence[Participant]) -> list[dict[str, Any]]:
    lines = services.meetings.chat(meeting.id)
    names = {place.id: _name(services, place) for place in places} if lines else {}
    return [
        {
            "id": line.id,
            "from": line.sender,
            "name": names.get(line.sender, ""),
            "at": to_text(line.at),
            "text": line.text,
        }
        for line in lines
    ]


def _name(services: Services, place: Participant) -> str:
    pseudonym = place.person or place.staff
    person = services.people.find(pseudonym) if pseudonym else None
    return person.shown_name if person else ""
