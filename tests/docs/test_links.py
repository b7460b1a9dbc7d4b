"""Every relative link of every page leads to a file that is there, and to a heading that is in it."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NOT_OURS = {"node_modules", "build", "var"}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    return [
        path
        for path in sorted(ROOT.rglob("*.md"))
        if not any(part.startswith(".") or part in _NOT_OURS for part in path.relative_to(ROOT).parts[:-1])
    ]


def links() -> Iterator[tuple[Path, str]]:
    """Yield each page with each link in it that is no address on the web."""
    for page in pages():
        for target in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
            if not re.match(r"[a-z]+:", target):
                yield page, target


def anchors(page: Path) -> set[str]:
    """Return what a heading is linked by: small letters, no punctuation, hyphens for spaces."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in _HEADING.findall(text)}


def test_the_pages_that_every_reader_looks_for_are_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in pages()}

    assert {"README.md", "SECURITY.md", "docs/architecture.md", "plugins/bankid/README.md"} <= names
    assert len(list(links())) > 50


def test_every_link_leads_to_something_that_is_there() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page, target in links()
        if target.partition("#")[0] and not (page.parent / target.partition("#")[0]).exists()
    ]

    assert broken == []


def test_every_link_to_a_heading_finds_it() -> None:
    broken = []
    for page, target in links():
        file, _, heading = target.partition("#")
        there = page.parent / file if file else page
        if heading and there.suffix == ".md" and there.exists() and heading not in anchors(there):
            broken.append(f"{page.relative_to(ROOT)}: {target}")

    assert broken == []


def test_no_link_is_of_one_machine() -> None:
    assert [f"{page.relative_to(ROOT)}: {target}" for page, target in links() if target.startswith("/")] == []
