"""Forms driven by another system: its own fields in, finished papers to sign out."""

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.plugin_api import LANGUAGES, Core, InvalidInputError, NotFoundError, PluginRequest, PluginResponse, Route
from tillit_forms.delivery.acts import Deliveries
from tillit_forms.forms import Forms
from tillit_forms.kept import Form
from tillit_forms.library import Library
from tillit_forms.signing import FormSigning
from tillit_forms.template import Template
from tillit_forms.web.public import paper_file
from tillit_forms.web.visiting import Visits

RIGHT = "forms.drive"


class ApiRoutes:
    """Routes for connected systems. A system sees the forms it began itself."""

    def __init__(
        self,
        *,
        core: Core,
        forms: Forms,
        library: Library,
        visits: Visits,
        signing: FormSigning,
        deliveries: Deliveries,
    ) -> None:
        self._core, self._forms, self._library = core, forms, library
        self._visits, self._signing, self._deliveries = visits, signing, deliveries

    def routes(self) -> Sequence[Route]:
        def route(method: Any, path: str, handle: Any, summary: str) -> Route:
            return Route(method, path, "system", handle, permission=RIGHT, max_body=256 * 1024, summary=summary)

        return (
            route("GET", "templates", self.templates, "List the forms a system may fill in, with their fields."),
            route("POST", "templates/<name>/forms", self.begin, "Fill in a form: answers in, papers to sign out."),
            route("GET", "forms/<form>", self.state, "Return how far a form has come, its papers and deliveries."),
            route("GET", "forms/<form>/papers/<paper>", self.paper, "Return a paper as PDF, sealed once it is signed."),
        )

    def templates(self, request: PluginRequest) -> PluginResponse:
        found = self._library.in_force(self._forms.today(request.brand)).values()
        return PluginResponse(json={"templates": [_schema(each) for each in found if each.signer is not None]})

    def begin(self, request: PluginRequest) -> PluginResponse:
        """Answer 201 with the form and its signer's address, or 422 with each field that is missing or wrong."""
        given = request.json
        if not isinstance(given, dict) or set(given) - {"answers", "language", "reference"}:
            raise InvalidInputError("A form has answers, language and reference.", field="body")
        reference = given.get("reference", "")
        language = given.get("language", "sv")
        if not isinstance(reference, str) or len(reference) > 100 or language not in LANGUAGES:
            raise InvalidInputError(
                "language is one of ours; reference a text of at most 100 signs.", field="reference"
            )
        template = self._library.newest(request.path["name"], self._forms.today(request.brand))
        if template.signer is None:
            raise NotFoundError("There is no such form for a system.")
        answers, wrong = self._visits.read(template, given.get("answers", {}), by="system", brand=request.brand)
        standing = self._visits.standing(template, answers, brand=request.brand)
        problems = [{"field": name, "why": why, "params": params} for name, (why, params) in sorted(wrong.items())]
        problems += [
            {"field": gap.field, "why": gap.detail or gap.why, "params": dict(gap.params)}
            for gap in standing.gaps
            if gap.field not in wrong
        ]
        if problems:
            return PluginResponse(status=422, json={"problems": problems})
        form, secret = self._visits.begin(
            template,
            answers,
            origin="system",
            by=str(request.system),
            brand=request.brand,
            language=language,
            reference=reference,
        )
        link = self._core.link(None, self._visits.path(form, secret), brand=request.brand)
        return PluginResponse(status=201, json=self._shown(form) | {"sign_at": link})

    def state(self, request: PluginRequest) -> PluginResponse:
        return PluginResponse(json=self._shown(self._own(request)))

    def paper(self, request: PluginRequest) -> PluginResponse:
        data, name = paper_file(self._core, self._signing, self._own(request), request.path["paper"])
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return PluginResponse(data=data, media_type="application/pdf", headers=headers)

    def _own(self, request: PluginRequest) -> Form:
        form = self._forms.get(request.path["form"])
        if form.origin != "system" or form.by != request.system:
            raise NotFoundError("There is nothing here, or not for you.")
        return form

    def _shown(self, form: Form) -> dict[str, Any]:
        return {
            "form": form.id,
            "template": form.template,
            "reference": form.reference,
            "state": str(form.state),
            "papers": [{"key": each.key, "title": each.title, "sha256": each.sha256} for each in form.papers],
            "deliveries": [
                {"to": each.to, "state": each.state, "attempts": each.attempts, "problem": each.problem}
                for each in self._deliveries.of_form(form)
            ],
        }


def _schema(template: Template) -> Mapping[str, Any]:
    fields = [
        {
            "name": each.name,
            "kind": each.kind,
            "label": dict(each.label),
            "required": each.required,
            "choices": [choice.value for choice in each.choices],
            "asked_when": question.when.source if question.when else "",
        }
        for _, question in template.questions()
        if (each := question.field).formula is None and "system" in each.filled_by
    ]
    return {
        "name": template.name,
        "version": template.version,
        "title": dict(template.title),
        "signing": list(template.signing),
        "fields": fields,
    }
