"""Which way an invitation's link takes to a person, and a code another one (R060, R063, R212)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sidecar.domain.addresses import may_carry, normal_phone
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.meetings import Participant
from sidecar.domain.policy import Decision
from sidecar.services.ports import IdentityMethod, Person
from sidecar.services.sending import address_of

ONE_WAY = Decision(False, "address/one-way", "same-address")
UNREADABLE = Decision(False, "address/unreadable", "address-unreadable")
_APART = Decision(True, "address/apart", "address-apart")
_TEXT_MESSAGE = ("sms",)  # where the codes of a sign-in go that does not say


@dataclass(frozen=True)
class Ways:
    """link, code: channels. code is "" where no sign-in of the meeting sends one."""

    link: str
    code: str = ""


def code_channels(methods: Iterable[IdentityMethod]) -> tuple[str, ...]:
    """Return where the codes of these sign-ins may go, first choice first; nothing where none sends a code."""
    ways = (getattr(method, "channels", _TEXT_MESSAGE) for method in methods if method.kind == "code")
    return tuple(dict.fromkeys(channel for each in ways for channel in each))


def choose_ways(person: Person, *, links: Sequence[str], codes: Sequence[str]) -> Ways | Decision | None:
    """Return the first channel of `links` that reaches the person and leaves a code of `codes` another way.

    None where nothing reaches them. A decision says what stands against it: ONE_WAY, or what may_carry says of the
    first pair.
    """
    reached = [channel for channel in links if address_of(person, channel)]
    if not reached:
        return None
    pairs = [
        _pair(person, link, code)
        for link in reached
        for code in (codes or ("",))
        if not code or (code != link and address_of(person, code))
    ]
    return next((each for each in pairs if isinstance(each, Ways)), pairs[0] if pairs else ONE_WAY)


def takes_link(person: Person, channel: str) -> bool:
    """Say whether a link may go to the person's address on a channel: a telephone number must need no guess."""
    return channel != "sms" or _is_whole(address_of(person, channel))


def may_send_code(place: Participant, person: Person, channel: str) -> Decision:
    """Decide whether a code may go this way: apart from every way the link took, by the addresses of today (R060)."""
    if channel in place.link_channels:
        return ONE_WAY
    code_address = address_of(person, channel)
    verdicts = (
        may_carry(address, code_address, link_channel=way, code_channel=channel)
        for way in place.link_channels
        if (address := address_of(person, way))
    )
    return next((each for each in verdicts if not each.allowed), _APART)


def _pair(person: Person, link: str, code: str) -> Ways | Decision:
    """Return the two as Ways, or why the link may not take this way beside the code."""
    link_address = address_of(person, link)
    if not takes_link(person, link):
        return UNREADABLE
    if code:
        verdict = may_carry(link_address, address_of(person, code), link_channel=link, code_channel=code)
        if not verdict.allowed:
            return verdict
    return Ways(link, code)


def _is_whole(number: str) -> bool:
    """Say whether a telephone number needs no guess: a link sent to a wrong one reaches a stranger."""
    try:
        return normal_phone(number) == number
    except InvalidInputError:
        return False
