"""Names of things. Each id is random, says its kind in front, and carries no personal data."""

import secrets
from typing import NewType

MeetingId = NewType("MeetingId", str)  # m_...
ParticipantId = NewType("ParticipantId", str)  # p_...: one person's place in one meeting
PersonId = NewType("PersonId", str)  # per_...: the pseudonym the audit log knows
StaffId = NewType("StaffId", str)  # st_...: pseudonym of a staff member
SystemId = NewType("SystemId", str)  # sys_...: a connected system with a key of its own
RecordingId = NewType("RecordingId", str)  # rec_...
RoomName = NewType("RoomName", str)  # literal room name, lower case letters and digits

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no 0/o, 1/l/i: ids get read out on the phone
_LENGTH = 20  # 20 signs of 31: 99 bits, nobody guesses one


def new_id(prefix: str) -> str:
    """Return a fresh random id such as m_7q..., 99 bits of randomness."""
    number, signs = secrets.randbelow(len(_ALPHABET) ** _LENGTH), ""  # asked for once: each asking is a system call
    for _ in range(_LENGTH):
        number, at = divmod(number, len(_ALPHABET))
        signs += _ALPHABET[at]
    return f"{prefix}_{signs}"
