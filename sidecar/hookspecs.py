"""Every hook a plugin can implement. docs/hooks.md is checked against this file.

Three kinds: `provide_` offers an implementation of a port, `judge_` narrows and fails closed, `on_` observes.
"""

from collections.abc import Mapping, Sequence

import pluggy

from sidecar.plugin_api import (
    Decision,
    IdentityMethod,
    JoinQuestion,
    MeetingFact,
    NotificationChannel,
    StaffSignIn,
)

hookspec = pluggy.HookspecMarker("tillit")


@hookspec
def provide_identity_methods() -> Sequence[IdentityMethod]:
    """Offer ways for a customer or guest to show who they are.

    Called once at start. The policy leaves or strikes each method per meeting; None offers nothing.
    An exception stops the start: a half-loaded sign-in is worse than none.
    """
    raise NotImplementedError


@hookspec
def provide_staff_sign_in() -> StaffSignIn | None:
    """Offer the sign-in of the bank's own staff. Called once at start; settings pick one by name."""
    raise NotImplementedError


@hookspec
def provide_notification_channels() -> Sequence[NotificationChannel]:
    """Offer ways to reach a person. Called once at start; two of one name stop the start."""
    raise NotImplementedError


@hookspec
def provide_texts() -> Mapping[str, Mapping[str, str]]:
    """Offer the plugin's sentences: language -> key -> sentence, keys begin with "<plugin>.".

    Called once at start. A key missing in one of the six languages stops the start.
    """
    raise NotImplementedError


@hookspec
def judge_join(question: JoinQuestion) -> Decision | None:
    """Have a say in who joins. Called after the core allowed it, before a join token is minted.

    Return None to abstain; a plugin can only narrow. Every plugin is asked, in no promised order,
    and one refusal refuses; so does an exception. Changes nothing, talks to no network.
    """
    raise NotImplementedError


@hookspec
def on_meeting_fact(fact: MeetingFact) -> None:
    """Learn what happened in a meeting, after it happened and was recorded.

    Called one plugin at a time; an exception is logged and the others still hear. The answer is ignored.
    """
    raise NotImplementedError
