"""What was delivered: kept in memory, newest first on the page, and told to whoever listens."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from simulators.post.people import same_place

Channel = Literal["email", "sms", "inbox"]
CHANNELS: tuple[Channel, ...] = ("email", "sms", "inbox")
MOST_KEPT = 500

LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")
CODE = re.compile(r"(?<![\w/.=#+-])\d{6}(?![\w/-])")


@dataclass(frozen=True)
class Attachment:
    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Message:
    """One delivered message. person: key of whose it is. reference: the sender's own name for it."""

    channel: Channel
    person: str
    address: str
    sender: str
    subject: str
    text: str
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    reference: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    at: float = field(default_factory=time.time)

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    @property
    def links(self) -> list[str]:
        return LINK.findall(self.text)

    @property
    def codes(self) -> list[str]:
        return list(dict.fromkeys(CODE.findall(LINK.sub(" ", self.text))))

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "channel": self.channel,
            "person": self.person,
            "address": self.address,
            "sender": self.sender,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "links": self.links,
            "codes": self.codes,
            "reference": self.reference,
            "headers": dict(self.headers),
            "attachments": [
                {"name": file.name, "media_type": file.media_type, "bytes": len(file.data)} for file in self.attachments
            ],
            "at": self.time.isoformat(timespec="milliseconds"),
        }


class Mailroom:
    """All messages. Safe to call from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: list[Message] = []
        self._seen: set[str] = set()

    def deliver(self, message: Message) -> Message:
        """Keep a message, or return the one already kept: a sender's reference arrives once per address."""
        with self._changed:
            for kept in self._messages:
                if (
                    message.reference
                    and (kept.channel, kept.reference) == (message.channel, message.reference)
                    and same_place(kept.address, message.address)
                ):
                    return kept
            self._messages.append(message)
            del self._messages[:-MOST_KEPT]
            self._changed.notify_all()
            return message

    def of(self, person: str, channel: str = "") -> Sequence[Message]:
        """Return a person's messages, newest first."""
        return self._where(lambda message: message.person == person and channel in ("", message.channel))

    def to_address(self, address: str) -> Sequence[Message]:
        """Return the messages to an address, newest first; an empty address means all."""
        return self._where(lambda message: not address or same_place(message.address, address))

    def get(self, person: str, message_id: str) -> Message | None:
        found = self._where(lambda message: (message.person, message.id) == (person, message_id))
        return found[0] if found else None

    def mark_seen(self, message: Message) -> None:
        with self._changed:
            self._seen.add(message.id)

    def is_new(self, message: Message) -> bool:
        with self._changed:
            return message.id not in self._seen

    def remove(self, address: str) -> int:
        """Forget the messages to an address, or all. Return how many."""
        with self._changed:
            left = [message for message in self._messages if address and not same_place(message.address, address)]
            removed = len(self._messages) - len(left)
            self._messages = left
            self._changed.notify_all()
            return removed

    def wait(self, look: Callable[[], Sequence[Message]], known: int, seconds: float) -> Sequence[Message]:
        """Return what look() sees as soon as it is more than `known`, or when the time is up."""
        until = time.monotonic() + seconds
        with self._changed:
            while len(seen := look()) <= known and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            return seen

    def _where(self, wanted: Callable[[Message], bool]) -> list[Message]:
        with self._changed:
            return [message for message in reversed(self._messages) if wanted(message)]
