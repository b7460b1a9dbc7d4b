"""The one path of every change: the record first, and no record that claims what did not happen."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sidecar.domain.audit import AuditRecord, Ed25519Signer, MemoryAuditLog
from sidecar.domain.errors import AuditUnavailableError, ConflictError, RefusedError, TillitError
from sidecar.domain.ids import MeetingId, ParticipantId
from sidecar.domain.policy import Decision
from sidecar.services.acts import Act, Acts
from sidecar.services.ports import Announcement
from sidecar.testing.product import shipped_policy

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LOBBY = Act("lobby.entered", "per_maja", NOON, MeetingId("m_one"), ParticipantId("p_maja"), {"signs": 3})


class Store:
    """A meetings store that only keeps what it is told, in order with what the log was told."""

    def __init__(self, audit: MemoryAuditLog) -> None:
        self.audit = audit
        self.steps: list[str] = []
        self.told: list[Announcement] = []
        self.failure: Exception | None = None

    def write(self, effect: Callable[[Any], Any]) -> Any:
        self.steps.append(f"write after {self.audit.size} records")
        result = effect(self)
        if self.failure is not None:
            raise self.failure
        return result

    def announce(self, announcement: Announcement) -> None:
        self.told.append(announcement)


@pytest.fixture
def audit() -> MemoryAuditLog:
    return MemoryAuditLog(Ed25519Signer("bank/log", Ed25519PrivateKey.generate()), origin="bank")


@pytest.fixture
def store(audit: MemoryAuditLog) -> Store:
    return Store(audit)


@pytest.fixture
def acts(audit: MemoryAuditLog, store: Store) -> Acts:
    return Acts(audit, store, shipped_policy())  # type: ignore[arg-type]  # the one method these acts use


def records(audit: MemoryAuditLog) -> list[AuditRecord]:
    return [entry.record for entry in audit.read_all()]


@pytest.mark.requirement("R118", "R119")
def test_the_record_comes_first_then_the_outside_then_the_state_with_its_announcement(
    acts: Acts, audit: MemoryAuditLog, store: Store
) -> None:
    result = acts.perform(
        LOBBY,
        before=lambda: store.steps.append(f"before after {audit.size} records"),
        effect=lambda tx: "done",
    )

    assert result == "done"
    assert store.steps == ["before after 1 records", "write after 1 records"]
    [record] = records(audit)
    assert (record.kind, record.actor, record.meeting) == ("lobby.entered", "per_maja", "m_one")
    assert record.data == {"signs": 3, "participant": "p_maja"}
    assert [(told.kind, told.participant) for told in store.told] == [("lobby.entered", "p_maja")]


@pytest.mark.requirement("R119")
def test_without_a_record_nothing_is_done(acts: Acts, audit: MemoryAuditLog, store: Store) -> None:
    audit.unavailable = True

    with pytest.raises(AuditUnavailableError):
        acts.perform(LOBBY, before=lambda: store.steps.append("before"), effect=lambda tx: store.steps.append("effect"))
    assert store.steps == []


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(ConflictError(), "conflict"), (TypeError("a mistake of ours"), "internal"), (KeyError("x"), "internal")],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("where", ["before", "effect", "commit"])
def test_what_was_recorded_and_did_not_happen_is_said_not_to_have_happened(
    acts: Acts, audit: MemoryAuditLog, store: Store, failure: Exception, reason: str, where: str
) -> None:
    def fail(*_: object) -> None:
        raise failure

    store.failure = failure if where == "commit" else None
    with pytest.raises(type(failure)):
        acts.perform(
            LOBBY,
            Act("participant.left", "per_maja", NOON, MeetingId("m_one")),
            before=fail if where == "before" else None,
            effect=fail if where == "effect" else lambda tx: None,
        )

    last = records(audit)[-1]
    assert [record.kind for record in records(audit)] == ["lobby.entered", "participant.left", "act.voided"]
    assert last.data == {"entries": [0, 1], "reason": reason}
    assert (last.actor, last.meeting) == ("system", "m_one")


def test_a_refusal_is_recorded_under_its_rule_and_told_with_its_sentence(
    acts: Acts, audit: MemoryAuditLog, store: Store
) -> None:
    with pytest.raises(RefusedError) as refused:
        acts.refuse(LOBBY, Decision(False, "advice@1/grants", "chat-refused", {"type": "advice@1"}))

    [record] = records(audit)
    assert record.kind == "permission.refused"
    assert record.data["rule"] == "advice@1/grants"
    assert record.data["act"] == "lobby.entered"
    assert refused.value.params["sentence"] == "chat-refused"
    assert refused.value.params["rule"] == "advice@1/grants"


def test_a_refusal_that_cannot_be_recorded_is_not_told_as_one(acts: Acts, audit: MemoryAuditLog) -> None:
    audit.unavailable = True

    with pytest.raises(AuditUnavailableError):
        acts.refuse(LOBBY, Decision(False, "rule", "chat-refused"))


def test_only_what_is_not_allowed_is_refused(acts: Acts, audit: MemoryAuditLog) -> None:
    acts.require(LOBBY, Decision(True, "rule", "may"))

    assert audit.size == 0
    with pytest.raises(RefusedError):
        acts.require(LOBBY, Decision(False, "rule", "no"))


def test_an_act_that_carries_personal_data_does_not_happen(acts: Acts, store: Store) -> None:
    with pytest.raises(TillitError, match=r"personal|looks like"):
        acts.perform(
            Act("lobby.entered", "per_maja", NOON, data={"target": "maja.granlid@example.org"}),
            effect=lambda tx: store.steps.append("effect"),
        )
    assert store.steps == []
