"""The catalogue's sentences by language and key, for parts of the core that know no web page."""

from collections.abc import Callable

from sidecar.adapters.i18n import Catalogue, Translator


class CatalogueSentences:
    """services.plugin_messages.Sentences over the text catalogue."""

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = catalogue
        self._translators: dict[str, Translator] = {}

    def has(self, language: str, key: str) -> bool:
        return self._translator(language).has(key)

    def say(self, language: str, key: str, **params: object) -> str:
        return self._translator(language).t(key, **params)

    def _translator(self, language: str) -> Translator:
        found = self._translators.get(language)
        if found is None:  # making one parses a locale
            found = self._translators[language] = Translator(language, self._catalogue())
        return found
