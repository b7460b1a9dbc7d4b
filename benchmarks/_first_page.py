"""How long a customer waits from "show" to the page on their screen: the whole product, and a real browser."""

import io
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from sidecar.domain.permissions import Capacity
from sidecar.testing import MAJA, ORIGIN, Browser, Clock, Product

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_HOST = "exempelbanken.example"
_ON_SCREEN = """name => {
    const image = document.querySelector(".dr-image");
    return image && !image.hidden && image.complete && image.alt.startsWith(name);
}"""


def first_pages(documents: list[tuple[str, bytes]]) -> list[float]:
    """Return the seconds from the adviser's request to the decoded page in the customer's browser, each document."""
    took = []
    with _meeting() as (adviser, page):
        ids = [_brought(adviser, name, data) for name, data in documents]
        for (name, _), id in zip(documents, ids, strict=True):
            began = time.monotonic()
            answer = adviser.post("x/document_room/present", {"document": id, "page": 1})
            assert answer.status_code == 200, answer.text
            page.wait_for_function(_ON_SCREEN, arg=name, polling="raf", timeout=30_000)
            took.append(time.monotonic() - began)
    return took


@contextmanager
def _meeting() -> Iterator[tuple[Browser, Page]]:
    """Hold a meeting: the adviser's requests go straight in, the customer sits in Chromium."""
    with tempfile.TemporaryDirectory(prefix="tillit-bench-", ignore_cleanup_errors=True) as folder:
        more = "[web]\nsecure_cookies = false\n"
        product = Product(Path(folder), clock=_Running(), with_plugins=["document_room"], files=True, more=more)
        booked = product.book()
        customer = product.arrives(product.place_of(booked, Capacity.CUSTOMER)).waits(MAJA)
        adviser = product.opens(booked)
        adviser.joins()
        adviser.post("room/admit", {"participant": customer.place})
        customer.joins()
        server = make_server("127.0.0.1", 0, product.app, threaded=True, request_handler=_Silent)
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        address = f"http://{_HOST}:{server.server_port}"
        flags = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {_HOST} 127.0.0.1"]
        flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        flags += [f"--unsafely-treat-insecure-origin-as-secure={address}"]
        with sync_playwright() as running:
            chromium = running.chromium.launch(executable_path=CHROMIUM, args=flags)
            context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="sv-SE")
            context.add_cookies(
                [{"name": "tillit_visit", "value": customer.cookie("tillit_visit"), "domain": _HOST, "path": "/"}]
            )
            page = context.new_page()
            page.goto(f"{address}/v/{customer.place}/room")
            page.locator("[data-opens=documents]").first.click()
            page.locator("[data-panel=documents] .dr").wait_for()
            yield adviser, page
            chromium.close()
        server.shutdown()
        serving.join(10)
        server.server_close()


def _brought(adviser: Browser, name: str, data: bytes) -> str:
    answer = adviser.client.post(
        f"/v/{adviser.place}/x/document_room/documents",
        data={"file": (io.BytesIO(data), f"{name}.pdf")},
        headers={"X-Tillit-CSRF": adviser.csrf()},
        base_url=ORIGIN,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["id"])


class _Running(Clock):
    """A clock that runs, from the tests' noon."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self._began)


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        return None
