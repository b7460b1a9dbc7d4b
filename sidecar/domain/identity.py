"""Who somebody is, and how sure we are: levels of assurance and identity assertions."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum


class LoA(IntEnum):
    """Level of assurance, ordered. Source: Regulation (EU) 910/2014 article 8."""

    NONE = 0
    LOW = 1  # link plus a code by another channel
    SUBSTANTIAL = 2  # Swedish BankID and Freja+ are this: the Swedish tillitsnivå 3
    HIGH = 3  # Norwegian BankID, MitID with chip or high


@dataclass(frozen=True)
class Subject:
    """Whom an identity assertion is about.

    scheme: "se-personnummer" (12 digits), "email", "phone", ... ; value: normalised for its scheme.
    Never logged, never shown, never put in a URL.
    """

    scheme: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class EvidencePart:
    """A piece of proof an identity provider left, kept encrypted in the object store."""

    name: str
    media_type: str
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class IdentityAssertion:
    """What an eID (or the code link) said about a person, once, at one moment.

    provider: the plugin's name. method: how, in the provider's words ("bankid-qr", "bankid-same-device").
    name: as verified, for the tile and the lobby. asserted_at: aware UTC.
    """

    provider: str
    method: str
    loa: LoA
    subject: Subject
    name: str = field(repr=False)
    asserted_at: datetime
    evidence: tuple[EvidencePart, ...] = ()
    factors: int = 2


@dataclass(frozen=True)
class StaffAssertion:
    """What the bank's identity service said about a staff member.

    subject: the service's stable id. groups: its role claims, mapped to role packages by policy.
    acr, amr: as sent (OpenID Connect Core 1.0 section 2, RFC 8176). authenticated_at: `auth_time`.
    """

    provider: str
    subject: str = field(repr=False)
    name: str = field(repr=False)
    groups: tuple[str, ...]
    acr: str
    amr: tuple[str, ...]
    authenticated_at: datetime
    evidence_digest: str
    title: str = ""
    office: str = ""
