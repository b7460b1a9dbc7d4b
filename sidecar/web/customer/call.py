"""Meeting now, without a booking."""

from contextlib import suppress

from flask import g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import InvalidInputError, NotFoundError, RefusedError
from sidecar.domain.ids import ParticipantId
from sidecar.domain.meetings import MeetingState, Participant, ParticipantState
from sidecar.web.access import access
from sidecar.web.customer.blueprint import customer
from sidecar.web.customer.parts import take_place
from sidecar.web.guard import services, sessions, translator


@customer.get("/call")
@access("anyone")
def call() -> str:
    """Meet now, without a booking, inside the opening hours."""
    return _call_page("")


@customer.post("/call")
@access("anyone")
def start_call() -> AnyResponse | str:
    product = services()
    session = sessions().visit()
    sessions().check_csrf(session)
    ref = request.form.get("type", "")
    name = ref.split("@")[0]
    country = request.form.get("country", g.brand.country)
    if country not in product.settings.stores.domiciles:
        raise InvalidInputError("Customers in this country cannot be served.", field="country")
    if found := _begun(name, country):
        return redirect(f"/v/{found.id}/arrive")
    try:
        here = product.on_demand.begin(name, brand=g.brand.id, language=g.language, country=country)
    except RefusedError as error:
        return _call_page(product.policy.sentences.say(str(error.params["sentence"]), g.language))
    except NotFoundError:
        return _call_page(translator().t("meeting.choose_type"))
    take_place(here)
    return redirect(f"/v/{here.id}/arrive")


def _begun(name: str, country: str) -> Participant | None:
    """Return the same call that this browser began before and took no further: pressed twice, it is one call."""
    product = services()
    for pid in reversed(sessions().visit().get("places", ())):
        with suppress(NotFoundError):
            here = product.meetings.participant(ParticipantId(pid))
            meeting = product.meetings.get(here.meeting)
            unused = here.state is ParticipantState.ARRIVED and meeting.state is MeetingState.BOOKED
            same = product.policy.type(meeting.type_ref).name == name and meeting.domicile == country
            if unused and same and meeting.on_demand:
                return here
    return None


def _call_page(problem: str) -> str:
    product, t = services(), translator()
    now = product.clock()
    hours = product.hours(g.brand.id)
    session = sessions().visit()
    session.changed = True  # the form's csrf value must be known when it comes back
    return render_template(
        "customer/call.html",
        csrf=session["csrf"],
        step=None,
        open=hours.is_open(now),
        hours=_hours_rows(),
        closes_at=None if hours.is_always else hours.closes_at(now),
        opens_at=hours.opens_next(now),
        waiting=sum(place.absent_since is None for _, place in product.on_demand.waiting(g.brand.id)),
        types=[
            {
                "ref": each.ref,
                "title": each.title[g.language],
                "summary": each.summary[g.language],
                "needs": t.listing([t.method(name) for name in product.arrival.methods_for(each)], either=True),
            }
            for each in product.on_demand.types()
        ],
        chosen=request.form.get("type", ""),
        countries=_countries(),
        country=request.form.get("country", g.brand.country),
        problem=problem,
        urls={"start": "/call"},
    )


def _countries() -> list[dict[str, str]]:
    """Return where a caller can live, by name: the countries that have a region for their data."""
    named = translator().locale.territories
    found = [{"code": code, "name": named.get(code, code)} for code in services().settings.stores.domiciles]
    return sorted(found, key=lambda each: each["name"])


def _hours_rows() -> list[dict[str, str]]:
    """Return the opening hours in words, equal days in a row together."""
    t, open_hours = translator(), services().hours(g.brand.id)
    spans = open_hours.spans
    if open_hours.is_always:
        return []
    names = t.locale.days["format"]["wide"]
    rows: list[dict[str, str]] = []
    days = list(enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")))
    for index, day in days:
        span = spans.get(day)
        if span is None:
            continue
        sign = "." if t.language in ("sv", "nb", "da", "fi") else ":"
        text = "–".join(f"{minute // 60}{sign}{minute % 60:02d}" for minute in span)
        if rows and rows[-1]["text"] == text and rows[-1]["last"] == str(index - 1):
            rows[-1] |= {"last": str(index), "to": names[index]}
        else:
            rows.append({"text": text, "last": str(index), "from": names[index], "to": names[index]})
    return [
        {"day": row["from"] if row["from"] == row["to"] else f"{row['from']}–{row['to']}", "text": row["text"]}
        for row in rows
    ]
