"""The words of the policy: bands, segments, strictness scales, raises and decisions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sidecar.domain.identity import LoA

LANGUAGES = ("sv", "nb", "da", "fi", "nl", "en")

Texts = Mapping[str, str]  # language -> text, all six languages


class Scale(StrEnum):
    """Values written from weakest to strictest."""

    @property
    def order(self) -> int:
        """Place on the scale, 0 is the weakest."""
        return _places(type(self))[self]


@cache
def _places(scale: type[Scale]) -> Mapping[Scale, int]:
    return {value: place for place, value in enumerate(scale)}


class Band(Scale):
    """A floor. Ordered low, medium, high."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Encryption(Scale):
    """Who can see the media. Ordered from least to most protected; the join token carries the value."""

    TRANSIT = "transit"  # encrypted on each leg
    BRIDGE = "bridge"  # on each leg, through a controlled bridge in region
    STRICT = "strict"  # end to end: no recorder, no add-ons


class LogLevel(Scale):
    """What the journal keeps. Ordered: each level holds what the one before holds."""

    EVENTS = "events"
    METADATA = "metadata"
    CHAT = "chat"


class RecordingRule(Scale):
    """When a recording may be started. Ordered from least to most strict."""

    JUSTIFIED = "justified"  # a purpose from the list and everybody's consent
    LEGAL = "legal"  # that, and a named legal reference and a deletion date
    NEVER = "never"


class SignInLevel(Scale):
    """How sure the bank must be of a customer or guest. Ordered from least to most sure."""

    LOW = "low"
    SUBSTANTIAL = "substantial"
    COUNTRY_HIGHEST = "country-highest"  # high where the country's eIDs give it, else the best they give
    HIGH = "high"

    def required_of(self, eid: "Eid") -> LoA:
        """Return the level an assertion of this eID must reach."""
        match self:
            case SignInLevel.LOW:
                return LoA.LOW
            case SignInLevel.SUBSTANTIAL:
                return LoA.SUBSTANTIAL
            case SignInLevel.COUNTRY_HIGHEST:
                return max(LoA.SUBSTANTIAL, eid.country_highest)
            case SignInLevel.HIGH:
                return LoA.HIGH


class Segment(StrEnum):
    """Whom the bank meets."""

    PRIVATE = "private"
    CORPORATE = "corporate"


class Right(StrEnum):
    """What a role package may do outside a meeting. The closed list; what is not given is refused."""

    BOOK = "book"
    TAKE_ON_DEMAND = "take_on_demand"
    EDIT_MESSAGES = "edit_messages"
    READ_RULES = "read_rules"
    READ_ALL_JOURNALS = "read_all_journals"
    PLAY_RECORDINGS = "play_recordings"
    DOWNLOAD_RECORDINGS = "download_recordings"
    HOLD_RECORDINGS = "hold_recordings"


@dataclass(frozen=True)
class Eid:
    """A way to identify oneself, by the name its plugin offers it under.

    plugin: whose it is. kind: "eid" or "code". loa: the most it can vouch for.
    country: ISO 3166-1 alpha-2, "" for a code. country_highest: the most any eID of that country vouches for.
    """

    name: str
    plugin: str
    title: str
    kind: str
    loa: LoA
    country: str = ""
    country_highest: LoA = LoA.NONE


@dataclass(frozen=True)
class Decision:
    """Allowed or refused, the rule that decided, and the sentence that says so.

    rule: "mortgage@1/grants/share_window" or "band.high/file_transfer". sentence: key in policy/sentences.
    params: values for the sentence. "type" is the meeting type's reference, and brings the type's own words.
    """

    allowed: bool
    rule: str
    sentence: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Raise:
    """Security turned up during one meeting: what, when (aware UTC) and by whom (st_...)."""

    target: str
    at: datetime
    by: str


# Every way to turn security up. There is none to turn it down.
RAISE_TARGETS = ("band:medium", "band:high", "encryption:strict", "share:off", "chat:off")
