"""Panels of plugins in the room: opened like the room's own, told what happens, gone with the permission."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from sidecar.testing.pages import findings
from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import ELIN, MAJA, SCREENS, Enter, answer, comes_to, control, joined, open_panel, until

pytestmark = pytest.mark.e2e
quiet, enter, room_browser = steps.quiet, steps.enter, steps.room_browser  # fixtures

NOTES = {
    "name": "notes", "plugin": "notebook", "icon": "list", "title": "Anteckningar",
    "module": "/static/x/notebook/panel.js?v=1", "style": "/static/x/notebook/panel.css?v=1",
}  # fmt: skip
DOCUMENTS = NOTES | {"name": "documents", "icon": "doc", "title": "Dokument"}
MODULE = """
export async function mount(section, api) {
  const said = document.createElement("p");
  const draw = (words) => { said.textContent = words; };
  section.append(said);
  draw([api.me.name, api.people().map(({ given }) => given).join(), api.permissions().has("chat")].join(" "));
  api.on("notebook.written", ({ number }) => draw(`note ${number}`));
  api.on("notebook.broken", () => { throw new Error("a handler of its own trouble"); });
  const button = document.createElement("button");
  button.textContent = "Notice";
  button.addEventListener("click", () => api.notice(api.t("panel.hello", { name: "Maja" })));
  const lost = document.createElement("button");
  lost.textContent = "Fetch";
  const ask = () => api.fetchJson("POST", "notes", { words: "x" });
  lost.addEventListener("click", () => ask().catch(({ sentence }) => draw(sentence)));
  section.append(button, lost);
  return {
    shown() { section.dataset.shown = Number(section.dataset.shown ?? 0) + 1; },
    hidden() { section.dataset.hidden = "yes"; },
  };
}
export function attach(api) {
  document.body.dataset.attached = api.pid;
  api.on("connected", () => { document.body.dataset.connected = "yes"; });
}
"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def serve(page: Page, module: str = MODULE) -> None:
    """Answer the plugin's files and routes, as the product would."""

    def files(route: Route) -> None:
        script = "panel.js" in route.request.url
        kind = "text/javascript" if script else "text/css"
        route.fulfill(body=module if script else ".notes { margin: 0 }", content_type=kind)

    def refuse(route: Route) -> None:
        assert route.request.headers["x-tillit-csrf"] == stub.CSRF
        body = '{"type": "/problems#plugin-refused", "status": 409, "sentence": "Blocket är fullt."}'
        route.fulfill(status=409, body=body, content_type="application/problem+json")

    page.route("**/static/x/notebook/**", files)
    page.route("**/x/notebook/notes", refuse)


def given(quiet: Any, enter: Enter, *panels: dict[str, Any], module: str = MODULE, **how: Any) -> tuple[Page, Any]:
    """Return a room in which these panels appear, and its stage."""
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage, **how))
    serve(page, module)
    stage.state["panels"] = list(panels)
    quiet.tell(stage)
    return page, stage


@pytest.mark.requirement("R053")
def test_a_plugins_panel_opens_from_the_menu_and_gives_the_focus_back(quiet: Any, enter: Enter) -> None:
    page, stage = given(quiet, enter, NOTES)
    expect(page.locator("body")).to_have_attribute("data-attached", "p_elin")
    panel = open_panel(page, "notes")
    expect(page.get_by_role("heading", name="Anteckningar")).to_be_focused()
    expect(panel.locator("[data-plugin] p")).to_have_text("Elin Sjöhage Maja true")
    assert findings(page) == []

    quiet.tell(stage, "fact", {"kind": "notebook.written", "at": "", "data": {"number": 3}})
    expect(panel.locator("[data-plugin] p")).to_have_text("note 3")
    panel.get_by_role("button", name="Fetch").click()
    expect(panel.locator("[data-plugin] p")).to_have_text("Blocket är fullt.")
    panel.get_by_role("button", name="Notice").click()
    expect(answer(page)).to_have_text("panel.hello")
    page.keyboard.press("Escape")
    expect(page.locator("#panels")).to_be_hidden()
    expect(page.locator("#more")).to_be_focused()
    open_panel(page, "chat")
    open_panel(page, "notes")
    expect(panel.locator("[data-plugin]")).to_have_attribute("data-shown", "2")
    expect(panel.locator("[data-plugin]")).to_have_attribute("data-hidden", "yes")


def test_the_documents_of_a_plugin_stand_behind_the_fourth_button(quiet: Any, enter: Enter) -> None:
    page, _ = given(quiet, enter, DOCUMENTS)
    expect(page.locator("#menu-items [data-key=documents]")).to_have_count(0)
    control(page, "documents").click()

    panel = page.locator("[data-panel=documents]")
    expect(page.locator("#documents-title")).to_be_focused()
    expect(panel.locator("[data-plugin]")).to_be_visible()
    expect(panel.get_by_text("Inget dokument visas än.")).to_be_hidden()


def test_a_panel_goes_with_its_permission_and_hears_nothing_more(quiet: Any, enter: Enter) -> None:
    page, stage = given(quiet, enter, NOTES, DOCUMENTS)
    open_panel(page, "notes")
    control(page, "documents").click()
    stage.state["panels"] = []
    quiet.tell(stage)

    expect(page.locator("#panels")).to_be_hidden()
    expect(page.locator("[data-panel=notes]")).to_have_count(0)
    page.locator("#more").click()
    expect(page.locator("#menu-items [data-key=notes]")).to_have_count(0)
    page.keyboard.press("Escape")
    control(page, "documents").click()
    expect(page.get_by_text("Inget dokument visas än.")).to_be_visible()


def test_a_line_that_comes_back_is_told_to_every_plugin(quiet: Any, enter: Enter) -> None:
    page, _ = given(quiet, enter, NOTES)
    expect(page.locator("body")).to_have_attribute("data-attached", "p_elin")
    page.evaluate("delete document.body.dataset.connected; dispatchEvent(new Event('online'))")

    expect(page.locator("body")).to_have_attribute("data-connected", "yes")


def test_a_panel_fits_every_screen(quiet: Any, enter: Enter) -> None:
    page, _ = given(quiet, enter, NOTES)
    panel = open_panel(page, "notes")
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        expect(panel).to_be_visible()
        comes_to(page, lambda: page.evaluate("innerWidth"), width)
        until(page, lambda: page.evaluate(OVERFLOW) <= 0, otherwise=lambda: page.evaluate("[innerWidth, innerHeight]"))


@pytest.mark.parametrize("module", ["this is no module", "export function mount() { throw new Error('no'); }"])
def test_a_panel_that_cannot_be_opened_says_so_and_the_room_goes_on(quiet: Any, room_browser: Any, module: str) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    context = room_browser.new_context(base_url=quiet.url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    serve(page, module)
    stage.state["panels"] = [NOTES]
    page.goto("/v/p_elin/room")
    joined(page)

    panel = open_panel(page, "notes")
    expect(panel).to_contain_text("Den här delen gick inte att öppna.")
    serve(page)
    open_panel(page, "chat")
    open_panel(page, "notes")
    expect(panel.get_by_role("button", name="Notice")).to_be_visible()
    context.close()
