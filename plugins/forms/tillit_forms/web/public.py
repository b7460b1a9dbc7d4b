"""A form on a page of its own: filled in, read through and signed by whoever came, on our page or in the bank's.

There is no session and no cookie: a page in another site's frame gets none. What opens a form is the secret in its
address, and the only thing that can be done with it is to read and sign that one form.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.plugin_api import (
    Core,
    InvalidInputError,
    NotFoundError,
    PluginRefusedError,
    PluginRequest,
    PluginResponse,
    Route,
)
from tillit_forms import views
from tillit_forms.forms import Forms
from tillit_forms.kept import Form, State
from tillit_forms.library import Library
from tillit_forms.signing import FormSigning
from tillit_forms.template import Template
from tillit_forms.web.limits import Limit
from tillit_forms.web.visiting import Visits

BEGINS_PER_HOUR = 60  # from one address: an office behind one address included
ACTS = frozenset({"start", "poll", "submit", "cancel", "decline"})
PARTY = "p1"


class PublicRoutes:
    """Routes for anyone."""

    def __init__(
        self,
        *,
        core: Core,
        forms: Forms,
        library: Library,
        visits: Visits,
        signing: FormSigning,
        frame_origins: tuple[str, ...],
    ) -> None:
        self._core, self._forms, self._library = core, forms, library
        self._visits, self._signing, self._origins = visits, signing, frame_origins
        self._limit = Limit(BEGINS_PER_HOUR)

    def routes(self) -> Sequence[Route]:
        def route(method: Any, path: str, handle: Any) -> Route:
            return Route(method, path, "anyone", handle, max_body=256 * 1024)

        return (
            route("GET", "f/<name>", self.page),
            route("POST", "f/<name>/check", self.check),
            route("POST", "f/<name>/begin", self.begin),
            route("GET", "s/<form>/<secret>", self.own_page),
            route("GET", "s/<form>/<secret>/state", self.state),
            route("GET", "s/<form>/<secret>/papers/<paper>", self.paper),
            route("POST", "s/<form>/<secret>/act", self.act),
        )

    def page(self, request: PluginRequest) -> PluginResponse:
        """Serve the empty form. With ?embed=1 without our own bar and foot, for a frame in the bank's page."""
        template = self._template(request)
        return self._page(request, template, step="fill", base=f"/x/forms/f/{template.name}")

    def check(self, request: PluginRequest) -> PluginResponse:
        """Say where these answers stand. Nothing is kept."""
        template, given = self._template(request), _object(request)
        answers, wrong = self._visits.read(template, given.get("answers", {}), by="visitor", brand=request.brand)
        return PluginResponse(json=self._standing(request, template, answers, wrong))

    def begin(self, request: PluginRequest) -> PluginResponse:
        """Keep a complete form and answer with its own address; an incomplete one is answered with what is missing."""
        template, given = self._template(request), _object(request)
        answers, wrong = self._visits.read(template, given.get("answers", {}), by="visitor", brand=request.brand)
        view = self._standing(request, template, answers, wrong)
        if wrong or not view["complete"]:
            return PluginResponse(status=422, json=view)
        if not self._limit.take(request.client.ip, request.now):
            raise PluginRefusedError("Too many forms from this address.", sentence="forms.too_many")
        form, secret = self._visits.begin(
            template, answers, origin="public", by="", brand=request.brand, language=request.language
        )
        return PluginResponse(status=201, json={"path": f"/x/forms/{self._visits.path(form, secret)}"})

    def own_page(self, request: PluginRequest) -> PluginResponse:
        form = self._open(request)
        base = f"/x/forms/{self._visits.path(form, request.path['secret'])}"
        return self._page(request, self._forms.template(form), step="sign", base=base)

    def state(self, request: PluginRequest) -> PluginResponse:
        """Return the papers as text, how far it has come, and the ways to sign."""
        form = self._open(request)
        standing = self._forms.standing(form)
        papers = [
            views.paper(self._forms.paper(form, standing, each, hidden=frozenset(), draft=False))
            for each in standing.agreements
        ]
        return PluginResponse(json={"state": str(form.state), "papers": papers} | self._ways(form))

    def paper(self, request: PluginRequest) -> PluginResponse:
        form = self._open(request)
        data, name = paper_file(self._core, self._signing, form, request.path["paper"])
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return PluginResponse(data=data, media_type="application/pdf", headers=headers)

    def act(self, request: PluginRequest) -> PluginResponse:
        """Take one step of the signing. The first begins it."""
        form, given = self._open(request), _object(request)
        what, method = given.get("what"), given.get("method", "")
        answer = given.get("answer", {})
        if what not in ACTS or not isinstance(method, str) or not _is_texts(answer):
            raise InvalidInputError("A step has what, method and answer.", field="what")
        if form.state is State.READY:
            form = self._signing.begin(form, place=None, by=form.person)
        if form.state is not State.SIGNING:
            return PluginResponse(json={"status": "ended", "state": str(form.state)})
        service = self._signing.service()
        if not method and what == "start":
            return PluginResponse(json={"status": "choose"} | self._ways(form))
        step = service.act(
            form.signing,
            PARTY,
            what,
            client=request.client,
            method=method,
            answer=answer,
            same_device=given.get("same_device") is True,
            return_path=f"/x/forms/{self._visits.path(form, request.path['secret'])}",
        )
        signing = str(service.view(form.signing)["state"])
        if step["status"] != "complete" and signing != "open":  # declined, or somebody else ended it
            return PluginResponse(json={"status": "ended", "state": signing})
        return PluginResponse(json=_step(step, request) | {"state": signing})

    def _ways(self, form: Form) -> dict[str, Any]:
        """Return the ways to sign, named in the form's language, and how the signing itself stands."""
        if not form.signing:
            return {"methods": [], "signing": ""}
        service = self._signing.service()
        methods = [
            {"name": each["name"], "kind": each["kind"], "title": self._title(form, each)}
            for each in service.methods(form.signing, PARTY)
            if each["kind"] != "eid" or self._is_numbered(form)
        ]
        return {"methods": methods, "signing": str(service.view(form.signing)["state"])}

    def _is_numbered(self, form: Form) -> bool:
        """Say whether the signer gave the number an eID is held against; without one it could be anybody's."""
        signer = self._forms.template(form).signer
        return signer is not None and bool(self._forms.standing(form).values.get(signer.number))

    def _title(self, form: Form, method: Mapping[str, Any]) -> str:
        own = method["kind"] in ("touch", "sms")
        key = f"forms.way.{method['kind']}" if own else f"{method['name']}.title"
        return self._core.t(form.language, key)

    def _open(self, request: PluginRequest) -> Form:
        return self._visits.open(request.path["form"], request.path["secret"])

    def _template(self, request: PluginRequest) -> Template:
        template = self._library.newest(request.path["name"], self._forms.today(request.brand))
        if not self._visits.is_published(template):
            raise NotFoundError("There is nothing here, or not for you.")
        return template

    def _page(self, request: PluginRequest, template: Template, *, step: str, base: str) -> PluginResponse:
        language = template.language(request.language)
        keys = sorted(each for each in PAGE_TEXTS)
        embedded = request.query.get("embed") == "1" and bool(self._origins)
        return PluginResponse(
            page="forms/public.html",
            context={
                "form_title": template.title[language],
                "form_about": template.about[language],
                "form_language": language,
                "step_here": step,
                "base": base,
                "embedded": embedded,
                "texts": {each: request.t(f"forms.panel.{each}", **KEPT) for each in keys},
            },
            may_embed=self._origins if embedded else (),
        )

    def _standing(
        self,
        request: PluginRequest,
        template: Template,
        answers: Mapping[str, str],
        wrong: Mapping[str, tuple[str, dict[str, str]]],
    ) -> dict[str, Any]:
        standing = self._visits.standing(template, answers, brand=request.brand)
        sections = self._visits.sections(
            template, answers, standing, language=request.language, brand=request.brand, say=request.t
        )
        for section in sections:
            for question in section["fields"]:
                if question["name"] in wrong:
                    why, params = wrong[question["name"]]
                    question["problem"], question["missing"] = request.t(f"forms.wrong.{why}", **params), True
        left = {gap.field for gap in standing.gaps} | set(wrong)
        return {"sections": sections, "complete": not left, "left": len(left)}


# Sentences of the public page, below forms.panel. in the texts; the panel has them too.
PAGE_TEXTS = (
    "yes",
    "no",
    "choose",
    "required",
    "optional",
    "left",
    "left_one",
    "all_done",
    "country",
    "review",
    "read_through",
    "change",
    "sign",
    "how_sign",
    "critical",
    "download",
    "signed",
    "signed_text",
    "declined",
    "ended",
    "decline",
    "decline_ask",
    "decline_not",
    "cancel",
    "code",
    "draw",
    "clear",
    "type_name",
    "confirm",
    "waiting",
    "open_app",
    "other_device",
    "missing",
    "loading",
    "failed",
    "computed",
    "others",
    "masked",
)
KEPT = {name: f"{{{name}}}" for name in ("title", "count")}  # filled in by the page, not by the server


def paper_file(core: Core, signing: FormSigning, form: Form, key: str) -> tuple[bytes, str]:
    """Return a form's paper and its file name: the sealed one once there is one. Raises NotFoundError."""
    kept = next((each for each in form.papers if each.key == key), None)
    if kept is None:
        raise NotFoundError("There is no such paper.")
    name = (
        "".join(sign if sign.isalnum() and sign.isascii() else "-" for sign in f"{form.template}-{kept.key}") + ".pdf"
    )
    if form.signing:
        try:
            return signing.service().sealed(form.signing, key), name
        except NotFoundError:
            pass  # not sealed yet: the paper as it will be signed
    return core.objects.get(kept.object), name


def _step(step: Mapping[str, Any], request: PluginRequest) -> dict[str, Any]:
    """Return a step for the page, its sentence in the reader's language."""
    message = step.get("message", "")
    sentence = request.t(message, **step.get("params", {})) if message else ""
    return {"status": step["status"], "sentence": sentence, "view": dict(step.get("view", {}))}


def _is_texts(answer: object) -> bool:
    return isinstance(answer, dict) and all(isinstance(k, str) and isinstance(v, str) for k, v in answer.items())


def _object(request: PluginRequest) -> Mapping[str, Any]:
    given = request.json
    if not isinstance(given, dict):
        raise InvalidInputError("The request is an object.", field="body")
    return given
