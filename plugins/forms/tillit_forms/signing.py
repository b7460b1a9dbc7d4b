"""The signing of a form's papers, by the service "signing" of whatever plugin offers it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sidecar.plugin_api import ClientView, Core, NotFoundError, PlaceView, PluginAct, PluginRefusedError
from tillit_forms.forms import Forms
from tillit_forms.kept import Form, State

REFERENCE = "forms:"


class SigningService(Protocol):
    """What we ask of it; offered under the name "signing". Values only, so that neither side imports the other."""

    def begin(
        self,
        *,
        meeting: str | None,
        brand: str,
        language: str,
        title: str,
        text: str,
        documents: Sequence[Mapping[str, Any]],
        parties: Sequence[Mapping[str, Any]],
        deadline: datetime,
        by: str,
        reference: str,
    ) -> str: ...

    def methods(self, signing: str, party: str) -> list[Mapping[str, Any]]: ...

    def act(
        self,
        signing: str,
        party: str,
        what: str,
        *,
        client: ClientView,
        method: str = "",
        answer: Mapping[str, str] = {},
        same_device: bool = False,
        return_path: str = "",
    ) -> Mapping[str, Any]: ...

    def view(self, signing: str) -> Mapping[str, Any]: ...

    def sealed(self, signing: str, document_key: str) -> bytes: ...


class FormSigning:
    """Puts a form's papers before those who sign."""

    def __init__(self, *, core: Core, forms: Forms, clock: Callable[[], datetime], days: int) -> None:
        self._core, self._forms, self._clock, self._days = core, forms, clock, days

    def service(self) -> SigningService:
        """Raises PluginRefusedError where nothing signs here."""
        try:
            found: SigningService = self._core.service("signing")
        except NotFoundError:
            raise PluginRefusedError("Nothing signs here.", sentence="forms.no_signing") from None
        return found

    def begin(self, form: Form, *, place: PlaceView | None, by: str) -> Form:
        """Begin the signing of a form whose papers are made, and return the form. Twice gives the first again."""
        if form.signing:
            return form
        if form.state is not State.READY:
            raise PluginRefusedError("The papers are not made.", sentence="forms.not_ready")
        parties = self._parties(form)
        if not parties:
            raise PluginRefusedError("Nobody who signs is here.", sentence="forms.no_signers")
        template = self._forms.template(form)
        keys = [each["key"] for each in parties]
        signing = self.service().begin(
            meeting=form.meeting,
            brand=form.brand,
            language=form.language,
            title=template.title[template.language(form.language)],
            text=self._text(form),
            documents=[
                {"key": each.key, "name": each.file, "parties": keys}
                | ({"document": each.document} if each.document else {"data": self._core.objects.get(each.object)})
                for each in form.papers
            ],
            parties=parties,
            deadline=self._clock() + timedelta(days=self._days),
            by=by,
            reference=REFERENCE + form.id,
        )
        act = PluginAct(
            "forms.signing_begun",
            {"form": form.id, "signing": signing, "papers": len(form.papers), "parties": len(parties)},
            place=place,
            meeting=form.meeting,
            actor=by,
            public={"form": form.id},
        )
        return self._forms.save(replace(form, state=State.SIGNING, signing=signing), act)

    def _parties(self, form: Form) -> list[Mapping[str, Any]]:
        template = self._forms.template(form)
        methods = list(template.signing)
        if form.meeting is None:
            return [{"key": "p1", "participant": "", "person": form.person, "methods": methods, "turn": 1}]
        places = [
            each
            for each in self._core.places(form.meeting)
            if each.capacity.value in template.signers and each.inside and each.person
        ]
        return [
            {"key": f"p{at}", "participant": each.participant, "person": each.person, "methods": methods, "turn": 1}
            for at, each in enumerate(places, 1)
        ]

    def _text(self, form: Form) -> str:
        """Return what the signer reads in the app: which papers, with their digests. The papers hold the rest."""
        lines = [f"- {each.title} ({each.sha256[:12]})" for each in form.papers]
        return "\n".join([self._core.t(form.language, "forms.sign_text"), "", *lines])
