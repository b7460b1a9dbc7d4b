"""Forms outside meetings: begun with answers from a public page or another system, signed by one visitor."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sidecar.plugin_api import Core, InvalidInputError, NotFoundError, PluginRefusedError, Records, Subject
from tillit_forms import views
from tillit_forms.delivery.acts import FORGET
from tillit_forms.fields import FieldError
from tillit_forms.filling import Standing, stand
from tillit_forms.forms import Forms
from tillit_forms.kept import Answer, Form
from tillit_forms.template import Template

MOST_ANSWERS = 400


class Visits:
    """What a public page and the open API have in common."""

    def __init__(
        self, *, core: Core, forms: Forms, clock: Callable[[], datetime], key_of: bytes, published: tuple[str, ...]
    ) -> None:
        self._core, self._forms, self._clock = core, forms, clock
        self._key_of, self._published = key_of, published

    def is_published(self, template: Template) -> bool:
        return template.publish and template.name in self._published

    def read(
        self, template: Template, given: object, *, by: str, brand: str
    ) -> tuple[dict[str, str], dict[str, tuple[str, dict[str, str]]]]:
        """Return the answers that are of their form, and why the others are not: field -> (why, params).

        by: "visitor" or "system". Raises InvalidInputError for what is no set of answers to this form.
        """
        if not isinstance(given, Mapping) or len(given) > MOST_ANSWERS:
            raise InvalidInputError("answers is an object: field -> answer.", field="answers")
        fields, today = template.fields, self._forms.today(brand)
        answers: dict[str, str] = {}
        wrong: dict[str, tuple[str, dict[str, str]]] = {}
        for name, written in given.items():
            field = fields.get(name)
            if field is None or field.formula is not None or by not in field.filled_by:
                raise InvalidInputError("There is no such question in this form.", field="answers")
            try:
                value = self._forms.check(template, name, written, today=today)
            except FieldError as error:
                wrong[name] = (error.why, error.params)
                continue
            if value:
                answers[name] = value
        return answers, wrong

    def standing(self, template: Template, answers: Mapping[str, str], *, brand: str) -> Standing:
        return stand(template, answers, today=self._forms.today(brand))

    def begin(
        self,
        template: Template,
        answers: Mapping[str, str],
        *,
        origin: str,
        by: str,
        brand: str,
        language: str,
        reference: str = "",
    ) -> tuple[Form, str]:
        """Keep a complete form, make its papers, return it with its address's secret. Raises PluginRefusedError.

        by: the system that drives it, "" for the visitor.
        """
        standing = self.standing(template, answers, brand=brand)
        if not standing.complete:
            raise PluginRefusedError("The form is not complete.", sentence="forms.incomplete")
        if template.signer is None:
            raise PluginRefusedError("This form is for meetings.", sentence="forms.no_signers")
        secret = secrets.token_urlsafe(24)
        person = self._person(template, standing, language)
        actor = by or person
        until = self._clock() + timedelta(days=template.keep_days)

        def remember(records: Records, form: Form) -> None:
            records.add_errand(FORGET, {"form": form.id}, due_at=until)

        form = self._forms.begin(
            template,
            brand=brand,
            language=language,
            origin=origin,
            by=actor,
            answers=answers,
            key=self._digest(secret),
            person=person,
            reference=reference,
            also=remember,
        )
        return self._forms.make_papers(form, place=None, by=actor), secret

    def open(self, form: str, secret: str) -> Form:
        """Return the form behind an address. Raises NotFoundError, whichever half of it is wrong."""
        try:
            found = self._forms.get(form)
        except (NotFoundError, InvalidInputError):
            raise NotFoundError("There is nothing here, or not for you.") from None
        if not found.key or not hmac.compare_digest(found.key, self._digest(secret)):
            raise NotFoundError("There is nothing here, or not for you.")
        return found

    def path(self, form: Form, secret: str) -> str:
        """Return the path of the visitor's own page, below the routes for anyone."""
        return f"s/{form.id}/{secret}"

    def sections(
        self,
        template: Template,
        answers: Mapping[str, str],
        standing: Standing,
        *,
        language: str,
        brand: str,
        say: Callable[..., str],
    ) -> list[dict[str, Any]]:
        """Return the questions as the visitor sees them; what they wrote themselves is never hidden from them here."""
        reader = views.Reader(language=language, fills="visitor", say=say, person="visitor", unmasked=True)
        kept = {name: Answer(value, "visitor", "", 0) for name, value in answers.items()}
        return views.sections(template, standing, kept, reader, today=self._forms.today(brand))

    def _person(self, template: Template, standing: Standing, language: str) -> str:
        signer = template.signer
        assert signer is not None
        values = standing.values
        number = values.get(signer.number, "") if signer.number else ""
        scheme, _, value = number.partition(":")
        return self._core.add_person(
            name=values[signer.name],
            subject=Subject(scheme, value) if value else None,
            email=values.get(signer.email, "") if signer.email else "",
            phone=values.get(signer.phone, "") if signer.phone else "",
            language=language,
        )

    def _digest(self, secret: str) -> str:
        return hmac.new(self._key_of, secret.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
