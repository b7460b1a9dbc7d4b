"""The adviser's desk in a real Chromium, over the whole product on a working day made by its own services."""

import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from sidecar.adapters.policy_files import SHIPPED
from sidecar.testing.pages import chromium
from simulators.demo.processes import Processes
from simulators.demo.story import FLAGS
from simulators.demo.world import Ports, World
from tests.e2e.staff.steps import NAMES, STRONG, SignIn, at_identity_service
from tests.e2e.staff_seed import SeededDay, open_day, seed_future, seed_past, seed_present

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
OVERDUE = "onboarding-1.toml"  # the one type whose review date has passed in this world's policy


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Processes]]:
    policy = tmp_path_factory.mktemp("policy") / "policy"
    shutil.copytree(SHIPPED, policy)
    late = policy / "types" / OVERDUE
    late.write_text(re.sub(r"next_review = \S+", "next_review = 2026-11-02", late.read_text()))
    world = World(tmp_path_factory.mktemp("world"), Ports.free(), policy_dir=policy)
    running = world.start(lambda title: None)
    try:
        yield world, running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def world(started: tuple[World, Processes]) -> World:
    return started[0]


@pytest.fixture(scope="module")
def day(started: tuple[World, Processes]) -> SeededDay:
    """The seeded day. The worker is away meanwhile: it would deliver what the seed says did not arrive."""
    world, running = started
    worker = next(process for process in running.all if process.name == "worker")
    assert worker.popen is not None
    worker.popen.terminate()
    worker.popen.wait(timeout=20)
    made = open_day(world.settings_file)
    seed_past(made)
    seed_present(made)
    seed_future(made)
    running.start(worker)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(FLAGS, executable=CHROMIUM) as opened:
        yield opened


@pytest.fixture(scope="module")
def known(browser: Browser, world: World, day: SeededDay) -> dict[str, Any]:
    """Everybody's cookies after one sign-in at the bank's identity service."""
    found = {}
    for who, name in NAMES.items():
        context = browser.new_context(locale="sv-SE")
        page = context.new_page()
        page.goto(f"{world.bank}/desk")
        at_identity_service(page, name, STRONG)
        expect(page.get_by_role("heading", level=1)).to_have_text("Dina möten i dag")
        found[who] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def desk(browser: Browser, world: World, known: dict[str, Any]) -> Iterator[SignIn]:
    """Open a browser in which somebody is signed in. Any complaint in its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def heard(text: str) -> None:
        if "Failed to load resource" not in text:  # a refused request is what some tests are about
            complaints.append(text)

    def sign_in(who: str) -> Page:
        context = browser.new_context(
            base_url=world.bank,
            locale="sv-SE",
            timezone_id="Europe/Stockholm",
            viewport={"width": 1280, "height": 800},
            reduced_motion="reduce",
            storage_state=known[who] if who else None,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda line: heard(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert complaints == []
