"""Which entries of plugins are rows of an evidence file: what was in view, what was signed, which figures were shown.

The core knows no plugin. It reads the shape of what was recorded, as docs/plugins.md tells plugin authors:
`document`, `version`, `sha256` in an entry about a page in view; `signing` in the entries of one signing;
`calculation` in the entries of one calculation. A row rests on the entry it names, and says nothing against it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sidecar.domain.audit import Entry
from sidecar.domain.evidence import DocumentShown, FigureShown, SignatureMade

_IN_VIEW = (".page_viewed", ".page_read", ".shown")
_PRESENTED = ".presented"
_SEALED, _STAMPED = ".sealed", (".preserved", ".renewed")


def documents_shown(entries: Sequence[Entry]) -> list[DocumentShown]:
    """Return a row for each version of a document that was presented or in somebody's view, the first one first."""
    found: dict[tuple[str, int, str], DocumentShown] = {}
    for number, entry in enumerate(entries, start=1):
        kind, data = entry.record.kind, entry.record.data
        version = (data.get("document"), data.get("version"), data.get("sha256"))
        if not kind.endswith((*_IN_VIEW, _PRESENTED)) or not _is_version(*version):
            continue
        document, of, sha256 = str(version[0]), int(version[1] or 0), str(version[2])
        row = found.get((document, of, sha256))
        viewers = set(row.shown_to) if row else set()
        if not kind.endswith(_PRESENTED):
            viewers.add(entry.record.actor)
        found[document, of, sha256] = DocumentShown(
            entry=row.entry if row else number,
            document=document,
            version=of,
            sha256=sha256,
            shown_to=tuple(sorted(viewers)),
            from_at=row.from_at if row else entry.record.at,
            until_at=entry.record.at,
        )
    return list(found.values())


def signatures_made(entries: Sequence[Entry]) -> list[SignatureMade]:
    """Return a row for each signature and document it stands under, in the order they were given."""
    versions = {row.sha256: row for row in documents_shown(entries)}
    rows = []
    for number, entry in enumerate(entries, start=1):
        record = entry.record
        signing = record.data.get("signing")
        if not record.kind.endswith(".signed") or not isinstance(signing, str):
            continue
        about = [each for each in entries if each.record.data.get("signing") == signing]
        signed = _digests(about, ".opened")
        sealed = _digests(about, _SEALED)
        kinds = {each.record.kind for each in about}
        stamped = any(kind.endswith(_STAMPED) for kind in kinds)
        level = "B-LTA" if stamped else "B-B" if any(kind.endswith(_SEALED) for kind in kinds) else ""
        for sha256 in signed:
            known = versions.get(sha256)
            rows.append(
                SignatureMade(
                    entry=number,
                    document=known.document if known else "",
                    version=known.version if known else 0,
                    sha256=sha256,
                    signer=record.actor,
                    method=str(record.data.get("method", "")),
                    pades_level=level,
                    container_sha256=sealed[0] if len(sealed) == 1 else "",
                    signed_at=record.at,
                )
            )
    return rows


def figures_shown(entries: Sequence[Entry]) -> list[FigureShown]:
    """Return a row for each calculation that somebody saw, the first one first."""
    rows = []
    for number, entry in enumerate(entries, start=1):
        data = entry.record.data
        calculation = data.get("calculation")
        if not entry.record.kind.endswith(".made") or not isinstance(calculation, str):
            continue
        seen = [each for each in _about(entries, "calculation", calculation) if each.record.kind.endswith(".shown")]
        if not seen:
            continue
        rows.append(
            FigureShown(
                entry=number,
                calculation=calculation,
                version=int(data.get("n", 1)),
                inputs_sha256=str(data.get("inputs_sha256", "")),
                result_sha256=str(data.get("sha256", "")),
                rate_table=str(data.get("table", "")),
                formula=str(data.get("formula", "")),
                shown_to=tuple(sorted({each.record.actor for each in seen})),
                shown_at=seen[0].record.at,
            )
        )
    return rows


def _about(entries: Sequence[Entry], key: str, value: str) -> Iterator[Entry]:
    return (each for each in entries if each.record.data.get(key) == value)


def _digests(entries: Sequence[Entry], end: str) -> list[str]:
    """Return the documents' digests that the last entry of a kind names."""
    for each in reversed(entries):
        digests = each.record.data.get("documents_sha256")
        if each.record.kind.endswith(end) and isinstance(digests, list | tuple):
            return [str(digest) for digest in digests]
    return []


def _is_version(document: Any, version: Any, sha256: Any) -> bool:
    return isinstance(document, str) and type(version) is int and isinstance(sha256, str)
