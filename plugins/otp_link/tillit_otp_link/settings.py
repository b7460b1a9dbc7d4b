"""The table [plugins.otp_link], checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.plugin_api import ConfigurationError

CHANNELS = ("sms", "email")


@dataclass(frozen=True)
class OtpSettings:
    """channels: where a code may go, first choice first. codes_per_day: to one address, from one process."""

    channels: tuple[str, ...] = CHANNELS
    codes_per_day: int = 10


def read_settings(table: Mapping[str, Any]) -> OtpSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    unknown = set(table) - {"channels", "codes_per_day"}
    if unknown:
        raise ConfigurationError(f"plugins.otp_link has unknown keys: {', '.join(sorted(unknown))}")
    channels = table.get("channels", CHANNELS)
    if not isinstance(channels, list | tuple) or not channels or len(set(channels)) != len(channels):
        raise ConfigurationError("plugins.otp_link.channels must be a list of different channels")
    if set(channels) - set(CHANNELS):
        raise ConfigurationError(f"plugins.otp_link.channels must be some of {', '.join(CHANNELS)}")
    codes = table.get("codes_per_day", 10)
    if not isinstance(codes, int) or isinstance(codes, bool) or not 1 <= codes <= 50:
        raise ConfigurationError("plugins.otp_link.codes_per_day must lie between 1 and 50")
    return OtpSettings(tuple(channels), codes)
