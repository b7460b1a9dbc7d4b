"""What one person's page may know of the meeting's recording: for what, under which law, until when, who is asked."""

from datetime import timedelta
from typing import Any

from sidecar.adapters.i18n import Translator
from sidecar.bootstrap import Services
from sidecar.domain.meetings import Meeting, Participant
from sidecar.domain.permissions import Permission
from sidecar.domain.policy import MeetingType, Situation, decide, purpose_key
from sidecar.domain.recordings import ENCRYPTED, FAILURES, TAKING, Recording, RecordingState, latest_deletion

_SHOWN_AS = {RecordingState.STARTING: RecordingState.ASKING}  # nothing is taken before it runs
_OVER = (RecordingState.STOPPED, RecordingState.CANCELLED)


def recording_view(services: Services, me: Participant, meeting: Meeting, t: Translator) -> dict[str, Any] | None:
    """Return the recording that is asked for, runs or pauses, as this person sees it; None where there is none.

    mine: this person's answer, null before it. waiting: the names of who has not said yes.
    """
    found = services.recordings.active(meeting.id)
    if found is None:
        return None
    present = services.recordings.present(meeting.id)
    missing = set(found.missing([place.id for place in present]))
    paused = found.state in TAKING and bool(missing)
    return {
        "id": found.id,
        "state": RecordingState.PAUSED.value if paused else _SHOWN_AS.get(found.state, found.state).value,
        "asker": found.asked_by == me.id,
        "mine": found.answer_of(me.id),
        "waiting": [name for place in present if place.id in missing and (name := _name(services, place))],
        **in_words(services, meeting, found, t),
    }


def in_words(services: Services, meeting: Meeting, recording: Recording, t: Translator) -> dict[str, str]:
    """Return purpose, law and deletion date as sentences have them."""
    meeting_type = services.policy.type(meeting.type_ref)
    law = next((each.text for each in meeting_type.recording_references if each.name == recording.reference), {})
    return {
        "purpose": services.policy.sentences.say(purpose_key(recording.purpose), t.language),
        "law": law.get(t.language, ""),
        "until": t.short_date(recording.delete_at),
    }


def recording_form(services: Services, meeting: Meeting, where: Situation, t: Translator) -> dict[str, Any] | None:
    """Return what somebody who may record chooses from, None for anybody else, and where there is no recorder."""
    granted = decide(services.policy, where, Permission.RECORD).allowed
    if not granted or not services.conference.records(meeting.room):
        return None
    today = services.clock().date()
    meeting_type: MeetingType = where.type
    say = services.policy.sentences.say
    return {
        "purposes": [
            {"id": each, "label": say(purpose_key(each), t.language)} for each in meeting_type.recording_purposes
        ],
        "laws": [{"id": each.name, "label": each.text[t.language]} for each in meeting_type.recording_references],
        "earliest": (today + timedelta(days=1)).isoformat(),
        "latest": latest_deletion(meeting_type, "", today).isoformat(),
    }


def recorded_until(services: Services, meeting: Meeting, t: Translator) -> str:
    """Return the deletion date while a recording runs, "" otherwise: what the meeting's promise says then."""
    found = services.recordings.active(meeting.id)
    return t.short_date(found.delete_at) if found is not None and found.state in TAKING else ""


def recorded_to(services: Services, meeting: Meeting, t: Translator) -> str:
    """Return the day on which the last of a meeting's recordings is deleted, "" where there is none."""
    kept = services.meetings.recordings(meeting=meeting.id, states=(*TAKING, RecordingState.STOPPED))
    return t.short_date(max(each.delete_at for each in kept)) if kept else ""


def recording_alerts(
    services: Services, me: Participant, meeting: Meeting, t: Translator, *, responsible: bool
) -> list[dict[str, Any]]:
    """Tell the responsible of an end that nobody wished for, and whoever asked that somebody said no."""
    over = services.meetings.recordings(meeting=meeting.id, states=_OVER, limit=5)
    told = [
        (each, _why_it_ended(services, each, t, responsible=responsible, asker=each.asked_by == me.id)) for each in over
    ]
    return [{"id": f"recording-{each.id}", "sentence": sentence} for each, sentence in told if sentence]


def _why_it_ended(services: Services, over: Recording, t: Translator, *, responsible: bool, asker: bool) -> str:
    if responsible and over.stop_reason == ENCRYPTED:
        return services.policy.sentences.say("not-recordable", t.language)
    if responsible and over.stop_reason in FAILURES:
        return t("meeting.recording_failed")
    if asker and over.stop_reason in ("declined", "withdrawn"):
        name = _name(services, services.meetings.participant(over.answers[-1].participant))
        return t(f"meeting.recording_{over.stop_reason}", name=name)
    return ""


def _name(services: Services, place: Participant) -> str:
    pseudonym = place.person or place.staff
    person = services.people.find(pseudonym) if pseudonym else None
    return person.shown_name if person else ""
