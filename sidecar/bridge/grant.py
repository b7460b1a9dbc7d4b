"""What a participant was let in with: the part of the join token that the bridge lives by."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Grant:
    """One participant's rights here. Changed by the web process, never by the participant.

    session_until: aware UTC; at that moment the participant is out. share_watched: what they share is looked at.
    """

    participant: str
    permissions: frozenset[str]
    session_until: datetime
    share_watched: bool = False
