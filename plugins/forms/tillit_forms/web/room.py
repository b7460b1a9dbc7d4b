"""The forms of one meeting: filled in together, each seeing what their part lets them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.plugin_api import (
    Capacity,
    Core,
    InvalidInputError,
    NotFoundError,
    PlaceView,
    PluginAct,
    PluginRequest,
    PluginResponse,
    Route,
)
from tillit_forms import views
from tillit_forms.fields import FieldError, masked, show
from tillit_forms.forms import Forms
from tillit_forms.kept import Answer, Form, State
from tillit_forms.library import Library
from tillit_forms.signing import FormSigning
from tillit_forms.template import Template

SEE, LEAD = "view_document", "present_document"  # who sees forms; who begins them and puts them forward


class RoomRoutes:
    """Routes for those inside the room."""

    def __init__(self, *, core: Core, forms: Forms, library: Library, signing: FormSigning) -> None:
        self._core, self._forms, self._library, self._signing = core, forms, library, signing

    def routes(self) -> Sequence[Route]:
        def route(method: Any, path: str, handle: Any, permission: str = SEE) -> Route:
            return Route(method, path, "occupant", handle, permission=permission, max_body=64 * 1024)

        return (
            route("GET", "forms", self.listed),
            route("POST", "forms", self.begin, LEAD),
            route("GET", "forms/<form>", self.shown),
            route("PUT", "forms/<form>/fields/<field>", self.change),
            route("POST", "forms/<form>/here", self.here),
            route("POST", "forms/<form>/papers", self.papers, LEAD),
            route("POST", "forms/<form>/reopen", self.reopen, LEAD),
            route("POST", "forms/<form>/withdraw", self.withdraw, LEAD),
            route("POST", "forms/<form>/sign", self.sign, LEAD),
        )

    def listed(self, request: PluginRequest) -> PluginResponse:
        """List the meeting's forms, and for who may begin one the forms there are."""
        place = request.here
        forms = [
            {"id": each.id, "title": self._title(each, request.language), "state": str(each.state)}
            for each in self._forms.of_meeting(place.meeting)
            if each.state is not State.WITHDRAWN
        ]
        leads = LEAD in place.permissions
        templates = []
        if leads:
            for each in self._library.in_force(self._forms.today(place.brand)).values():
                if not _fits_meetings(each):
                    continue
                language = each.language(request.language)
                offered = {"name": each.name, "title": each.title[language], "about": each.about[language]}
                templates.append(offered)
        return PluginResponse(json={"forms": forms, "templates": templates, "leads": leads})

    def begin(self, request: PluginRequest) -> PluginResponse:
        place, given = request.here, _object(request)
        today = self._forms.today(place.brand)
        template = self._library.newest(_text(given, "name"), today)
        if not _fits_meetings(template):
            raise NotFoundError("There is no such form for a meeting.")
        language = next(
            (each.language for each in self._core.places(place.meeting) if not each.is_staff), request.language
        )
        form = self._forms.begin(
            template,
            brand=place.brand,
            language=language,
            origin="room",
            by=place.person,
            place=place,
            answers=self._prefilled(template, place),
        )
        return PluginResponse(status=201, json=self._view(form, request))

    def shown(self, request: PluginRequest) -> PluginResponse:
        return PluginResponse(json=self._view(self._form(request), request))

    def change(self, request: PluginRequest) -> PluginResponse:
        """Set one answer. "over": what another wrote meanwhile and this replaced, as this reader may see it."""
        given, place = _object(request), request.here
        seen = given.get("seen", 0)
        if type(seen) is not int or not 0 <= seen < 1_000_000_000:
            raise InvalidInputError("seen is the number of the answer that was seen.", field="seen")
        name = request.path["field"]
        changed = self._forms.change(
            request.path["form"], name, given.get("value"), seen=seen, place=place, undo=given.get("undo") is True
        )
        view = self._view(changed.form, request)
        reader = self._reader(changed.form, request)
        before = changed.before
        view["before"] = self._one(changed.form, name, before, reader) if before is not None else None
        view["over"] = changed.over
        return PluginResponse(json=view)

    def here(self, request: PluginRequest) -> PluginResponse:
        """Tell the others which field this person is in; nothing is kept of it."""
        given, form, place = _object(request), self._form(request), request.here
        name = given.get("field", "")
        if name and name not in self._forms.template(form).fields:
            raise NotFoundError("There is no such question.")
        public = {"form": form.id, "field": name, "by": place.participant}
        self._core.tell(PluginAct("forms.entered", place=place, public=public))
        return PluginResponse(status=204)

    def papers(self, request: PluginRequest) -> PluginResponse:
        place = request.here
        form = self._forms.make_papers(self._form(request), place=place, by=place.person)
        return PluginResponse(json=self._view(form, request))

    def reopen(self, request: PluginRequest) -> PluginResponse:
        return PluginResponse(json=self._view(self._forms.reopen(self._form(request), place=request.here), request))

    def withdraw(self, request: PluginRequest) -> PluginResponse:
        form = self._forms.withdraw(self._form(request), place=request.here)
        return PluginResponse(json={"id": form.id, "state": str(form.state)})

    def sign(self, request: PluginRequest) -> PluginResponse:
        place = request.here
        form = self._signing.begin(self._form(request), place=place, by=place.person)
        return PluginResponse(json=self._view(form, request))

    # What another plugin may carry over: offered as the service "forms"

    def carry(self, place: PlaceView, values: Mapping[str, str]) -> Mapping[str, Any]:
        """Set these fields in the meeting's newest open form that asks for them, as this person.

        Return {"form": id, "title": in the person's language, "fields": labels of what was set}. Raises NotFoundError
        where no open form asks for any of them.
        """
        self._core.require(place, SEE, "forms.field_changed")
        for form in reversed(self._forms.of_meeting(place.meeting)):
            template = self._forms.template(form)
            known = {
                name: value
                for name, value in values.items()
                if name in template.fields and place.capacity.value in template.field(name).filled_by
            }
            if form.state is not State.OPEN or not known:
                continue
            language = template.language(place.language)
            for name, value in known.items():
                seen = form.answers[name].n if name in form.answers else 0
                self._forms.change(form.id, name, value, seen=seen, place=place)
            labels = [template.field(name).label[language] for name in known]
            return {"form": form.id, "title": template.title[language], "fields": labels}
        raise NotFoundError("No open form asks for these figures.")

    def _form(self, request: PluginRequest) -> Form:
        form = self._forms.get(request.path["form"])
        if form.meeting != request.here.meeting:
            raise NotFoundError("There is nothing here, or not for you.")
        return form

    def _prefilled(self, template: Template, place: PlaceView) -> dict[str, str]:
        """Return first answers from what the product knows. What does not fit is left for the person."""
        customer = next((each for each in self._core.places(place.meeting) if each.capacity == "customer"), None)
        today = self._forms.today(place.brand)
        known = {"person.name": customer.name if customer else "", "meeting.date": today.isoformat()}
        found = {}
        for _, question in template.questions():
            written = known.get(question.field.prefill, "")
            if written:
                try:
                    found[question.field.name] = self._forms.check(template, question.field.name, written, today=today)
                except FieldError:
                    continue
        return found

    def _reader(self, form: Form, request: PluginRequest) -> views.Reader:
        place = request.here
        places = self._core.places(place.meeting)
        return views.Reader(
            language=request.language,
            fills=place.capacity.value if form.state is State.OPEN else "",
            say=request.t,
            person=place.person,
            unmasked="see_unmasked" in place.permissions,
            names={each.person: each.participant for each in places if each.person},
        )

    def _one(self, form: Form, name: str, answer: Answer, reader: views.Reader) -> dict[str, Any]:
        """Return an answer that was replaced, so that it can be shown and put back."""
        template = self._forms.template(form)
        field = template.field(name)
        hidden = bool(answer.value) and views.is_hidden(field, answer, reader)
        words = {each: reader.say(f"forms.{each}") for each in ("yes", "no")}
        language = template.language(reader.language)
        return {
            "shown": masked(field, answer.value) if hidden else show(field, answer.value, language, words=words),
            "value": "" if hidden else answer.value,
            "by": reader.names.get(answer.by, ""),
            "masked": hidden,
        }

    def _view(self, form: Form, request: PluginRequest) -> dict[str, Any]:
        template, standing = self._forms.template(form), self._forms.standing(form)
        reader, place = self._reader(form, request), request.here
        hidden = frozenset(
            name
            for name, field in template.fields.items()
            if name in standing.values and views.is_hidden(field, form.answers.get(name), reader)
        )
        papers = [
            views.paper(self._forms.paper(form, standing, each, hidden=hidden, draft=True))
            for each in standing.agreements
        ]
        language = template.language(request.language)
        return {
            "id": form.id,
            "version": form.version,
            "title": template.title[language],
            "about": template.about[language],
            "language": language,
            "state": str(form.state),
            "complete": standing.complete,
            "left": len({gap.field for gap in standing.gaps}),
            "sections": views.sections(template, standing, form.answers, reader, today=self._forms.today(form.brand)),
            "papers": papers,
            "files": [
                {"key": each.key, "title": each.title, "sha256": each.sha256, "document": each.document}
                for each in form.papers
            ],
            "signing": form.signing,
            "leads": LEAD in place.permissions,
            "people": {each.participant: each.name for each in self._core.places(place.meeting)},
            "me": place.participant,
        }

    def _title(self, form: Form, language: str) -> str:
        template = self._forms.template(form)
        return template.title[template.language(language)]


def _fits_meetings(template: Template) -> bool:
    """Say whether somebody in a meeting could sign it."""
    return any(each in template.signers for each in Capacity)


def _object(request: PluginRequest) -> Mapping[str, Any]:
    given = request.json
    if not isinstance(given, dict):
        raise InvalidInputError("The request is an object.", field="body")
    return given


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise InvalidInputError(f"{key} is a text.", field=key)
    return value
