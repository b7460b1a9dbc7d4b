"""What must hold before a plugin's code runs, and how its object is made: each failure names plugin and remedy."""

import difflib
from collections.abc import Mapping

from sidecar.domain.errors import ConfigurationError
from sidecar.plugin_api import API_VERSION, LANGUAGES, PluginContext
from sidecar.plugin_manager.approvals import Approval
from sidecar.plugin_manager.loading import InstalledPlugin, import_approved, installed_names


def package_of(name: str) -> str:
    """Return an installed plugin's package. Raises ConfigurationError with what is installed."""
    installed = installed_names()
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        raise ConfigurationError(f"Plugin {name!r} is not installed.{nearest(name)} Installed: {known}.")
    return installed[name]


def nearest(name: str) -> str:
    """Return a hint at the installed name that is most alike, "" where none is."""
    near = difflib.get_close_matches(name, list(installed_names()), n=1)
    return f" The nearest is {near[0]!r}." if near else ""


def check_approved(plugin: InstalledPlugin, approval: Approval | None) -> None:
    """Raise ConfigurationError unless these very files were reviewed, and are written for this product."""
    name, version = plugin.name, plugin.manifest.version
    remedy = f"Review it, then run `tillit plugins approve {name} --by WHO`."
    if plugin.manifest.api_version != API_VERSION:
        raise ConfigurationError(
            f"Plugin {name} {version} is written for plugin API {plugin.manifest.api_version}, not for this "
            f"product's {API_VERSION}: install a version of it that fits."
        )
    if approval is None:
        raise ConfigurationError(f"Plugin {name} {version} is not approved. {remedy}")
    if approval.digest != plugin.files.digest:
        since = f"{approval.at:%Y-%m-%d} by {approval.by}"
        raise ConfigurationError(f"Plugin {name} {version} was changed since its approval on {since}. {remedy}")


def made_by(plugin: InstalledPlugin, context: PluginContext) -> object:
    """Import the plugin and let it make its object. Raises ConfigurationError."""
    module = import_approved(plugin)
    load = getattr(module, "load", None)
    if not callable(load):
        raise ConfigurationError(f"Plugin {plugin.name}: its package has no function load(context).")
    try:
        made: object = load(context)
    except ConfigurationError as error:
        raise ConfigurationError(f"Plugin {plugin.name}: {error.detail}") from error
    except Exception as error:
        raise ConfigurationError(f"Plugin {plugin.name} failed to load: {type(error).__name__}") from error
    if made is None:
        raise ConfigurationError(f"Plugin {plugin.name}: its load(context) returned nothing.")
    return made


def check_texts(plugin: str, texts: Mapping[str, Mapping[str, str]]) -> None:
    """Raise ConfigurationError for a sentence outside the plugin's name space, or missing in a language."""
    keys = {key for sentences in texts.values() for key in sentences}
    for key in sorted(keys):
        if not key.startswith(f"{plugin}."):
            raise ConfigurationError(f"Plugin {plugin}: the text {key!r} must begin with {plugin!r} and a dot.")
        for language in LANGUAGES:
            if not texts.get(language, {}).get(key):
                raise ConfigurationError(f"Plugin {plugin}: the text {key!r} is missing in {language!r}.")
