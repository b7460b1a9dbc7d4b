"""Every sentence exists in every language, and the agreed words are used as agreed."""

import re
import tomllib
from pathlib import Path

import pytest

from sidecar.plugin_api import API_VERSION, LANGUAGES
from tillit_bankid import MANIFEST, load_texts
from tillit_bankid.errors import BankIdError

PACKAGE = Path(__file__).parents[1]
TEXTS = load_texts()


def test_every_language_has_every_key_and_no_other() -> None:
    assert set(TEXTS) == set(LANGUAGES)
    for language in LANGUAGES:
        assert set(TEXTS[language]) == set(TEXTS["sv"]), language


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_calm_and_complete(language: str) -> None:
    for key, sentence in TEXTS[language].items():
        assert sentence.strip() == sentence, key
        assert sentence, key
        assert "!" not in sentence, key
        assert "{" not in sentence, key
        if key.removeprefix("bankid.") not in ("title", "label", "level"):
            assert sentence.endswith("."), key


def test_every_key_named_in_the_code_has_a_sentence() -> None:
    code = "".join(path.read_text("utf-8") for path in (PACKAGE / "tillit_bankid").rglob("*.py"))
    named = set(re.findall(r'"(bankid\.[a-z_]+)"', code))

    assert named <= set(TEXTS["sv"])
    assert set(TEXTS["sv"]) - named == {"bankid.title", "bankid.help", "bankid.label", "bankid.level"}


@pytest.mark.parametrize("error", BankIdError.__subclasses__())
def test_every_error_has_its_sentence(error: type[BankIdError]) -> None:
    assert error.message in TEXTS["sv"]


@pytest.mark.parametrize(
    ("key", "sv", "en"),
    [
        (
            "start",
            "Öppna BankID-appen och skanna koden.",
            "Open the BankID app and scan the code.",
        ),
        (
            "sign",
            "Appen är öppen. Läs texten och bekräfta med din kod eller ditt ansikte.",
            "The app is open. Read the text and confirm with your code or your face.",
        ),
        (
            "cancelled_by_you",
            "Du avbröt i appen. Inget har hänt, och du kan börja om.",
            "You cancelled in the app. Nothing has happened, and you can start again.",
        ),
        (
            "new_code",
            "Ingen app svarade i tid. Här är en ny kod.",
            "No app answered in time. Here is a new code.",
        ),
        (
            "already",
            "Det pågår redan en legitimering i ditt namn. Startade du den inte själv ska du avbryta den i appen.",
            "An identification in your name is already under way. If you did not start it, cancel it in the app.",
        ),
        (
            "app_missing",
            "Vi hittar ingen BankID-app på den här enheten. Skanna koden med telefonen i stället.",
            "We find no BankID app on this device. Scan the code with your phone instead.",
        ),
        (
            "app_old",
            "Uppdatera BankID-appen och försök igen. Inget har hänt.",
            "Update the BankID app and try again. Nothing has happened.",
        ),
        (
            "blocked",
            "Ditt BankID är spärrat eller för gammalt. Skaffa ett nytt hos banken som gav ut det.",
            "Your BankID is blocked or too old. Get a new one from the bank that issued it.",
        ),
        (
            "declined_call",
            "Du svarade att du inte talar med oss. Då stannar vi här, och rådgivaren får veta det.",
            "You answered that you are not talking to us. So we stop here, and the adviser is told.",
        ),
        (
            "failed",
            "Det gick inte just nu. Det beror inte på dig. Försök igen eller välj ett annat sätt.",
            "It did not work just now. It is not your fault. Try again or choose another way.",
        ),
    ],
)
def test_agreed_words_are_used_as_agreed(key: str, sv: str, en: str) -> None:
    assert TEXTS["sv"][f"bankid.{key}"] == sv
    assert TEXTS["en"][f"bankid.{key}"] == en


def test_level_is_named_in_swedens_own_term_and_never_as_high() -> None:
    assert TEXTS["sv"]["bankid.label"] == "BankID, tillitsnivå 3"
    for language in LANGUAGES:
        assert "3" in TEXTS[language]["bankid.label"]
        assert TEXTS[language]["bankid.level"] == TEXTS[language]["bankid.label"]


def test_manifest_says_who_what_why_and_where() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]

    assert MANIFEST["name"] == "bankid"
    assert MANIFEST["version"] == project["version"]
    assert MANIFEST["api_version"] == API_VERSION
    assert MANIFEST["data_goes"] in ("outside", "in-region")
    assert project["entry-points"]["tillit"] == {"bankid": "tillit_bankid"}
    for data in MANIFEST["data"]:
        assert set(data) == {"what", "why"}
