"""After the meeting: the list of journals, one journal as a story, the evidence file and its check."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from flask import Response, jsonify, render_template, request

from sidecar.domain.audit import Entry
from sidecar.domain.evidence_rows import documents_shown, signatures_made
from sidecar.domain.ids import MeetingId
from sidecar.domain.journal import describe
from sidecar.domain.meetings import FINAL_STATES, Participant, ParticipantState
from sidecar.domain.verify_evidence import Report, verify
from sidecar.services.journals import Journal
from sidecar.web.access import access
from sidecar.web.desk.blueprint import day_of, desk, moment_of
from sidecar.web.desk.plugins import plugin_sentences
from sidecar.web.desk.rows import deliveries, initials, row, was_undone
from sidecar.web.desk.story import story_of
from sidecar.web.guard import services, staff, translator
from sidecar.web.room_state import verified_label

_JOURNAL_DAYS = 90
_SHOWN = 50


@desk.get("/journals")
@access("staff")
def journals() -> str:
    """List meetings that are over, the latest first: one's own, or all where the role may. before: a moment."""
    product, me = services(), staff()
    now = product.clock()
    everyone = product.staff.may(me, "read_all_journals")
    asked = request.args.get("before", "")
    until = moment_of(asked, field="before") if asked else now + timedelta(days=1)
    found = product.meetings.between(now - timedelta(days=_JOURNAL_DAYS), until, adviser=None if everyone else me.id)
    over = [each for each in reversed(found) if each.state in FINAL_STATES and not was_undone(each)]
    shown = over[:_SHOWN]
    days = groupby([row(each) for each in shown], key=lambda each: day_of(each["starts"])[0])
    return render_template(
        "staff/journals.html",
        days=[(day, list(rows)) for day, rows in days],
        everyone=everyone,
        before=asked,
        older=shown[-1].starts_at.isoformat() if len(over) > _SHOWN else "",
        weeks=_JOURNAL_DAYS // 7,
    )


@desk.get("/meetings/<mid>/journal")
@access("staff")
def journal(mid: str) -> str:
    product, t = services(), translator()
    found = product.journals.read(MeetingId(mid), staff())
    meeting = found.meeting
    meeting_type = product.policy.type(meeting.type_ref)
    told = plugin_sentences()
    story = story_of(
        found.entries,
        meeting=meeting,
        places=found.places,
        names=found.names,
        say=lambda entry: describe(
            entry,
            t.language,
            found.names,
            rules=_rules_in_words(entry, t.language, meeting.type_ref),
            plugin_texts=told,
        ),
        words=_words,
    )
    sent_at = _delivered_at(found.entries, "summary.sent")
    return render_template(
        "staff/journal.html",
        row=row(meeting),
        meeting=meeting,
        day=day_of(meeting.opened_at or meeting.starts_at)[0],
        people=[_person(place, found) for place in found.places if _took_part(place)],
        summary=_summary(found),
        story=story,
        chat=[
            {"at": line.at, "name": found.names.get(line.sender, ""), "text": line.text, "holds": holds}
            for line, holds in found.chat
        ],
        sent=[
            each | {"at": sent_at.get(each["participant"])}
            for each in deliveries(meeting)
            if each["template"] == "summary"
        ],
        rules={
            "title": meeting_type.title[t.language],
            "name": meeting_type.name,
            "version": meeting_type.version,
            "band": meeting_type.band.value,
            "order": meeting_type.band.order + 1,
            "region": meeting.region,
            "retain_until": meeting.retain_until,
        },
        is_over=meeting.state in FINAL_STATES,
        same_day=lambda moment: day_of(moment)[0] == day_of(meeting.opened_at or meeting.starts_at)[0],
        printed_at=product.clock(),
    )


@desk.get("/meetings/<mid>/evidence")
@access("staff")
def evidence(mid: str) -> Response:
    data = services().journals.evidence(MeetingId(mid), actor=staff().id, reader=staff())
    return Response(
        data,
        mimetype="application/vnd.tillit.evidence+json",
        headers={
            "Content-Disposition": f'attachment; filename="tillit-{mid}.evidence.json"',
            "Cache-Control": "no-store",
        },
    )


@desk.get("/meetings/<mid>/evidence/check")
@access("staff")
def check_evidence(mid: str) -> Response:
    """Check the evidence file with the verifier an outsider runs. {holds, sentence, first_bad, problems, size}."""
    product, t = services(), translator()
    data = product.journals.evidence(MeetingId(mid), actor=staff().id, reader=staff())
    report = verify(data, fingerprints=frozenset(product.evidence_fingerprints()))
    size = t("desk.evidence.size", size=max(1, round(len(data) / 1000)))
    now = product.clock()
    return jsonify(
        holds=report.genuine,
        sentence=_verdict(report, now),
        first_bad=str(report.first_bad) if report.first_bad else "",
        problems=[problem.sentence for problem in report.problems],
        entries=report.entries,
        size=size,
    )


def _verdict(report: Report, now: datetime) -> str:
    t = translator()
    if report.genuine:
        return t("desk.evidence.whole", count=report.entries, time=t.clock(now))
    bad = report.first_bad
    if bad is None:
        return t("desk.evidence.bad", time=t.clock(now))
    known = ", ".join(part for part in (bad.kind, _clock_of(bad.at)) if part)
    return t("desk.evidence.bad.entry", number=bad.number, what=known or "?", time=t.clock(now))


def _clock_of(text: str) -> str:
    """Return a file's own moment in words, as far as it can be read."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return translator().when(moment, services().clock()) if moment.tzinfo else ""


def _summary(found: Journal) -> dict[str, Any]:
    """Return the four figures above the story, counted in the log itself."""
    came = [place for place in found.places if place.joined_at is not None]
    kinds = [entry.record.kind for entry in found.entries]
    return {
        "people": len(came),
        "in_room": sum(place.state is ParticipantState.IN_ROOM for place in found.places),
        "all_identified": bool(came) and all(place.is_staff or place.identified for place in came),
        "documents": len({row.document for row in documents_shown(found.entries)}),
        "signed": len({row.entry for row in signatures_made(found.entries)}),
        "recorded": "recording.started" in kinds,
    }


def _person(place: Participant, found: Journal) -> dict[str, Any]:
    """Return one participant: name, part, how the name was verified, when the person was there."""
    product, t = services(), translator()
    name = found.names.get(str(place.id), "")
    return {
        "name": name,
        "initials": initials(name),
        "capacity_label": t(f"meeting.capacity.{place.capacity.value}"),
        "verified": verified_label(product, place, t),
        "verified_at": place.identified.at if place.identified else None,
        "joined": place.joined_at,
        "left": place.left_at or found.meeting.ended_at,
        "is_inside": place.state is ParticipantState.IN_ROOM,
    }


def _took_part(place: Participant) -> bool:
    return place.joined_at is not None or place.identified is not None


def _delivered_at(entries: Sequence[Entry], kind: str) -> dict[str, datetime]:
    return {
        str(entry.record.data.get("participant", "")): entry.record.at for entry in entries if entry.record.kind == kind
    }


def _rules_in_words(entry: Entry, language: str, type_ref: str) -> dict[str, str]:
    """Return the rule of a refusal as the sentence the person was told."""
    sentences = services().policy.sentences
    rule, key = str(entry.record.data.get("rule", "")), str(entry.record.data.get("sentence", ""))
    return {rule: sentences.say(key, language, type=type_ref)} if key in sentences.keys else {}


def _words(key: str, value: str) -> str:
    """Return a type's title and version, or what a raise is called; "" where the journal's own words do."""
    product, t = services(), translator()
    if key == "type" and value in product.policy.types:
        found = product.policy.types[value]
        return t("desk.journal.rules", type=found.title[t.language], version=found.version)
    raised = f"desk.raised.{value.replace(':', '.')}"
    return t(raised) if key == "target" and t.has(raised) else ""
