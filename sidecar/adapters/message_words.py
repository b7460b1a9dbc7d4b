"""Where a message's words come from: the brand's own template where it has one, else the shipped text."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

from sidecar.adapters.i18n import Catalogue, Translator
from sidecar.domain.message_templates import Channel, MessageKind, render, text_keys
from sidecar.services.ports import MeetingStore


class TemplateWords:
    """services.messages.MessageWords over the meetings store's templates and the text catalogue."""

    def __init__(self, meetings: MeetingStore, catalogue: Callable[[], Catalogue]) -> None:
        self._meetings = meetings
        self._catalogue = catalogue

    def subject_and_body(
        self, *, brand: str, language: str, template: str, channel: str, values: Mapping[str, str]
    ) -> tuple[str, str]:
        """Return the filled subject ("" for an SMS) and text. A template that broke the rules is refused."""
        kind, way = MessageKind(template), cast(Channel, channel)
        subject_key, body_key = text_keys(kind, way)
        own = self._meetings.templates(brand)
        translator = Translator(language, self._catalogue())
        subject = ""
        if subject_key is not None:
            subject = own.get((language, subject_key)) or translator.raw(subject_key)
        body = own.get((language, body_key)) or translator.raw(body_key)
        message = render(kind=kind, channel=way, subject=subject, body=body, values=values)
        return message.subject, message.text

    def sign_in_words(self, providers: frozenset[str], language: str) -> str:
        translator = Translator(language, self._catalogue())
        titles = [translator.method(name) for name in sorted(providers) if translator.has(f"{name}.title")]
        return translator.listing(titles, either=True)

    def date_and_time(self, moment: datetime, language: str, zone: ZoneInfo) -> tuple[str, str]:
        translator = Translator(language, self._catalogue(), zone=str(zone))
        return translator.day(moment), translator.clock(moment)
