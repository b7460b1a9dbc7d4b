"""Link and code: entry point `otp_link` in the group `tillit`."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import LANGUAGES, IdentityMethod, PluginContext, hookimpl
from tillit_otp_link.method import OtpLink
from tillit_otp_link.settings import read_settings

_HERE = files(__name__)

MANIFEST: Mapping[str, Any] = tomllib.loads((_HERE / "manifest.toml").read_text("utf-8"))


def load_texts() -> dict[str, dict[str, str]]:
    """Return the plugin's sentences: language -> key -> sentence."""
    return {
        language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES
    }


class Plugin:
    """What the host registers."""

    def __init__(self, method: IdentityMethod) -> None:
        self._method = method

    @hookimpl
    def provide_identity_methods(self) -> Sequence[IdentityMethod]:
        return (self._method,)

    @hookimpl
    def provide_texts(self) -> Mapping[str, Mapping[str, str]]:
        return load_texts()


def load(context: PluginContext) -> Plugin:
    """Return the plugin, or raise ConfigurationError."""
    settings = read_settings(context.settings)
    return Plugin(OtpLink(settings=settings, clock=context.clock, code_key=context.secret("code")))
