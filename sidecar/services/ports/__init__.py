"""What the services need from outside, as Protocols and the values that cross the border."""

from sidecar.services.ports.conference import Conference, ConferenceUnavailableError
from sidecar.services.ports.offered import (
    DeliveryFailedError,
    Extensions,
    IdentityMethod,
    JoinQuestion,
    MeetingFact,
    NotificationChannel,
    OutboundMessage,
    SignInRequest,
    SignInStep,
    StaffRedirect,
    StaffSignIn,
    StaffSignInError,
)
from sidecar.services.ports.stores import (
    Announcement,
    Errand,
    MeetingStore,
    MeetingTx,
    ObjectStore,
    PeopleStore,
    Person,
    SessionStore,
)

__all__ = [
    "Announcement",
    "Conference",
    "ConferenceUnavailableError",
    "DeliveryFailedError",
    "Errand",
    "Extensions",
    "IdentityMethod",
    "JoinQuestion",
    "MeetingFact",
    "MeetingStore",
    "MeetingTx",
    "NotificationChannel",
    "ObjectStore",
    "OutboundMessage",
    "PeopleStore",
    "Person",
    "SessionStore",
    "SignInRequest",
    "SignInStep",
    "StaffRedirect",
    "StaffSignIn",
    "StaffSignInError",
]
