"""Pages in a real Chromium: what axe finds in them, and what does not fit. Needs what requirements/dev.txt names."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

PATIENCE_MS = 30_000  # for a busy machine; what never comes about is told by it all the same
expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def chromium(flags: Sequence[str], *, executable: str = "/usr/bin/chromium") -> Iterator[Browser]:
    """Run a browser for the length of the block. Skips the test where none is installed."""
    if not Path(executable).exists():
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=executable, args=list(flags))
        yield opened
        opened.close()


def hear_complaints(page: Page, complaints: list[str]) -> None:
    """Write down every error of a page's scripts and console: a broken security policy shows there."""

    def heard(line: ConsoleMessage) -> None:
        # A refusal is an answer of the server, not a fault of the page; the browser writes both down.
        if line.type == "error" and "the server responded with a status of" not in line.text:
            complaints.append(line.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))


def findings(page: Page, *, within: str | None = None) -> list[str]:
    """Return what axe finds, on the whole page or within what the selector names."""
    found = Axe().run(page, context=within).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def wider_than_screen(page: Page) -> list[str]:
    """Return what sticks out where the page scrolls sideways."""
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            return [...document.body.querySelectorAll("*")]
                .filter((one) => one.getBoundingClientRect().right > width + 1 && !one.closest(".hidden"))
                .map((one) => one.outerHTML.slice(0, 120));
        }"""
    )
    return found
