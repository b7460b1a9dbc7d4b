"""The audit log: records, their exact bytes, the Merkle tree over them, signed checkpoints, and the port."""

from sidecar.domain.audit.checkpoints import (
    BadCheckpointError,
    Checkpoint,
    Ed25519Signer,
    SignedCheckpoint,
    Signer,
    VerifyingKey,
    sign_checkpoint,
    verify_checkpoint,
)
from sidecar.domain.audit.kinds import KINDS, kinds_with
from sidecar.domain.audit.log import AuditDamagedError, AuditLog, MemoryAuditLog
from sidecar.domain.audit.merkle import (
    CompactRange,
    Tree,
    extends,
    includes,
    leaf_hash,
    node_hash,
    root_of,
)
from sidecar.domain.audit.privacy import PersonalDataError
from sidecar.domain.audit.records import (
    MAX_RECORD_BYTES,
    SYSTEM,
    AuditRecord,
    Entry,
    EntryRef,
    InvalidRecordError,
    assert_no_personal_data,
    canonical_json,
    decode,
    encode,
)

__all__ = [
    "KINDS",
    "MAX_RECORD_BYTES",
    "SYSTEM",
    "AuditDamagedError",
    "AuditLog",
    "AuditRecord",
    "BadCheckpointError",
    "Checkpoint",
    "CompactRange",
    "Ed25519Signer",
    "Entry",
    "EntryRef",
    "InvalidRecordError",
    "MemoryAuditLog",
    "PersonalDataError",
    "SignedCheckpoint",
    "Signer",
    "Tree",
    "VerifyingKey",
    "assert_no_personal_data",
    "canonical_json",
    "decode",
    "encode",
    "extends",
    "includes",
    "kinds_with",
    "leaf_hash",
    "node_hash",
    "root_of",
    "sign_checkpoint",
    "verify_checkpoint",
]
