"""Bands, eIDs, role packages and never-events, read from their tables."""

from collections.abc import Collection, Mapping

from sidecar.adapters.policy_files.tables import Table
from sidecar.domain.identity import LoA
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import (
    Band,
    Eid,
    Encryption,
    Floor,
    LogLevel,
    NeverEvent,
    RecordingRule,
    Right,
    RolePackage,
    SignInDemand,
    SignInLevel,
    StaffDemand,
    StrictRules,
)

SIGNING_METHODS = ("touch", "sms", "eid", "eid_step_up")
SIGN_IN_KINDS = ("eid", "code")
# RFC 8176 section 2: the methods an identity service can name as strong before a call.
AMR_VALUES = (
    "face", "fpt", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pop", "pwd", "retina", "sc", "sms", "swk",
    "tel", "user", "vbm",
)  # fmt: skip
_APPROVED = "approved"
_LEVELS = {"low": LoA.LOW, "substantial": LoA.SUBSTANTIAL, "high": LoA.HIGH}
_FACTORS = (1, 3)
_FRESH_SECONDS = (30, 3600)


def sign_in_demand(table: Table) -> SignInDemand:
    """Read what a customer must show; the caller takes what else the table holds."""
    return SignInDemand(
        level=table.one_of("level", SignInLevel),
        kinds=frozenset(table.names("kinds", SIGN_IN_KINDS, empty=False)),
        factors=table.whole("factors", *_FACTORS),
        step_up_each_act=table.flag("step_up_each_act"),
    )


def staff_demand(table: Table) -> StaffDemand:
    """Read what staff must show; the caller takes what else the table holds."""
    return StaffDemand(
        desk_factors=table.whole("desk_factors", *_FACTORS),
        call_fresh_seconds=table.whole("call_fresh_seconds", *_FRESH_SECONDS),
        strong_methods=frozenset(table.names("strong_methods", AMR_VALUES)),
    )


def read_bands(root: Table) -> tuple[dict[Band, Floor], StrictRules]:
    """Read the three floors and what strict encryption closes."""
    floors = {band: _floor(band, root.table(band)) for band in Band}
    table = root.table("strict")
    strict = StrictRules(
        refuses=frozenset(table.names("refuses", tuple(Permission))),
        plugins=frozenset(table.names("plugins")),
    )
    table.done()
    root.done()
    return floors, strict


def _floor(band: Band, table: Table) -> Floor:
    sign_in, staff = table.table("sign_in"), table.table("staff")
    granting = table.table("may_grant")
    ceiling = {
        permission.value: frozenset(Capacity(name) for name in granting.names(permission, tuple(Capacity)))
        for permission in Permission
    }
    listed = isinstance(table.raw("plugins") if table.has("plugins") else None, list)
    if not listed and table.text("plugins") != _APPROVED:
        table.fail("plugins", f'must be "{_APPROVED}" or a list of names')
    floor = Floor(
        band=band,
        sign_in=sign_in_demand(sign_in),
        staff=staff_demand(staff),
        signing=frozenset(table.names("signing", SIGNING_METHODS)),
        ceiling=ceiling,
        plugin_ceiling=frozenset(Capacity(name) for name in granting.names("plugin_permissions", tuple(Capacity))),
        recording=table.one_of("recording", RecordingRule),
        encryption=table.one_of("encryption", Encryption),
        log=table.one_of("log", LogLevel),
        plugins=frozenset(table.names("plugins")) if listed else None,
    )
    for each in (sign_in, staff, granting, table):
        each.done()
    return floor


def read_eids(root: Table) -> dict[str, Eid]:
    """Read the ways to identify oneself."""
    countries = root.table("country")
    highest = {country: _level(countries, country) for country in countries.keys}
    countries.done()
    listed = root.table("eid")
    found = {}
    for name in listed.keys:
        table = listed.table(name)
        kind = table.text("kind")
        if kind not in SIGN_IN_KINDS:
            table.fail("kind", f"one of {', '.join(SIGN_IN_KINDS)}")
        country = table.text("country") if kind == "eid" else ""
        if country and country not in highest:
            table.fail("country", f"{country} is not listed under [country]")
        found[name] = Eid(
            name=name,
            plugin=table.text("plugin"),
            title=table.text("title"),
            kind=kind,
            loa=_level(table, "loa"),
            country=country,
            country_highest=highest.get(country, LoA.NONE),
        )
        table.done()
        if kind == "code" and found[name].loa > LoA.LOW:
            table.fail("loa", "a code vouches for low at the most")
        if country and found[name].loa > highest[country]:
            table.fail("loa", f"more than the highest of {country}")
    listed.done()
    root.done()
    return found


def _level(table: Table, key: str) -> LoA:
    value = table.text(key)
    if value not in _LEVELS:
        table.fail(key, f"one of {', '.join(_LEVELS)}")
    return _LEVELS[value]


def read_packages(root: Table, permissions: Collection[str]) -> tuple[dict[str, RolePackage], Mapping[str, str]]:
    """Read the role packages, and which group of the identity service stands for which."""
    listed = root.table("packages")
    packages = {}
    for name in listed.keys:
        table = listed.table(name)
        packages[name] = RolePackage(
            name=name,
            title=table.texts("title"),
            rights=frozenset(Right(each) for each in table.names("rights", tuple(Right))),
            permissions=frozenset(table.names("permissions", permissions)),
            reason=table.reason("reason"),
        )
        table.done()
    listed.done()
    groups = root.table("groups")
    mapping = {group: groups.text(group) for group in groups.keys}
    for group, package in mapping.items():
        if package not in packages:
            groups.fail(group, f"there is no package {package}")
    root.done()
    return packages, mapping


def read_never(root: Table, permissions: Collection[str]) -> tuple[NeverEvent, ...]:
    """Read what must never happen."""
    events: dict[str, NeverEvent] = {}
    for table in root.tables("never"):
        event = _never_event(table, permissions)
        if event.name in events:
            table.fail("name", f"{event.name} stands twice")
        events[event.name] = event
    root.done()
    if not events:
        root.fail("never", "the list of never-events may not be empty")
    return tuple(events.values())


def _never_event(table: Table, permissions: Collection[str]) -> NeverEvent:
    def some(key: str, known: Collection[str] | None) -> tuple[str, ...]:
        return table.names(key, known, empty=False) if table.has(key) else ()

    name = table.text("name")
    forbidden = [key for key in ("permissions", "sign_in_kinds", "plugins", "fewer_factors_than") if table.has(key)]
    if len(forbidden) != 1:
        table.fail("name", f"{name} forbids {len(forbidden)} things; one event forbids one kind of thing")
    event = NeverEvent(
        name=name,
        why=table.reason("why"),
        bands=frozenset(Band(each) for each in some("bands", tuple(Band))),
        capacities=frozenset(Capacity(each) for each in some("capacities", tuple(Capacity))),
        encryption=frozenset(Encryption(each) for each in some("encryption", tuple(Encryption))),
        permissions=frozenset(some("permissions", permissions)),
        sign_in_kinds=frozenset(some("sign_in_kinds", SIGN_IN_KINDS)),
        plugins=frozenset(some("plugins", None)),
        fewer_factors_than=table.whole("fewer_factors_than", 2, 3) if table.has("fewer_factors_than") else 0,
        unless_referenced=table.flag("unless_referenced") if table.has("unless_referenced") else False,
    )
    table.done()
    return event
