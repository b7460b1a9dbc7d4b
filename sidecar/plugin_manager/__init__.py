"""Finds, checks and calls plugins. Nothing unapproved loads; what a meeting does not allow is not called."""

import difflib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pluggy

from sidecar import hookspecs
from sidecar.domain.errors import ConfigurationError
from sidecar.plugin_api import (
    API_VERSION,
    LANGUAGES,
    Decision,
    IdentityMethod,
    JoinQuestion,
    MeetingFact,
    NotificationChannel,
    PluginContext,
    StaffSignIn,
)
from sidecar.plugin_manager.approvals import Approval, add_approval, package_files, read_approvals
from sidecar.plugin_manager.loading import (
    InstalledPlugin,
    import_approved,
    inspect,
    installed_names,
)
from sidecar.plugin_manager.manifest import DataUse, Manifest

__all__ = [
    "Approval",
    "DataUse",
    "Manifest",
    "PluginManager",
    "RegisterEntry",
    "approve",
    "check_approvals",
    "package_files",
    "read_approvals",
]

log = logging.getLogger("sidecar.plugins")
Offered = TypeVar("Offered")


@dataclass(frozen=True)
class RegisterEntry:
    """A line of the integration register. state: "loaded" or "disabled". hooks: what it takes part in."""

    state: str
    manifest: Manifest
    digest: str
    approval: Approval | None
    hooks: tuple[str, ...] = ()


def approve(name: str, *, by: str, approvals: Path, now: datetime) -> Approval:
    """Approve the plugin as it is installed now, and return the entry. Raises ConfigurationError."""
    plugin = inspect(name, _package_of(name))
    approval = Approval(name, plugin.manifest.version, plugin.files.digest, by, now)
    add_approval(approvals, approval)
    return approval


def check_approvals(approvals: Path) -> dict[str, str]:
    """Return why each installed plugin would not load, "" where it would: by name."""
    approved = read_approvals(approvals)
    found = {}
    for name, package in sorted(installed_names().items()):
        try:
            _check_approved(inspect(name, package), approved.get(name))
            found[name] = ""
        except ConfigurationError as error:
            found[name] = error.detail
    return found


class PluginManager:
    """The loaded plugins, each hook as a typed method. Satisfies services.ports.Extensions."""

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager("tillit")
        self._pluggy.add_hookspecs(hookspecs)
        self._entries: dict[str, RegisterEntry] = {}
        self._methods: dict[str, tuple[str, IdentityMethod]] = {}
        self._channels: dict[str, tuple[str, NotificationChannel]] = {}
        self._staff: dict[str, tuple[str, StaffSignIn]] = {}
        self._texts: dict[str, Mapping[str, Mapping[str, str]]] = {}

    @classmethod
    def load(
        cls,
        *,
        enabled: Sequence[str],
        approvals: Path,
        tables: Mapping[str, Mapping[str, Any]],
        clock: Callable[[], datetime],
        secret: Callable[[str], bytes],
    ) -> "PluginManager":
        """Load the enabled plugins.

        approvals: the file of approvals. tables: settings by plugin name. secret: derives 32 bytes by name.
        Raises ConfigurationError with one line that says which plugin, what is wrong and what to do.
        """
        installed = installed_names()
        for name in tables:
            if name not in installed:
                raise ConfigurationError(f"[plugins.{name}] belongs to no installed plugin.{_nearest(name)}")
        manager, approved = cls(), read_approvals(approvals)
        for name in enabled:
            plugin = inspect(name, _package_of(name))
            _check_approved(plugin, approved.get(name))
            context = PluginContext(
                name=name,
                settings=MappingProxyType(dict(tables.get(name, {}))),
                clock=clock,
                secret=lambda purpose, name=name: secret(f"plugin.{name}.{purpose}"),  # type: ignore[misc]
            )
            manager._register(plugin, approved[name], _made(plugin, context))
        manager._check_hooks()
        manager._collect()
        manager._note_disabled(installed, approved)
        return manager

    @property
    def loaded(self) -> frozenset[str]:
        return frozenset(name for name, entry in self._entries.items() if entry.state == "loaded")

    def register(self) -> list[RegisterEntry]:
        """Return the integration register: every installed plugin, the loaded ones first, by name."""
        return sorted(self._entries.values(), key=lambda each: (each.state != "loaded", each.manifest.name))

    def permissions(self) -> frozenset[str]:
        """Return the permissions the loaded plugins add to the closed list."""
        return frozenset(each for entry in self._loaded_entries() for each in entry.manifest.permissions)

    def audit_kinds(self) -> frozenset[str]:
        """Return the kinds of audit record the loaded plugins add."""
        return frozenset(each for entry in self._loaded_entries() for each in entry.manifest.audit_kinds)

    def asked(self, hook: str, allowed: Collection[str]) -> tuple[str, ...]:
        """Return which plugins a call of this hook asks in a meeting that allows these; recorded as used."""
        return tuple(name for name, _ in self._implementations(hook, allowed))

    # What plugins offer. `allowed`: the names a meeting allows; None outside of any meeting.

    def identity_methods(self, allowed: Collection[str] | None = None) -> Mapping[str, IdentityMethod]:
        """Return the ways to identify, by name."""
        return _allowed(self._methods, allowed)

    def channels(self, allowed: Collection[str] | None = None) -> Mapping[str, NotificationChannel]:
        """Return the ways to reach a person, by name."""
        return _allowed(self._channels, allowed)

    def staff_sign_in(self, name: str) -> StaffSignIn:
        """Return the sign-in of staff of that name. Raises ConfigurationError when no plugin offers it."""
        if name not in self._staff:
            offered = ", ".join(sorted(self._staff)) or "none"
            raise ConfigurationError(f"staff.provider is {name!r}, which no plugin offers. Offered: {offered}.")
        return self._staff[name][1]

    def texts_by_plugin(self) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
        """Return the plugins' sentences: plugin -> language -> key -> sentence."""
        return self._texts

    def plugin_of(self, offered: str) -> str:
        """Return the plugin behind an identity method or channel, to record as used. Raises KeyError."""
        return (self._methods.get(offered) or self._channels[offered])[0]

    # What plugins are asked and told.

    def judge_join(self, question: JoinQuestion, allowed: Collection[str]) -> Decision | None:
        """Return the first refusal by plugin name, or None when nobody objects.

        A plugin that raises or answers nonsense refuses: it was approved because its word counts.
        """
        for name, judge in self._implementations("judge_join", allowed):
            try:
                verdict = judge(question=question)
            except Exception:
                log.exception("plugin failed", extra={"plugin": name, "hook": "judge_join"})
                return _failed(name)
            if verdict is not None and not isinstance(verdict, Decision):
                log.error("plugin gave no decision", extra={"plugin": name, "hook": "judge_join"})
                return _failed(name)
            if verdict is not None and verdict.allowed is not True:
                return verdict
        return None

    def on_fact(self, fact: MeetingFact, allowed: Collection[str]) -> None:
        """Tell what happened. A plugin that fails is logged; the others still hear."""
        for name, observe in self._implementations("on_meeting_fact", allowed):
            try:
                observe(fact=fact)
            except Exception:
                log.exception("plugin failed", extra={"plugin": name, "hook": "on_meeting_fact"})

    # Loading

    def _loaded_entries(self) -> Iterator[RegisterEntry]:
        return (entry for entry in self._entries.values() if entry.state == "loaded")

    def _implementations(self, hook: str, allowed: Collection[str] | None) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Yield each plugin's own function: called by pluggy together, one exception would end the round."""
        implementations = getattr(self._pluggy.hook, hook).get_hookimpls()
        for each in sorted(implementations, key=lambda implementation: implementation.plugin_name):
            if allowed is None or each.plugin_name in allowed:
                yield each.plugin_name, _by_name(each.function, each.argnames)

    def _register(self, plugin: InstalledPlugin, approval: Approval, made: object) -> None:
        try:
            self._pluggy.register(made, name=plugin.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise ConfigurationError(f"Plugin {plugin.name}: {error}") from error
        callers = self._pluggy.get_hookcallers(made) or []
        for caller in callers:
            for each in caller.get_hookimpls():
                if each.plugin is made and (each.wrapper or each.hookwrapper or each.optionalhook):
                    problem = "may neither wrap other plugins nor be optional"
                    raise ConfigurationError(f"Plugin {plugin.name}: {caller.name} {problem}.")
        hooks = tuple(sorted(caller.name for caller in callers))
        self._entries[plugin.name] = RegisterEntry("loaded", plugin.manifest, plugin.files.digest, approval, hooks)

    def _check_hooks(self) -> None:
        """Raise for a hook that does not exist: a misspelt judge would silently never be asked."""
        try:
            self._pluggy.check_pending()
        except pluggy.PluginValidationError as error:
            names = list(vars(hookspecs))
            wrong = str(error).partition("'")[2].partition("'")[0]
            near = difflib.get_close_matches(wrong, names, n=1)
            hint = f" The nearest is {near[0]}." if near else ""
            owner = self._pluggy.get_name(error.plugin)
            raise ConfigurationError(f"Plugin {owner}: there is no hook {wrong}.{hint}") from error

    def _collect(self) -> None:
        """Ask once for everything plugins offer. An exception here stops the start."""
        self._methods = self._offered("provide_identity_methods", "identity method")
        self._channels = self._offered("provide_notification_channels", "notification channel")
        self._staff = self._offered("provide_staff_sign_in", "staff sign-in")
        for plugin, texts in self._answers("provide_texts"):
            _check_texts(plugin, texts)
            self._texts[plugin] = texts

    def _answers(self, hook: str) -> Iterator[tuple[str, Any]]:
        for plugin, offer in self._implementations(hook, None):
            try:
                answer = offer()
            except Exception as error:
                raise ConfigurationError(f"Plugin {plugin} failed in {hook}: {type(error).__name__}") from error
            if answer is not None:
                yield plugin, answer

    def _offered(self, hook: str, what: str) -> dict[str, tuple[str, Any]]:
        found: dict[str, tuple[str, Any]] = {}
        for plugin, answer in self._answers(hook):
            for each in answer if isinstance(answer, list | tuple) else (answer,):
                if each.name in found:
                    both = f"{found[each.name][0]} and {plugin}"
                    raise ConfigurationError(f"The {what} {each.name!r} is offered twice, by {both}.")
                found[each.name] = (plugin, each)
        return found

    def _note_disabled(self, installed: Mapping[str, str], approved: Mapping[str, Approval]) -> None:
        for name in sorted(set(installed) - set(self._entries)):
            try:
                plugin = inspect(name, installed[name])
            except ConfigurationError as error:
                log.warning("installed plugin ignored", extra={"plugin": name, "why": error.detail})
                continue
            self._entries[name] = RegisterEntry("disabled", plugin.manifest, plugin.files.digest, approved.get(name))


def _package_of(name: str) -> str:
    installed = installed_names()
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        raise ConfigurationError(f"Plugin {name!r} is not installed.{_nearest(name)} Installed: {known}.")
    return installed[name]


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, list(installed_names()), n=1)
    return f" The nearest is {near[0]!r}." if near else ""


def _check_approved(plugin: InstalledPlugin, approval: Approval | None) -> None:
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


def _made(plugin: InstalledPlugin, context: PluginContext) -> object:
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


def _check_texts(plugin: str, texts: Mapping[str, Mapping[str, str]]) -> None:
    keys = {key for sentences in texts.values() for key in sentences}
    for key in sorted(keys):
        if not key.startswith(f"{plugin}."):
            raise ConfigurationError(f"Plugin {plugin}: the text {key!r} must begin with {plugin!r} and a dot.")
        for language in LANGUAGES:
            if not texts.get(language, {}).get(key):
                raise ConfigurationError(f"Plugin {plugin}: the text {key!r} is missing in {language!r}.")


def _allowed(offered: Mapping[str, tuple[str, Offered]], allowed: Collection[str] | None) -> Mapping[str, Offered]:
    return {name: each for name, (plugin, each) in offered.items() if allowed is None or plugin in allowed}


def _by_name(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """Return the function as one that takes keywords and passes on those it asked for, as pluggy does."""
    return lambda **given: function(*(given[name] for name in names))


def _failed(plugin: str) -> Decision:
    return Decision(False, f"plugin.{plugin}/failed", "plugin-failed", {"plugin": plugin})
