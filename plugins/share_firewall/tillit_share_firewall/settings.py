"""The table [plugins.share_firewall], checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sidecar.plugin_api import CANARY_MOST, ConfigurationError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")  # it stands in the log, so it is a word and no sentence


@dataclass(frozen=True)
class FirewallSettings:
    """systems: the bank's internal systems that bear a canary, by its number."""

    systems: Mapping[int, str] = field(default_factory=dict)


def read_settings(table: Mapping[str, Any]) -> FirewallSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    for key in sorted(set(table) - {"systems"}):
        raise ConfigurationError(f"plugins.share_firewall has the unknown key {key}")
    named = table.get("systems", {})
    if not isinstance(named, Mapping):
        raise ConfigurationError("plugins.share_firewall.systems is a table: name = number")
    systems: dict[int, str] = {}
    for name, number in named.items():
        where = f"plugins.share_firewall.systems.{name}"
        if not _NAME.fullmatch(str(name)):
            raise ConfigurationError(f"{where}: a system's name is 1 to 40 of a-z, 0-9 and -, a letter first")
        if type(number) is not int or not 1 <= number <= CANARY_MOST:
            raise ConfigurationError(f"{where}: a canary's number is 1 to {CANARY_MOST}")
        if number in systems:
            raise ConfigurationError(f"{where}: {number} is the canary of {systems[number]} already")
        systems[number] = str(name)
    return FirewallSettings(MappingProxyType(dict(sorted(systems.items()))))
