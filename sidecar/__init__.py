"""Tillit: a bank's meeting room on open-source conferencing. Start reading at docs/architecture.md."""
