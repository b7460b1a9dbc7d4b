"""A meeting type, read from its file."""

import re
from collections.abc import Collection, Mapping

from sidecar.adapters.policy_files.rules import SIGNING_METHODS, sign_in_demand, staff_demand
from sidecar.adapters.policy_files.tables import Table
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import (
    RAISE_TARGETS,
    Band,
    Encryption,
    LegalReference,
    LogLevel,
    MeetingType,
    RecordingRule,
    Segment,
)

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TOPICS = ("sign_in", "staff", "signing", "recording", "encryption", "log", "retention", "integrations")
_COUNTRY = re.compile(r"[A-Z]{2}")
_LONGEST_RETENTION_DAYS = 36525  # a hundred years: nobody keeps longer


def read_type(root: Table, source: str, *, permissions: Collection[str], packages: Collection[str]) -> MeetingType:
    """Read one version of a meeting type. permissions, packages: the closed lists it may name."""
    name = root.text("name")
    if not _NAME.fullmatch(name):
        root.fail("name", "small letters and digits, words joined by a hyphen")
    version = root.whole("version", 1, 9999)
    if not root.file.endswith(f"{name}-{version}.toml"):
        root.fail("version", f"this file must be called {name}-{version}.toml")
    reviewed_on, next_review = root.day("reviewed_on"), root.day("next_review")
    if next_review < reviewed_on:
        root.fail("next_review", "before reviewed_on")
    topics = {topic: root.table(topic) for topic in _TOPICS}
    grants = _grants(root, permissions)
    recording = topics["recording"]
    found = MeetingType(
        ref=f"{name}@{version}",
        name=name,
        version=version,
        band=root.one_of("band", Band),
        icon=root.text("icon"),
        owner=root.text("owner"),
        reviewed_on=reviewed_on,
        next_review=next_review,
        in_force_from=root.day("in_force_from"),
        ordinary=root.flag("ordinary"),
        on_demand=root.flag("on_demand"),
        segments=frozenset(Segment(each) for each in root.names("segments", tuple(Segment), empty=False)),
        packages=frozenset(root.names("packages", packages, empty=False)),
        title=root.texts("title"),
        summary=root.texts("summary"),
        purpose=root.texts("purpose"),
        in_meetings=root.texts("in_meetings"),
        for_this=root.texts("for_this"),
        because=root.texts("because"),
        sign_in=sign_in_demand(topics["sign_in"]),
        countries=_countries(topics["sign_in"]),
        staff=staff_demand(topics["staff"]),
        signing=frozenset(topics["signing"].names("methods", SIGNING_METHODS)),
        recording=recording.one_of("rule", RecordingRule),
        recording_purposes=recording.names("purposes") if recording.has("purposes") else (),
        recording_references=tuple(_reference(each) for each in recording.tables("references")),
        recording_retention_days=_days(recording, "retention_days") if recording.has("retention_days") else 0,
        encryption=topics["encryption"].one_of("mode", Encryption),
        log=topics["log"].one_of("level", LogLevel),
        integrations=frozenset(topics["integrations"].names("during")),
        integrations_afterwards=frozenset(topics["integrations"].names("afterwards")),
        raises=root.names("raises", RAISE_TARGETS),
        opens_before_minutes=root.whole("opens_before_minutes", 0, 120),
        reminder_minutes=root.whole("reminder_minutes", 10, 20160),
        rejoin_minutes=root.whole("rejoin_minutes", 0, 240),
        max_people=root.whole("max_people", 2, 8),
        retention_days=_days(topics["retention"], "days"),
        grants=grants,
        narrowed=_narrowed(root, permissions),
        reasons={topic: table.reason("reason") for topic, table in topics.items()},
        source_text=source,
        source_name=root.file,
        max_customers=_optional(root, "max_customers", 1, 7),
        approvers=_optional(topics["signing"], "approvers", 1, 7),
    )
    for table in (*topics.values(), root):
        table.done()
    _check_raises(root, found)
    if found.max_customers >= found.max_people:
        root.fail("max_customers", f"with the adviser these are more than max_people, {found.max_people}")
    if found.approvers > found.max_customers:
        root.fail("signing.approvers", f"more than max_customers, {found.max_customers}: nothing could be approved")
    return found


def _optional(table: Table, key: str, least: int, most: int) -> int:
    return table.whole(key, least, most) if table.has(key) else least


def _check_raises(root: Table, found: MeetingType) -> None:
    for target in found.raises:
        kind, _, value = target.partition(":")
        lower = kind == "band" and Band(value).order <= found.band.order
        if lower or target == f"encryption:{found.encryption}":
            root.fail("raises", f"{target} raises nothing here")


def _countries(table: Table) -> tuple[str, ...]:
    countries = table.names("countries", empty=False)
    for country in countries:
        if not _COUNTRY.fullmatch(country):
            table.fail("countries", f"{country} is not a country in two capitals")
    return countries


def _days(table: Table, key: str) -> int:
    return table.whole(key, 1, _LONGEST_RETENTION_DAYS)


def _reference(table: Table) -> LegalReference:
    reference = LegalReference(
        name=table.text("name"), text=table.texts("text"), retention_days=_days(table, "retention_days")
    )
    table.done()
    return reference


def _grants(root: Table, permissions: Collection[str]) -> dict[Capacity, dict[str, Mapping[str, str]]]:
    grants: dict[Capacity, dict[str, Mapping[str, str]]] = {capacity: {} for capacity in Capacity}
    for table in root.tables("grant"):
        _spread(table, "may", permissions, grants)
    if not grants[Capacity.ADVISER] or not grants[Capacity.CUSTOMER]:
        root.fail("grant", "a meeting needs an adviser and a customer who may do something")
    return grants


def _narrowed(root: Table, permissions: Collection[str]) -> dict[Segment, dict[Capacity, dict[str, Mapping[str, str]]]]:
    narrowed: dict[Segment, dict[Capacity, dict[str, Mapping[str, str]]]] = {}
    for table in root.tables("narrow"):
        segment = table.one_of("segment", Segment)
        target = narrowed.setdefault(segment, {capacity: {} for capacity in Capacity})
        _spread(table, "may_not", permissions, target)
    return narrowed


def _spread(
    table: Table,
    verb: str,
    permissions: Collection[str],
    target: dict[Capacity, dict[str, Mapping[str, str]]],
) -> None:
    """Write one rule's permissions and reason to each capacity it names. A second rule for the same is refused."""
    capacities = table.names("to", tuple(Capacity), empty=False)
    named = table.names(verb, permissions, empty=False)
    reason = table.reason("because")
    table.done()
    for capacity in capacities:
        for permission in named:
            if permission in target[Capacity(capacity)]:
                table.fail(verb, f"{permission} is said twice for {capacity}")
            target[Capacity(capacity)][permission] = reason
