"""Sign-in of staff through the bank's own identity service: OpenID Connect, authorization code with PKCE."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import PluginContext, StaffSignIn, hookimpl
from tillit_staff_oidc.settings import read_settings
from tillit_staff_oidc.sign_in import StaffOidc

MANIFEST: Mapping[str, Any] = tomllib.loads((files(__name__) / "manifest.toml").read_text("utf-8"))


class Plugin:
    """What the host registers."""

    def __init__(self, sign_in: StaffSignIn) -> None:
        self._sign_in = sign_in

    @hookimpl
    def provide_staff_sign_in(self) -> StaffSignIn:
        return self._sign_in


def load(context: PluginContext) -> Plugin:
    """Return the plugin, or raise ConfigurationError. The identity service is not called yet."""
    return Plugin(StaffOidc(context.name, read_settings(context.settings)))
