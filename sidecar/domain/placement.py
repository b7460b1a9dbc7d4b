"""Where a meeting is held: one shard for each jurisdiction, and no way between them.

A room's name begins with its shard's id, so that a command, a report or a token for a room belongs to one shard
by its form alone. Rooms of an installation without shards have no such beginning.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.domain.ids import RoomName
from sidecar.domain.policy import Decision

NO_SHARD = Decision(False, "placement/no-shard", "no-shard")
SHARD_DOWN = Decision(False, "placement/shard-down", "shard-down")


@dataclass(frozen=True)
class Shard:
    """One media side. id: "" is the one bridge of an installation without shards. kind: "bridge" or "jitsi".

    domiciles: countries whose customers' meetings it may hold, None where there is one place for all the bank serves.
    audience: of its join tokens.
    """

    id: str
    kind: str
    region: str
    domiciles: frozenset[str] | None
    audience: str

    def may_hold(self, domicile: str) -> bool:
        return self.domiciles is None or domicile in self.domiciles


def new_room(shard: Shard) -> RoomName:
    """Return a fresh room on this shard: 128 bits, so that a name is no hint to another."""
    return RoomName(f"{shard.id}-{secrets.token_hex(16)}" if shard.id else secrets.token_hex(16))


def shard_id_of(room: str) -> str:
    """Return the id of the shard a room is on, "" where there are no shards."""
    before, hyphen, _ = room.partition("-")
    return before if hyphen else ""


def allowed_for(shards: Sequence[Shard], domicile: str) -> list[Shard]:
    """Return the shards that may hold a customer's meetings, in the bank's order. No rule means nowhere (R207)."""
    return [shard for shard in shards if shard.may_hold(domicile)]
