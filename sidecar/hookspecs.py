"""Every hook a plugin can implement. docs/hooks.md is checked against this file.

Three kinds: `provide_` offers an implementation of a port, `judge_` narrows and fails closed, `on_` observes.
"""

from collections.abc import Callable, Mapping, Sequence

import pluggy

from sidecar.plugin_api import (
    Decision,
    DeskSection,
    ErrandView,
    IdentityMethod,
    JoinQuestion,
    MeetingFact,
    NotificationChannel,
    Panel,
    Route,
    SigningMethod,
    SignQuestion,
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
def provide_routes() -> Sequence[Route]:
    """Offer addresses of the plugin's own, for the room, the desk, connected systems or anyone.

    Called once at start; an exception, or two of one method and path, stop the start. A request of a meeting that
    does not let the plugin in is refused before the route is called, and one whose handler raises is answered with
    a plain failure: nothing else is touched.
    """
    raise NotImplementedError


@hookspec
def provide_panels() -> Sequence[Panel]:
    """Offer panels in the room's window. Called once at start; two of one name stop the start.

    Whether a person sees a panel is decided anew with each picture of the room, by its permission.
    """
    raise NotImplementedError


@hookspec
def provide_desk_sections() -> Sequence[DeskSection]:
    """Offer cards and menu entries of the desk. Called once at start; an exception stops the start.

    A card whose `context` raises is left out of the page, and the log says so.
    """
    raise NotImplementedError


@hookspec
def provide_errands() -> Mapping[str, Callable[[ErrandView], None]]:
    """Offer what the worker does for the plugin: "<plugin>.<name>" -> what does it, at least once each.

    Called once at start; an exception stops the start. Raise DeliveryFailedError(retry=True) to be tried again with
    growing pauses, retry=False to give up; any other exception is tried again too. What is given up stands on the
    desk, where it can be started anew.
    """
    raise NotImplementedError


@hookspec
def provide_signing_methods() -> Sequence[SigningMethod]:
    """Offer ways to sign. Called once at start; two of one name stop the start.

    The policy leaves or strikes each per meeting by its kind and level. None offers nothing.
    """
    raise NotImplementedError


@hookspec
def provide_services() -> Mapping[str, object]:
    """Offer something to other plugins, by name: "documents" -> a DocumentsService.

    Called once at start; two of one name stop the start. Others fetch it with `core.service(name)`.
    """
    raise NotImplementedError


@hookspec
def judge_sign(question: SignQuestion) -> Decision | None:
    """Have a say in who signs what. Called after the policy allowed it, before the signing begins and is completed.

    Return None to abstain; a plugin can only narrow. Every plugin is asked, in no promised order,
    and one refusal refuses; so does an exception. Changes nothing, talks to no network.
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
