"""Signatures in a meeting: entry point `pades_signing` in the group `tillit`."""

import logging
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import (
    LANGUAGES,
    ErrandView,
    MeetingFact,
    Panel,
    PluginAct,
    PluginContext,
    Route,
    SigningMethod,
    hookimpl,
)
from tillit_pades_signing.budgets import FORGET, Budgets
from tillit_pades_signing.config import SigningSettings, read_settings
from tillit_pades_signing.errands import Errands
from tillit_pades_signing.methods.sms import SmsSigning
from tillit_pades_signing.methods.touch import TouchSigning
from tillit_pades_signing.model import Signing, State
from tillit_pades_signing.opening import is_as_opened
from tillit_pades_signing.preserve import Preserver
from tillit_pades_signing.preserve.responders import Responders
from tillit_pades_signing.preserve.revocation import CrlSource
from tillit_pades_signing.preserve.stamps import Authority
from tillit_pades_signing.routes import Routes, SigningService
from tillit_pades_signing.rules import SigningRefusedError
from tillit_pades_signing.seal.cms import SealMaker
from tillit_pades_signing.seal.keys import FileKey, Pkcs11Key, SealingKey, certificates_in
from tillit_pades_signing.sealing import Sealing
from tillit_pades_signing.signings import Signings
from tillit_pades_signing.views import Views

log = logging.getLogger(__name__)

_HERE = files(__name__)
_COMING_AND_GOING = frozenset(
    f"participant.{what}" for what in ("joined", "rejoined", "left", "sent_back", "expelled", "session_ended")
)
_DOCUMENT_CHANGED = frozenset({"document_room.received", "document_room.withdrawn", "document_room.deleted"})

MANIFEST: Mapping[str, Any] = tomllib.loads((_HERE / "manifest.toml").read_text("utf-8"))


def load_texts() -> dict[str, dict[str, str]]:
    """Return the plugin's sentences: language -> key -> sentence."""
    return {
        language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES
    }


class SigningPlugin:
    """What the plugin manager registers."""

    def __init__(self, context: PluginContext, settings: SigningSettings) -> None:
        core, clock = context.core, context.clock
        self._core = core
        maker = SealMaker(_key(settings))
        preserver = _preserver(settings, context)
        sealing = Sealing(core=core, clock=clock, maker=maker, preserve=preserver is not None)
        self._signings = Signings(
            core=core, clock=clock, largest_document=settings.largest_document_bytes, seal=sealing.seal
        )
        code_key = context.secret("sms-code")
        self._budgets = Budgets(core=core, clock=clock, key=code_key)
        self._methods = (
            TouchSigning(clock=clock),
            SmsSigning(clock=clock, code_key=code_key, budgets=self._budgets),
        )
        self._routes = Routes(
            core=core,
            signings=self._signings,
            views=Views(core, self._signings),
            deadline=settings.deadline,
            clock=clock,
        )
        self._service = SigningService(core=core, signings=self._signings, clock=clock)
        self._errands = Errands(
            core=core,
            clock=clock,
            signings=self._signings,
            sealing=sealing,
            preserver=preserver,
            renew_before=settings.renew_before,
        )

    @hookimpl
    def provide_texts(self) -> Mapping[str, Mapping[str, str]]:
        return load_texts()

    @hookimpl
    def provide_routes(self) -> Sequence[Route]:
        return self._routes.all()

    @hookimpl
    def provide_panels(self) -> Sequence[Panel]:
        return (
            Panel(
                name="signing",
                plugin="pades_signing",
                icon="pen",
                title="pades_signing.panel.title",
                permission="sign",
                module="panel.js",
                style="panel.css",
            ),
        )

    @hookimpl
    def provide_errands(self) -> Mapping[str, Callable[[ErrandView], None]]:
        return {**self._errands.by_kind(), FORGET: self._budgets.forget}

    @hookimpl
    def provide_signing_methods(self) -> Sequence[SigningMethod]:
        return self._methods

    @hookimpl
    def provide_services(self) -> Mapping[str, object]:
        return {"signing": self._service}

    @hookimpl
    def on_meeting_fact(self, fact: MeetingFact) -> None:
        """What is not complete when a meeting ends is taken back: the documents stay, and nothing is half signed.

        So is one whose document was taken back or replaced meanwhile: nobody could sign it any more.
        Who comes and goes is told to the pages, so that they show whom a signing waits for.
        """
        if fact.kind in _COMING_AND_GOING:
            if any(each.state is State.OPEN for each in self._signings.of_meeting(fact.meeting)):
                self._core.tell(PluginAct("pades_signing.parties", meeting=fact.meeting, actor="system", public={}))
        elif fact.kind == "meeting.ended":
            self._take_back(fact.meeting, lambda signing: True)
        elif fact.kind in _DOCUMENT_CHANGED:
            document = fact.data.get("document")
            self._take_back(
                fact.meeting,
                lambda signing: (
                    any(each.source == document for each in signing.documents) and not is_as_opened(signing, self._core)
                ),
            )

    def _take_back(self, meeting: str, concerned: Callable[[Signing], bool]) -> None:
        for signing in self._signings.of_meeting(meeting):
            if signing.state is State.OPEN and concerned(signing):
                try:
                    self._signings.withdraw(signing.id, actor="system")
                except SigningRefusedError:
                    log.info("signing ended by itself", extra={"signing": signing.id})


def _key(settings: SigningSettings) -> SealingKey:
    if settings.seal_key is not None:
        return FileKey.read(settings.seal_key, settings.seal_certificate)
    assert settings.pkcs11_module is not None
    assert settings.pkcs11_pin_file is not None
    return Pkcs11Key(
        module=settings.pkcs11_module,
        token=settings.pkcs11_token,
        pin_file=settings.pkcs11_pin_file,
        label=settings.pkcs11_label,
        certificate_file=settings.seal_certificate,
    )


def _preserver(settings: SigningSettings, context: PluginContext) -> Preserver | None:
    if not settings.tsa_url or settings.roots is None:
        return None
    return Preserver(
        roots=certificates_in(settings.roots),
        authority=Authority(settings.tsa_url, answer_seconds=settings.answer_seconds),
        crls=CrlSource(settings.crls, answer_seconds=settings.answer_seconds, clock=context.clock),
        responders=Responders(settings.ocsp, answer_seconds=settings.answer_seconds, clock=context.clock),
        clock=context.clock,
    )


def load(context: PluginContext) -> SigningPlugin:
    """Return the plugin, its key read. Raises ConfigurationError."""
    return SigningPlugin(context, read_settings(context.settings))
