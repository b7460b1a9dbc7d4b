"""Swedish BankID as a way to identify and to sign: entry point `bankid` in the group `tillit`."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import LANGUAGES, IdentityMethod, PluginContext, SigningMethod, hookimpl
from tillit_bankid.client import BankIdClient
from tillit_bankid.config import read_settings
from tillit_bankid.method import BankIdMethod
from tillit_bankid.signing import BankIdSigning
from tillit_bankid.verify import CompletionVerifier

_HERE = files(__name__)

MANIFEST: Mapping[str, Any] = tomllib.loads((_HERE / "manifest.toml").read_text("utf-8"))


def load_texts() -> dict[str, dict[str, str]]:
    """Return the plugin's sentences: language -> key -> sentence."""
    return {
        language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES
    }


class BankIdPlugin:
    """What the plugin manager registers."""

    def __init__(
        self, *, method: IdentityMethod, signing: SigningMethod, texts: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._method = method
        self._signing = signing
        self._texts = texts

    @hookimpl
    def provide_identity_methods(self) -> Sequence[IdentityMethod]:
        return (self._method,)

    @hookimpl
    def provide_signing_methods(self) -> Sequence[SigningMethod]:
        return (self._signing,)

    @hookimpl
    def provide_texts(self) -> Mapping[str, Mapping[str, str]]:
        return self._texts


def load(context: PluginContext) -> BankIdPlugin:
    """Return the plugin, ready to call BankID. Raises ConfigurationError."""
    settings = read_settings(context.settings)
    texts = load_texts()
    client = BankIdClient(settings, clock=context.clock)
    verifier = CompletionVerifier.from_settings(settings)
    method = BankIdMethod(client=client, verifier=verifier, settings=settings, clock=context.clock, texts=texts)
    signing = BankIdSigning(client=client, verifier=verifier, settings=settings, clock=context.clock, texts=texts)
    return BankIdPlugin(method=method, signing=signing, texts=texts)
