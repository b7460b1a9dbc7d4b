"""What all messages to people share: which address a channel needs, and when a failed one is tried again."""

from dataclasses import replace
from datetime import datetime, timedelta

from sidecar.domain.addresses import normal_phone
from sidecar.domain.errors import InvalidInputError, TillitError
from sidecar.domain.meetings import Participant
from sidecar.services.ports import Errand, Person

ADDRESS = {"email": "email", "sms": "phone", "inbox": "inbox"}  # by channel: a field of Person
_LETTERS = ("inbox", "email")  # ways for what is too long for a text message, the safer first
_TRIES = 8
_FIRST_PAUSE = timedelta(seconds=5)  # doubled after each failure: the last try comes about 11 minutes later


def address_of(person: Person, channel: str) -> str:
    """Return a person's address on a channel, "" for none: a telephone number with its country code in E.164.

    One without stays as it was written. Which country it is of would be a guess, and a wrong guess is a stranger.
    """
    address = str(getattr(person, ADDRESS[channel]))
    if channel != "sms" or not address.strip().startswith(("+", "00")):
        return address
    try:
        return normal_phone(address)
    except InvalidInputError:
        return address


def letter_channel(place: Participant, person: Person | None) -> str:
    """Return the way a letter reaches somebody: the one the invitation took, else one of their own; "" for none."""
    return place.link_channel or next((each for each in _LETTERS if getattr(person, ADDRESS[each], "")), "")


def after_failure(errand: Errand, error: TillitError, *, now: datetime) -> Errand:
    """Return a message's errand after a try that failed: "waiting" for the next one, or "failed", given up."""
    attempts = errand.attempts + 1
    retry = bool(error.params.get("retry", False)) and attempts < _TRIES
    return replace(
        errand,
        attempts=attempts,
        due_at=now + _FIRST_PAUSE * 2 ** (attempts - 1),
        state="waiting" if retry else "failed",
        last_problem=error.slug,
    )
