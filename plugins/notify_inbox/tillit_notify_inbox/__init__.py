"""The bank's own inbox as a notification channel: entry point `notify_inbox` in the group `tillit`."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import NotificationChannel, PluginContext, hookimpl
from tillit_notify_inbox.channel import InboxChannel
from tillit_notify_inbox.settings import read_settings

MANIFEST: Mapping[str, Any] = tomllib.loads((files(__name__) / "manifest.toml").read_text("utf-8"))


class Plugin:
    """What the host registers."""

    def __init__(self, channel: NotificationChannel) -> None:
        self._channel = channel

    @hookimpl
    def provide_notification_channels(self) -> Sequence[NotificationChannel]:
        return (self._channel,)


def load(context: PluginContext) -> Plugin:
    """Return the plugin, or raise ConfigurationError. The bank's service is not called yet."""
    return Plugin(InboxChannel(read_settings(context.settings), clock=context.clock))
