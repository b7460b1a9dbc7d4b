"""Finds, checks and calls plugins. Nothing unapproved loads; what a meeting does not allow is not called."""

import difflib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

import pluggy

from sidecar import hookspecs
from sidecar.domain.errors import ConfigurationError
from sidecar.plugin_api import (
    Core,
    Decision,
    DeskSection,
    ErrandView,
    IdentityMethod,
    JoinQuestion,
    LateCore,
    MeetingFact,
    NotificationChannel,
    Panel,
    PluginContext,
    Route,
    SigningMethod,
    SignQuestion,
    StaffSignIn,
)
from sidecar.plugin_manager.approvals import (
    Approval,
    PackageFiles,
    add_approval,
    package_files,
    read_approvals,
)
from sidecar.plugin_manager.loading import (
    InstalledPlugin,
    inspect,
    installed_names,
)
from sidecar.plugin_manager.manifest import DataUse, Manifest
from sidecar.plugin_manager.offers import check_desk_section, check_errand, check_panel, check_routes
from sidecar.plugin_manager.starting import check_approved, check_texts, made_by, nearest, package_of

__all__ = [
    "Approval",
    "DataUse",
    "Manifest",
    "PackageFiles",
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
    plugin = inspect(name, package_of(name))
    approval = Approval(name, plugin.manifest.version, plugin.files.digest, by, now)
    add_approval(approvals, approval)
    return approval


def check_approvals(approvals: Path) -> dict[str, str]:
    """Return why each installed plugin would not load, "" where it would: by name."""
    approved = read_approvals(approvals)
    found = {}
    for name, package in sorted(installed_names().items()):
        try:
            check_approved(inspect(name, package), approved.get(name))
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
        self._signing: dict[str, tuple[str, SigningMethod]] = {}
        self._services: dict[str, tuple[str, object]] = {}
        self._errands: dict[str, tuple[str, Callable[[ErrandView], None]]] = {}
        self._routes: dict[str, tuple[Route, ...]] = {}
        self._panels: dict[str, tuple[str, Panel]] = {}
        self._sections: list[tuple[str, DeskSection]] = []
        self._files: dict[str, PackageFiles] = {}
        self._cores: dict[str, LateCore] = {}

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
        manager = cls()
        manager.add(enabled=enabled, approvals=approvals, tables=tables, clock=clock, secret=secret)
        return manager

    def add(
        self,
        *,
        enabled: Sequence[str],
        approvals: Path,
        tables: Mapping[str, Mapping[str, Any]],
        clock: Callable[[], datetime],
        secret: Callable[[str], bytes],
    ) -> None:
        """Load these plugins beside what is offered already. Arguments and errors as for `load`."""
        installed = installed_names()
        for name in tables:
            if name not in installed:
                raise ConfigurationError(f"[plugins.{name}] belongs to no installed plugin.{nearest(name)}")
        approved = read_approvals(approvals)
        for name in enabled:
            plugin = inspect(name, package_of(name))
            check_approved(plugin, approved.get(name))
            context = PluginContext(
                name=name,
                settings=MappingProxyType(dict(tables.get(name, {}))),
                clock=clock,
                secret=lambda purpose, name=name: secret(f"plugin.{name}.{purpose}"),  # type: ignore[misc]
                core=cast(Core, self._late_core(name)),
            )
            self._register(plugin, approved[name], made_by(plugin, context))
        self._check_hooks()
        self._collect()
        self._note_disabled(installed, approved)

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

    def bind(self, core: Callable[[str], Core]) -> None:
        """Give each plugin its core, once the product is wired. core: makes one by the plugin's name."""
        for name, late in self._cores.items():
            late.bind(core(name))

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

    def signing_methods(self, allowed: Collection[str] | None = None) -> Mapping[str, SigningMethod]:
        """Return the ways to sign, by name."""
        return _allowed(self._signing, allowed)

    def service(self, name: str) -> object | None:
        """Return what a plugin offers to the others under this name, None where none does."""
        return self._services[name][1] if name in self._services else None

    def errand(self, kind: str) -> Callable[[ErrandView], None] | None:
        """Return what does this kind of work, None where no loaded plugin does."""
        return self._errands[kind][1] if kind in self._errands else None

    def routes(self) -> Mapping[str, Sequence[Route]]:
        """Return every plugin's routes, by plugin."""
        return self._routes

    def panels(self, allowed: Collection[str] | None = None) -> Mapping[str, Panel]:
        """Return the room's panels, by name."""
        return _allowed(self._panels, allowed)

    def desk_sections(self) -> Sequence[tuple[str, DeskSection]]:
        """Return the desk's sections with the plugin of each."""
        return self._sections

    def files(self) -> Mapping[str, PackageFiles]:
        """Return the approved files of each loaded plugin, by plugin: nothing else of it may be served."""
        return self._files

    def texts_by_plugin(self) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
        """Return the plugins' sentences: plugin -> language -> key -> sentence."""
        return self._texts

    def plugin_of(self, offered: str) -> str:
        """Return the plugin behind an identity method or channel, to record as used. Raises KeyError."""
        return (self._methods.get(offered) or self._channels[offered])[0]

    def plugin_of_signing(self, method: str) -> str:
        """Return the plugin behind a signing method, to record as used. Raises KeyError."""
        return self._signing[method][0]

    # What plugins are asked and told.

    def judge_join(self, question: JoinQuestion, allowed: Collection[str]) -> Decision | None:
        """Return the first refusal by plugin name, or None when nobody objects.

        A plugin that raises or answers nonsense refuses: it was approved because its word counts.
        """
        return self._judged("judge_join", question, allowed)

    def judge_sign(self, question: SignQuestion, allowed: Collection[str]) -> Decision | None:
        """Return the first refusal of a signing by plugin name, or None when nobody objects; as `judge_join`."""
        return self._judged("judge_sign", question, allowed)

    def _judged(self, hook: str, question: object, allowed: Collection[str]) -> Decision | None:
        for name, judge in self._implementations(hook, allowed):
            try:
                verdict = judge(question=question)
            except Exception:
                log.exception("plugin failed", extra={"plugin": name, "hook": hook})
                return _failed(name)
            if verdict is not None and not isinstance(verdict, Decision):
                log.error("plugin gave no decision", extra={"plugin": name, "hook": hook})
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
        self._files[plugin.name] = plugin.files

    def _late_core(self, name: str) -> LateCore:
        return self._cores.setdefault(name, LateCore(name))

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
        self._methods |= self._offered("provide_identity_methods", "identity method")
        self._channels |= self._offered("provide_notification_channels", "notification channel")
        self._staff |= self._offered("provide_staff_sign_in", "staff sign-in")
        for plugin, texts in self._answers("provide_texts"):
            check_texts(plugin, texts)
            self._texts[plugin] = texts
        self._signing = self._offered("provide_signing_methods", "signing method")
        self._panels = self._offered("provide_panels", "panel")
        for plugin, panel in self._panels.values():
            check_panel(plugin, panel, self._files.get(plugin))
        self._services = self._named("provide_services", "service")
        self._errands = self._named("provide_errands", "errand")
        for kind, (plugin, _) in self._errands.items():
            check_errand(plugin, kind)
        for plugin, routes in self._answers("provide_routes"):
            self._routes[plugin] = check_routes(plugin, routes)
        self._sections = []
        for plugin, sections in self._answers("provide_desk_sections"):
            self._sections += [(plugin, check_desk_section(plugin, each)) for each in sections]

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

    def _named(self, hook: str, what: str) -> dict[str, tuple[str, Any]]:
        """Return what plugins offer by name in a mapping: name -> plugin and offer."""
        found: dict[str, tuple[str, Any]] = {}
        for plugin, answer in self._answers(hook):
            for name, each in answer.items():
                if name in found:
                    raise ConfigurationError(f"The {what} {name!r} is offered twice, by {found[name][0]} and {plugin}.")
                found[name] = (plugin, each)
        return found

    def _note_disabled(self, installed: Mapping[str, str], approved: Mapping[str, Approval]) -> None:
        for name in sorted(set(installed) - set(self._entries)):
            try:
                plugin = inspect(name, installed[name])
            except ConfigurationError as error:
                log.warning("installed plugin ignored", extra={"plugin": name, "why": error.detail})
                continue
            self._entries[name] = RegisterEntry("disabled", plugin.manifest, plugin.files.digest, approved.get(name))


def _allowed(offered: Mapping[str, tuple[str, Offered]], allowed: Collection[str] | None) -> Mapping[str, Offered]:
    return {name: each for name, (plugin, each) in offered.items() if allowed is None or plugin in allowed}


def _by_name(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """Return the function as one that takes keywords and passes on those it asked for, as pluggy does."""
    return lambda **given: function(*(given[name] for name in names))


def _failed(plugin: str) -> Decision:
    return Decision(False, f"plugin.{plugin}/failed", "plugin-failed", {"plugin": plugin})
