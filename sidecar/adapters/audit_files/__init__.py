"""The audit log kept in append-only files. What they look like: docs/decisions/0006-audit-log-files.md."""

from sidecar.adapters.audit_files.log import SEGMENT_ENTRIES, FileAuditLog
from sidecar.adapters.audit_files.verify import LogReport, verify_log
from sidecar.adapters.audit_files.writer import Repair

__all__ = ["SEGMENT_ENTRIES", "FileAuditLog", "LogReport", "Repair", "verify_log"]
