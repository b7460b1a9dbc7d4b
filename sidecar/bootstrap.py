"""The composition root: settings in, wired services out. Nothing else knows which adapter stands behind a port."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sidecar.adapters.api_keys import ApiKeys
from sidecar.adapters.audit_files import FileAuditLog
from sidecar.adapters.file_objects import FileObjects
from sidecar.adapters.i18n import Catalogue, own_catalogue
from sidecar.adapters.key_files import KeyRing, Purpose
from sidecar.adapters.media_sides import reporters_of, shards_of, sides_of
from sidecar.adapters.message_words import TemplateWords
from sidecar.adapters.plugin_words import CatalogueSentences
from sidecar.adapters.policy_files import SHIPPED, load_policy
from sidecar.adapters.process_state import ProcessState
from sidecar.adapters.recording_vault import FileRecordings
from sidecar.adapters.redis_address import read_redis_url
from sidecar.adapters.redis_state import RedisState
from sidecar.adapters.reporters import Reporters
from sidecar.adapters.ring_signer import RingSigner
from sidecar.adapters.sealing import KeySealer
from sidecar.adapters.shards import ShardedConference
from sidecar.adapters.sql.meeting_store import MIGRATIONS as MEETINGS
from sidecar.adapters.sql.meeting_store import SqlMeetingStore
from sidecar.adapters.sql.moving import Moved, move_store
from sidecar.adapters.sql.opening import StorePlace, store_place
from sidecar.adapters.sql.people_store import MIGRATIONS as PEOPLE
from sidecar.adapters.sql.people_store import SqlPeopleStore
from sidecar.adapters.sql.postgres_address import PostgresAddress
from sidecar.adapters.sql.session_store import MIGRATIONS as SESSIONS
from sidecar.adapters.sql.session_store import SqlSessionStore
from sidecar.domain.audit import AuditLog, VerifyingKey, kinds_with
from sidecar.domain.clock import utc_now
from sidecar.domain.errors import ConfigurationError, NotFoundError
from sidecar.domain.evidence import MeetingSummary, evidence_of
from sidecar.domain.evidence_rows import documents_shown, figures_shown, signatures_made
from sidecar.domain.jws import unb64url
from sidecar.domain.meetings import Meeting, MeetingState, Participant
from sidecar.domain.opening_hours import OpeningHours, read_opening_hours
from sidecar.domain.policy import Policy
from sidecar.domain.tokens import VerifiedJoin, verify_join_token
from sidecar.plugin_manager import PluginManager
from sidecar.services.acts import Acts
from sidecar.services.admission import Admission, TokenSettings
from sidecar.services.arrival import Arrival
from sidecar.services.booking import Booking
from sidecar.services.chores import Chores
from sidecar.services.journals import Journals
from sidecar.services.links import Links
from sidecar.services.messages import Messages
from sidecar.services.on_demand import OnDemand
from sidecar.services.placement import Placement
from sidecar.services.playback import Playbacks
from sidecar.services.plugin_ports import BrandView
from sidecar.services.plugin_use import PluginUse
from sidecar.services.plugin_work import PluginWork
from sidecar.services.ports import Conference, StaffSignIn
from sidecar.services.recording import Recordings
from sidecar.services.reports import Reports
from sidecar.services.room import Room
from sidecar.services.share_firewall import ShareFirewall
from sidecar.services.sharing import SharedState
from sidecar.services.staff import Staff
from sidecar.services.strict_keys import StrictKeys
from sidecar.settings import Brand, Settings

_SIGNING: tuple[Purpose, ...] = ("audit", "evidence")


@dataclass
class Services:
    """Everything the edges (web, worker, command line) call."""

    settings: Settings
    clock: Callable[[], datetime]
    policy: Policy
    catalogue: Catalogue
    brands: Mapping[str, Brand]
    ring: KeyRing
    audit: AuditLog
    meetings: SqlMeetingStore
    people: SqlPeopleStore
    sessions: SqlSessionStore
    shared: SharedState
    objects: FileObjects
    api_keys: ApiKeys
    plugins: PluginManager
    conference: Conference
    acts: Acts
    links: Links
    booking: Booking
    arrival: Arrival
    admission: Admission
    placement: Placement
    reports: Reports
    reporters: Reporters
    room: Room
    recordings: Recordings
    playbacks: Playbacks
    strict_keys: StrictKeys
    share_firewall: ShareFirewall
    staff: Staff
    on_demand: OnDemand
    messages: Messages
    plugin_work: PluginWork
    plugin_use: PluginUse
    journals: Journals
    chores: Chores

    @cached_property
    def staff_sign_in(self) -> StaffSignIn | None:
        name = self.settings.staff.provider
        return self.plugins.staff_sign_in(name) if name else None

    def brand_of_host(self, host: str) -> Brand:
        """Return the brand of a request's Host header, the first one for a host nobody claimed."""
        for brand in self.brands.values():
            if brand.host == host:
                return brand
        return next(iter(self.brands.values()))

    def web_url(self, brand: Brand, shard: str) -> str:
        """Return where this brand's browsers load Jitsi Meet of a shard from, without a path."""
        found = next((each for each in self.settings.shards if each.id == shard), None)
        return found.web_url.replace("{host}", brand.host).rstrip("/") if found else ""

    def web_origins(self, brand: Brand) -> set[str]:
        return {self.web_url(brand, shard.id) for shard in self.settings.shards}

    def hours(self, brand: str) -> OpeningHours:
        found = self.brands[brand]
        return read_opening_hours(found.opening_hours, zone=found.time_zone)

    def verify_join(self, unverified_token: str, room: str) -> VerifiedJoin:
        """Return a join token's claims, checked strictly for this room."""
        tokens = self.settings.tokens
        return verify_join_token(
            unverified_token,
            jwks=self.ring.jwks("join"),
            algorithm=tokens.algorithm.value,
            expected_issuer=tokens.issuer,
            expected_audience=self.placement.shard_of(room).audience,
            expected_room=room,
            now=self.clock(),
        )

    def integrations_used(self) -> list[dict[str, Any]]:
        """Return which plugins meetings really used, and how often: read from the log, kept by nobody."""
        found: dict[str, dict[str, Any]] = {}
        for entry in self.audit.read_all():
            if entry.record.kind == "plugin.used":
                name = str(entry.record.data.get("plugin"))
                row = found.setdefault(name, {"plugin": name, "times": 0, "meetings": set()})
                row["times"] += 1
                row["meetings"].add(entry.record.meeting)
                row["last_at"] = entry.record.at.isoformat()
        return [row | {"meetings": len(row["meetings"])} for _, row in sorted(found.items())]

    def integration_register(self) -> list[dict[str, Any]]:
        return [_plain(asdict(entry)) for entry in self.plugins.register()]

    def evidence_fingerprints(self) -> list[str]:
        """Return the fingerprints the bank publishes, of retired keys too: old evidence must still verify."""
        keys = [key for purpose in _SIGNING for key in self.ring.jwks(purpose).document()["keys"]]
        return sorted({VerifyingKey("any", unb64url(key["x"])).fingerprint for key in keys if key["kty"] == "OKP"})


def build(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    plugins: PluginManager | None = None,
    policy: Policy | None = None,
    audit: AuditLog | None = None,
    conference: Conference | None = None,
) -> Services:
    """Wire the product for these settings. Raises ConfigurationError with one line that says what to change.

    plugins, policy, audit, conference: stand-ins for what the settings would name; see sidecar.testing.
    """
    data = settings.stores.data_dir
    ring = KeyRing.open(settings.keys.directory, algorithms={"join": settings.tokens.algorithm.value}, clock=clock)
    brands = {brand.id: brand for brand in settings.brands}
    plugins = plugins or PluginManager.load(
        enabled=settings.plugins.enabled,
        approvals=settings.plugins.approvals,
        tables=settings.plugins.tables,
        clock=clock,
        secret=ring.secret,
    )
    policy = policy or load_policy(settings.policy.directory or SHIPPED, plugin_permissions=plugins.permissions())
    catalogue = own_catalogue()
    for name, texts in plugins.texts_by_plugin().items():
        catalogue = catalogue.with_texts(texts, owner=name)
    origin = f"{next(iter(brands))}/{settings.stores.region}"
    places, shared = _store_places(settings), _shared_state(settings)
    was_there = isinstance(places["meetings"], Path) and places["meetings"].exists()
    meetings = SqlMeetingStore(places["meetings"], announced=shared.tell_news)
    is_new = not was_there and meetings.last_announcement() == 0
    audit = audit or FileAuditLog(
        data / "audit",
        RingSigner(ring, "audit", name=f"{origin}/log"),
        origin=origin,
        kinds=kinds_with({kind: f"Recorded by the plugin {kind.split('.')[0]}." for kind in plugins.audit_kinds()}),
        # Meetings and no log mean a disk that is not mounted, not a new bank.
        create=is_new,
    )
    kek = ring.secret(f"kek.{settings.keys.region or settings.stores.region}")
    people = SqlPeopleStore(places["people"], kek=kek, index_key=ring.secret("people-index"))
    sessions = SqlSessionStore(places["sessions"], key=ring.secret("sessions"))
    objects = FileObjects(data / "objects", kek=kek)
    conference = conference or ShardedConference(sides_of(settings, ring, clock))
    placement = Placement(shards_of(settings), answers=conference.answers)
    acts = Acts(audit, meetings, policy)
    links = Links(ring.secret("links"))
    core: dict[str, Any] = {"acts": acts, "meetings": meetings, "policy": policy, "clock": clock}
    region_for = _region_for(settings)
    booking = Booking(
        **core,
        people=people,
        extensions=plugins,
        links=links,
        region_for=region_for,
        placement=placement,
        link_channels=_link_channels(settings, plugins),
    )
    arrival = Arrival(**core, people=people, objects=objects, extensions=plugins, links=links)
    plugin_use = PluginUse(**core)
    share_firewall = ShareFirewall(acts=acts, policy=policy, extensions=plugins, conference=conference, use=plugin_use)
    admission = Admission(
        **core,
        people=people,
        extensions=plugins,
        join_key=lambda: ring.signing_key("join"),
        tokens=TokenSettings(settings.tokens.issuer, settings.tokens.join_ttl),
        placement=placement,
        firewall=share_firewall,
    )
    strict_keys = StrictKeys(**core, admission=admission)
    vault = FileRecordings(data / "recordings", kek=kek)
    recordings = Recordings(**core, admission=admission, conference=conference, vault=vault)
    room = Room(
        **core,
        people=people,
        admission=admission,
        booking=booking,
        conference=conference,
        recordings=recordings,
        firewall=share_firewall,
    )
    messages = Messages(
        **core,
        people=people,
        extensions=plugins,
        links=links,
        words=TemplateWords(meetings, lambda: catalogue),
        brand=brands.__getitem__,
    )
    region = settings.keys.region or settings.stores.region
    plugin_work = PluginWork.wired(
        **core,
        audit=audit,
        people=people,
        objects=objects,
        extensions=plugins,
        sentences=CatalogueSentences(lambda: catalogue),
        brand=lambda name: _brand_view(brands, name),
        sealer=cache(lambda name: KeySealer(ring.secret(f"records.{name}.{region}"))),
        is_inside=admission.is_inside,
        order=settings.notifications.order,
    )
    plugins.bind(plugin_work.core)
    journals = Journals(
        **core,
        audit=audit,
        people=people,
        build_evidence=lambda meeting, places: _evidence(settings, ring, audit, policy, clock(), meeting, places),
    )
    playbacks = Playbacks(**core, audit=audit, journals=journals, vault=vault)
    return Services(
        settings=settings,
        clock=clock,
        policy=policy,
        catalogue=catalogue,
        brands=brands,
        ring=ring,
        audit=audit,
        meetings=meetings,
        people=people,
        sessions=sessions,
        shared=shared,
        objects=objects,
        api_keys=ApiKeys(settings.api.keys_file or data / "api-keys.json"),
        plugins=plugins,
        conference=conference,
        acts=acts,
        links=links,
        booking=booking,
        arrival=arrival,
        admission=admission,
        placement=placement,
        reports=Reports(
            acts=acts, meetings=meetings, admission=admission, room=room, firewall=share_firewall, clock=clock
        ),
        reporters=Reporters(
            reporters_of(settings, ring),
            audience=settings.bridge.events_audience,
            clock=clock,
            seen=shared.control_ids,
        ),
        room=room,
        recordings=recordings,
        playbacks=playbacks,
        strict_keys=strict_keys,
        share_firewall=share_firewall,
        staff=Staff(**core, people=people),
        on_demand=OnDemand(
            **core,
            hours=lambda brand: read_opening_hours(brands[brand].opening_hours, zone=brands[brand].time_zone),
            region_for=region_for,
            placement=placement,
        ),
        messages=messages,
        plugin_work=plugin_work,
        plugin_use=plugin_use,
        journals=journals,
        chores=Chores(
            acts=acts,
            audit=audit,
            meetings=meetings,
            sessions=sessions,
            messages=messages,
            admission=admission,
            room=room,
            recordings=recordings,
            playbacks=playbacks,
            policy=policy,
            extensions=plugins,
            plugin_errands=plugin_work.errands,
            clock=clock,
        ),
    )


def _brand_view(brands: Mapping[str, Brand], name: str) -> BrandView:
    """Return a brand as plugins see it. Raises NotFoundError."""
    brand = brands.get(name)
    if brand is None:
        raise NotFoundError("There is no such brand.")
    logo = None
    if brand.logo is not None:
        kind = "image/svg+xml" if brand.logo.suffix == ".svg" else "image/png"
        logo = (brand.logo.read_bytes(), kind)
    return BrandView(
        id=brand.id,
        name=brand.name,
        url=brand.url,
        phone=brand.phone,
        sender=brand.sender_name,
        colour=brand.colour,
        languages=brand.languages,
        time_zone=brand.time_zone,
        logo=logo,
    )


def _store_places(settings: Settings) -> dict[str, StorePlace]:
    stores = settings.stores
    texts = {"meetings": stores.meetings, "people": stores.people, "sessions": stores.sessions}
    return {
        name: store_place(text, key=f"stores.{name}", file=stores.data_dir / f"{name}.sqlite")
        for name, text in texts.items()
    }


def move_stores(settings: Settings) -> list[Moved]:
    """Move each store whose setting names PostgreSQL and whose SQLite file is still there.

    Raises ConfigurationError where there is none, ConflictError while something has a file open or a database holds
    rows, StoreUnavailableError. What was moved before that stays moved; the same command goes on with the rest.
    """
    places, folder = _store_places(settings), settings.stores.data_dir
    migrations = {"meetings": MEETINGS, "people": PEOPLE, "sessions": SESSIONS}
    waiting = [
        (name, place, folder / f"{name}.sqlite")
        for name, place in places.items()
        if isinstance(place, PostgresAddress) and (folder / f"{name}.sqlite").exists()
    ]
    if not waiting:
        raise ConfigurationError(
            f"There is nothing to move: no store that the settings put into PostgreSQL has a file in {folder}."
        )
    return [move_store(file, place, migrations[name], store=name) for name, place, file in waiting]


def _shared_state(settings: Settings) -> SharedState:
    if settings.shared.url == "process":
        return ProcessState()
    return RedisState(read_redis_url(settings.shared.url, key="shared.url"))


def _region_for(settings: Settings) -> Callable[[str], str]:
    def region(country: str) -> str:
        found = settings.stores.domiciles.get(country)
        if found is None:
            raise ConfigurationError(f"stores.domiciles names no region for customers in {country}.")
        return found

    return region


def _link_channels(settings: Settings, plugins: PluginManager) -> Sequence[str]:
    """Return the ways a link may take, in order. A text message is one where something sends them."""
    order = settings.notifications.order
    return [channel for channel in order if channel != "sms" or channel in plugins.channels()]


def _verifying_key(ring: KeyRing, purpose: Any, settings: Settings) -> VerifyingKey:
    origin = f"{settings.brands[0].id}/{settings.stores.region}"
    name = f"{origin}/{'log' if purpose == 'audit' else 'evidence'}"
    return VerifyingKey.of(RingSigner(ring, purpose, name=name))


def _evidence(
    settings: Settings,
    ring: KeyRing,
    audit: AuditLog,
    policy: Policy,
    now: datetime,
    meeting: Meeting,
    places: Sequence[Participant],
) -> bytes:
    meeting_type = policy.type(meeting.type_ref)
    outcome = {MeetingState.ENDED: "ended as planned", MeetingState.OPEN: "still running"}
    entries = audit.read(meeting.id)
    return evidence_of(
        audit,
        summary=MeetingSummary(
            meeting=meeting.id,
            title=meeting_type.title["en"],
            brand=settings.brand(meeting.brand).name,
            band=meeting_type.band.value,
            policy_ref=meeting.type_ref,
            started_at=meeting.opened_at,
            ended_at=meeting.ended_at,
            outcome=outcome.get(meeting.state, meeting.state.value),
            stored_in=meeting.region,
            delete_after=meeting.retain_until.date().isoformat(),
        ),
        policy_text=meeting_type.source_text,
        log_key=_verifying_key(ring, "audit", settings),
        signer=RingSigner(ring, "evidence", name=_verifying_key(ring, "evidence", settings).name),
        now=now,
        documents=documents_shown(entries),
        signatures=signatures_made(entries),
        figures=figures_shown(entries),
        published_at=f"{settings.brand(meeting.brand).url}/evidence",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
