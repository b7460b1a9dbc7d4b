"""A throwaway plugin through the whole product: each hook and each kind of route, and what an intruder would try."""

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.errors import ConfigurationError, ConflictError
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Policy
from sidecar.testing import ELIN, MAJA, ORIGIN, SAMIR, SIV, Browser, PluginSite, Product, guest, shipped_policy

NAME = "notebook"

CODE = '''
import threading


class Notebook:
    """Keeps notes of a meeting: enough of a plugin to take part in everything."""

    def __init__(self, context):
        self.core = context.core
        self.context = context
        self.heard = []
        self.worked = []
        self.objects = []
        self.said_no = False
        self.gate = threading.Barrier(2)
        self.trouble = None

    @hookimpl
    def provide_texts(self):
        keys = {
            "panel.title": "Notes",
            "panel.hello": "Hello {name}",
            "desk": "Notes",
            "full": "The notebook holds {limit} notes.",
            "copy.subject": "Notes from {bank}",
            "copy.body": "Dear {name}, {count} notes.",
            "copy.sms": "{count} notes.",
            "journal.written": "{actor} wrote note number {number}.",
        }
        return {language: {f"notebook.{key}": text for key, text in keys.items()} for language in LANGUAGES}

    @hookimpl
    def provide_routes(self):
        return [
            Route("GET", "notes", "occupant", self.notes, permission="view_document"),
            Route("POST", "notes", "occupant", self.write, permission="view_document"),
            Route("GET", "notes/<int:number>", "occupant", self.note, permission="view_document", where="any"),
            Route("POST", "file", "occupant", self.file, where="any", max_body=2000),
            Route("GET", "door", "visitor", self.door, where="any"),
            Route("GET", "boom", "occupant", self.boom, where="any"),
            Route("GET", "odd", "occupant", lambda request: "text", where="any"),
            Route("POST", "strict", "occupant", self.write, permission="raise_security"),
            Route("GET", "shelf", "staff", self.shelf, permission="book"),
            Route("POST", "shelf", "staff", self.echo),
            Route("POST", "rules", "staff", self.echo, permission="read_all_journals"),
            Route("GET", "all", "system", self.all, permission="read", summary="Every note"),
            Route("POST", "bring/<meeting>", "system", self.bring, permission="notebook.bring", summary="Bring a note"),
            Route("GET", "public", "anyone", self.public),
            Route("POST", "public", "anyone", self.echo),
            Route("POST", "one-by-one", "occupant", self.meets, where="any", in_turn=True),
            Route("POST", "together", "occupant", self.meets, where="any"),
            Route("GET", "away", "anyone", lambda request: PluginResponse(redirect="https://elsewhere.example/")),
        ]

    @hookimpl
    def provide_panels(self):
        return [Panel("notes", "notebook", "list", "notebook.panel.title", "view_document", style="panel.css")]

    @hookimpl
    def provide_desk_sections(self):
        return [
            DeskSection("card", "notebook.desk", "meeting", template="notebook/card.html", context=self.card),
            DeskSection("shelf", "notebook.desk", "menu", path="shelf", right="book"),
        ]

    @hookimpl
    def provide_errands(self):
        return {"notebook.bind": self.bind}

    @hookimpl
    def provide_services(self):
        return {"notes": self}

    @hookimpl
    def judge_sign(self, question):
        return Decision(False, "notebook/unread", "plugin-failed") if self.said_no else None

    @hookimpl
    def on_meeting_fact(self, fact):
        self.heard.append(fact.kind)

    def notes(self, request):
        found = self.core.records().find("notes", meeting=request.here.meeting)
        return PluginResponse(json={"notes": [each.body["words"] for each in found], "me": request.here.participant})

    def note(self, request):
        number = f"{request.here.meeting}:{request.path['number']}"
        return PluginResponse(json=dict(self.core.records().get("notes", number).body))

    def write(self, request):
        place, words = request.here, request.json["words"]
        notes = self.core.records().find("notes", meeting=place.meeting)
        if len(notes) >= 3:
            raise PluginRefusedError("full", sentence="notebook.full", limit=3)
        number = len(notes) + 1

        def effect(records):
            records.put("notes", f"{place.meeting}:{number}", {"words": words}, meeting=place.meeting, expected=0)
            records.add_errand("notebook.bind", {"number": number, "words": words}, meeting=place.meeting)
            records.add_message(place, "notebook.copy", {"count": str(number)})
            return number

        act = PluginAct("notebook.written", {"number": number}, place=place, public={"number": number},
                        announce_to=request.json.get("to", "all"))
        return PluginResponse(status=201, json={"number": self.core.perform(act, effect=effect)})

    def file(self, request):
        found = request.files["page"]
        act = PluginAct("notebook.filed", {"bytes": len(found.data)}, place=request.here)
        kept = []
        self.core.perform(act, effect=lambda records: None, before=lambda: kept.append(
            self.core.objects.put(request.here.meeting, "page", found.data)))
        self.objects += kept
        return PluginResponse(data=self.core.objects.get(kept[0]), media_type="text/plain",
                              headers={"Content-Disposition": "inline", "Set-Cookie": "stolen=1"})

    def door(self, request):
        return PluginResponse(page="notebook/door.html", context={"name": request.here.name, "csrf": request.csrf})

    def boom(self, request):
        raise ValueError("the notebook is on fire")

    def meets(self, request):
        """Say whether another request of this place is here at the same time."""
        try:
            self.gate.wait(timeout=request.json["patience"])
        except threading.BrokenBarrierError:
            self.gate.reset()
            return PluginResponse(json={"met": False})
        return PluginResponse(json={"met": True})

    def shelf(self, request):
        return PluginResponse(page="notebook/shelf.html", context={"who": request.staff.name})

    def echo(self, request):
        return PluginResponse(json={"said": request.json, "staff": request.staff.id if request.staff else ""})

    def all(self, request):
        return PluginResponse(json=[each.id for each in self.core.records().find("notes")])

    def bring(self, request):
        act = PluginAct("notebook.written", {"number": 9}, meeting=request.path["meeting"], actor=request.system)
        self.core.perform(act, effect=lambda records: records.put("notes", "x", {"words": "x"}, meeting=act.meeting))
        return PluginResponse(status=204)

    def public(self, request):
        bank, bad = "https://bank.example", "https://x; script-src *"
        return PluginResponse(json={"brand": request.brand}, may_embed=(bank, bad))

    def bind(self, errand):
        self.worked.append((errand.body["number"], errand.attempts))
        if self.trouble is not None:
            raise self.trouble

    def card(self, meeting, staff):
        if self.trouble is not None:
            raise self.trouble
        return {"count": len(self.core.records().find("notes", meeting=meeting.id))}


def load(context):
    return Notebook(context)
'''

PANEL = """
import { other } from "./other.js";
export function mount(section, api) { section.textContent = other; }
"""
DOOR = """
{% extends "base.html" %}
{% block title %}Door{% endblock %}
{% block shell %}<p>{{ name }}</p>{% endblock %}
"""
SHELF = """
{% extends "staff/base.html" %}
{% block title %}Shelf{% endblock %}
{% block work %}<p>{{ who }}</p>{% endblock %}
"""
FILES = {
    "static/panel.js": PANEL,
    "static/other.js": 'export const other = "notes";\n',
    "static/panel.css": ".notes { color: inherit; }\n",
    "templates/door.html": DOOR,
    "templates/shelf.html": SHELF,
    "templates/card.html": "<p>{{ count }} notes on the shelf</p>",
}


def policy_with(name: str) -> Policy:
    """Return the shipped policy with one more plugin let in wherever the document room is."""
    shipped = shipped_policy()
    types = {
        ref: replace(
            each,
            integrations=each.integrations | ({name} if "document_room" in each.integrations else frozenset()),
        )
        for ref, each in shipped.types.items()
    }
    bands = {
        band: floor if floor.plugins is None else replace(floor, plugins=floor.plugins | {name})
        for band, floor in shipped.bands.items()
    }
    return replace(shipped, types=types, bands=bands)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PluginSite]:
    site = PluginSite(tmp_path / "site")
    kinds = '["notebook.written", "notebook.filed"]'
    site.install(NAME, CODE, files=FILES, audit_kinds=kinds, permissions='["notebook.bring"]')
    yield site
    site.remove()


@pytest.fixture
def product(tmp_path: Path, site: PluginSite) -> Product:
    folder = tmp_path / "bank"
    folder.mkdir()
    return Product(folder, with_plugins=[NAME], approvals=site.approvals, policy=policy_with(NAME))


@pytest.fixture
def meeting(product: Product) -> Meeting:
    return product.book(guests=[guest(SAMIR)])


@pytest.fixture
def elin(product: Product, meeting: Meeting) -> Browser:
    return product.opens(meeting)


@pytest.fixture
def maja(product: Product, meeting: Meeting, elin: Browser) -> Browser:
    """Maja in the room."""
    browser = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
    assert elin.post("room/admit", {"participant": browser.place}).status_code == 200
    browser.joins()
    return browser


def notebook(product: Product) -> Any:
    return product.stub.service("notes")


# Routes of the room


def test_a_note_is_recorded_kept_announced_and_worked_on_in_one_act(
    product: Product, meeting: Meeting, maja: Browser
) -> None:
    written = maja.post("x/notebook/notes", {"words": "The roof leaks"})

    assert (written.status_code, written.get_json()) == (201, {"number": 1})
    assert maja.get("x/notebook/notes").get_json()["notes"] == ["The roof leaks"]
    record = product.records(meeting)[-1]
    assert (record.kind, record.actor, record.data) == (
        "notebook.written",
        "per_maja",
        {"number": 1, "participant": maja.place},
    )
    product.worker()
    assert notebook(product).worked == [(1, 0)]
    assert "notebook.written" in notebook(product).heard
    (message,) = [each for each in product.channels["inbox"].sent if "notes" in each.text]
    assert (message.subject, message.text) == ("Notes from Exempelbanken", f"Dear {MAJA.name}, 1 notes.")
    assert product.kinds(meeting).count("message.sent") == 1
    page = product.signs_in(ELIN).get(f"/desk/meetings/{meeting.id}").text
    assert "Meddelande från delen Notes, Maja Granlid" in page


def test_nothing_a_plugin_keeps_can_be_read_in_the_database(product: Product, maja: Browser) -> None:
    maja.post("x/notebook/notes", {"words": "The roof leaks"})

    kept = b"".join(path.read_bytes() for path in (product.folder / "data").glob("meetings.sqlite*"))
    assert b"notebook" in kept
    assert b"The roof leaks" not in kept


@pytest.mark.requirement("R142", "R213")
def test_a_meeting_records_once_that_it_used_the_plugin(product: Product, meeting: Meeting, maja: Browser) -> None:
    for _ in range(3):
        maja.get("x/notebook/notes")

    used = [each for each in product.records(meeting) if each.kind == "plugin.used" and each.data["plugin"] == NAME]
    assert len(used) == 1


def test_a_path_that_leads_to_another_place_leads_nowhere(product: Product, meeting: Meeting, maja: Browser) -> None:
    others = product.place_of(meeting, Capacity.OBSERVER).id

    assert maja.get(f"/v/{others}/x/notebook/notes").status_code == 404
    assert maja.get("/v/p_nobody/x/notebook/notes").status_code == 404


def test_a_participant_of_another_meeting_sees_only_the_notes_of_their_own(product: Product, maja: Browser) -> None:
    maja.post("x/notebook/notes", {"words": "The roof leaks"})
    other = product.book(adviser=SIV, type_name="advice")
    siv = product.opens(other, SIV)

    assert siv.get("x/notebook/notes").get_json()["notes"] == []
    assert siv.get("x/notebook/notes/1").status_code == 404


@pytest.mark.requirement("R129")
def test_an_observer_is_refused_by_the_policy_before_the_plugin_hears_of_it(
    product: Product, meeting: Meeting, elin: Browser
) -> None:
    samir = product.arrives(product.place_of(meeting, Capacity.OBSERVER)).waits(SAMIR)
    elin.post("room/admit", {"participant": samir.place})
    samir.joins()

    refused = samir.get("x/notebook/notes")

    assert refused.status_code == 403
    assert refused.get_json()["rule"] == "never/observer-documents"
    assert product.records(meeting)[-1].kind == "permission.refused"
    assert product.records(meeting)[-1].data["act"] == "notebook.request"


def test_a_route_of_the_room_is_closed_to_who_waits_outside_and_after_the_end(
    product: Product, meeting: Meeting, elin: Browser
) -> None:
    waiting = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)

    assert waiting.get("x/notebook/notes").status_code == 403
    elin.post("room/admit", {"participant": waiting.place})
    assert waiting.get("x/notebook/notes").status_code == 200
    elin.post("room/end")
    assert waiting.get("x/notebook/notes").status_code == 403


def test_who_was_put_out_reaches_no_route_of_a_plugin(product: Product, elin: Browser, maja: Browser) -> None:
    elin.post("room/expel", {"participant": maja.place})

    assert maja.get("x/notebook/door").status_code == 403
    assert maja.get("x/notebook/boom").status_code == 403


@pytest.mark.parametrize("csrf", ["", "another"])
def test_a_change_that_does_not_come_from_our_page_is_refused(product: Product, maja: Browser, csrf: str) -> None:
    before = product.stores()

    assert maja.post("x/notebook/notes", {"words": "x"}, csrf=csrf).status_code == 403
    assert product.stores() == before


def test_without_an_audit_log_nothing_of_a_plugins_act_happens(product: Product, maja: Browser) -> None:
    maja.get("x/notebook/notes")
    before = product.stores()

    with product.dead_audit():
        failed = maja.post("x/notebook/notes", {"words": "x"})
        filed = maja.client.post(
            f"/v/{maja.place}/x/notebook/file",
            data={"page": (BytesIO(b"page"), "p.txt")},
            headers={"X-Tillit-CSRF": maja.csrf()},
            base_url=ORIGIN,
        )

    assert (failed.status_code, filed.status_code) == (503, 503)
    assert product.stores() == before
    assert maja.post("x/notebook/notes", {"words": "x"}).status_code == 201


def test_a_body_larger_than_the_route_takes_is_not_read(product: Product, maja: Browser) -> None:
    def sends(size: int) -> Any:
        return maja.client.post(
            f"/v/{maja.place}/x/notebook/file",
            data={"page": (BytesIO(b"a" * size), "p.txt")},
            headers={"X-Tillit-CSRF": maja.csrf()},
            base_url=ORIGIN,
        )

    assert sends(1000).status_code == 200
    assert sends(5000).status_code == 422
    assert maja.post("x/notebook/notes", {"words": "w" * 70_000}).status_code == 422


def test_a_file_comes_back_as_it_was_and_a_plugin_sets_no_cookie(product: Product, maja: Browser) -> None:
    answer = maja.client.post(
        f"/v/{maja.place}/x/notebook/file",
        data={"page": (BytesIO(b"page one"), "p.txt")},
        headers={"X-Tillit-CSRF": maja.csrf()},
        base_url=ORIGIN,
    )

    assert answer.data == b"page one"
    assert answer.headers["Content-Disposition"] == "inline"
    assert "stolen" not in str(answer.headers.getlist("Set-Cookie"))
    core = product.services.plugin_work.core(NAME)
    (kept,) = notebook(product).objects
    core.objects.drop(kept)
    core.objects.drop(kept)
    with pytest.raises(Exception, match="key is destroyed"):
        core.objects.get(kept)


def test_a_plugin_that_fails_fails_alone(product: Product, maja: Browser, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("boom", "odd"):
        answer = maja.get(f"x/notebook/{path}")
        assert answer.status_code == 500
        assert "fire" not in answer.text
    assert any(getattr(each, "plugin", "") == NAME for each in caplog.records)
    assert maja.get("room/state").status_code == 200


def test_a_plugins_no_is_a_sentence_of_its_own(product: Product, maja: Browser) -> None:
    for _ in range(3):
        maja.post("x/notebook/notes", {"words": "x"})

    refused = maja.post("x/notebook/notes", {"words": "x"})

    assert (refused.status_code, refused.get_json()["sentence"]) == (409, "The notebook holds 3 notes.")


def test_json_that_cannot_be_read_names_the_body(product: Product, maja: Browser) -> None:
    answer = maja.client.post(
        f"/v/{maja.place}/x/notebook/notes",
        data=b"[" * 30_000,
        headers={"X-Tillit-CSRF": maja.csrf()},
        base_url=ORIGIN,
    )

    assert (answer.status_code, answer.get_json()["field"]) == (422, "body")


def test_requests_of_one_place_wait_for_each_other_where_the_route_asks_for_it(maja: Browser) -> None:
    csrf = maja.csrf()

    def two_at(path: str, patience: float) -> list[bool]:
        browsers = [replace(maja) for _ in range(2)]
        for each in browsers:
            each.client.set_cookie("tillit_visit", maja.cookie("tillit_visit"), domain="exempelbanken.example")
        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(lambda each: each.post(f"x/notebook/{path}", {"patience": patience}, csrf=csrf), browsers)
            )
        return [answer.get_json()["met"] for answer in answers]

    assert two_at("together", 60) == [True, True]
    assert two_at("one-by-one", 1) == [False, False]


# Other callers


def test_a_page_of_a_plugins_stands_in_the_products_frame(product: Product, meeting: Meeting) -> None:
    browser = product.arrives(product.place_of(meeting, Capacity.CUSTOMER), consents=False)

    page = browser.get("x/notebook/door")

    assert page.status_code == 200
    assert MAJA.name in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert browser.get("x/notebook/notes").status_code == 401


def test_the_desk_asks_for_staff_and_the_right(product: Product, meeting: Meeting, elin: Browser) -> None:
    assert product.browser().get("/desk/x/notebook/shelf").status_code in (302, 401)
    assert ELIN.name in elin.get("/desk/x/notebook/shelf").text
    assert elin.post("/desk/x/notebook/shelf", {"a": 1}).get_json()["said"] == {"a": 1}
    assert elin.post("/desk/x/notebook/shelf", {"a": 1}, csrf="").status_code == 403
    assert elin.post("/desk/x/notebook/rules", {}).status_code == 403
    assert "/desk/x/notebook/shelf" in elin.get("/desk").text
    assert "0 notes on the shelf" in elin.get(f"/desk/meetings/{meeting.id}").text


def test_a_card_that_fails_is_left_out_of_the_page(product: Product, meeting: Meeting, elin: Browser) -> None:
    notebook(product).trouble = ValueError("no shelf")

    page = elin.get(f"/desk/meetings/{meeting.id}")

    assert page.status_code == 200
    assert "on the shelf" not in page.text


def test_a_system_needs_a_key_with_the_right_and_finds_the_route_described(product: Product, meeting: Meeting) -> None:
    reads = product.services.api_keys.create("crm", ["read"])
    brings = product.services.api_keys.create("archive", ["notebook.bring"])
    client = product.app.test_client()

    def asks(method: str, path: str, key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return client.open(f"/api/v1/x/notebook/{path}", method=method, headers=headers, base_url=ORIGIN).status_code

    assert asks("GET", "all", "") == 401
    assert asks("GET", "all", reads) == 200
    assert asks("POST", f"bring/{meeting.id}", reads) == 403
    assert asks("POST", f"bring/{meeting.id}", brings) == 204
    assert product.records(meeting)[-1].actor.startswith("sys_")
    described = client.get("/api/openapi.json", base_url=ORIGIN).get_json()["paths"]
    assert described["/api/v1/x/notebook/bring/{meeting}"]["post"]["summary"] == "Bring a note"


def test_anyone_may_embed_what_the_plugin_names_and_nothing_slips_into_the_policy(product: Product) -> None:
    answer = product.browser().get("/x/notebook/public")

    assert answer.get_json() == {"brand": "exempelbanken"}
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors https://bank.example 'none'" in policy
    assert "script-src" not in policy
    assert product.browser().get("/x/notebook/away").status_code == 500


# Files


def test_only_approved_files_are_served_and_not_once_they_change(product: Product, site: PluginSite) -> None:
    browser = product.browser()

    served = browser.get("/static/x/notebook/panel.js")
    assert served.mimetype == "text/javascript"
    assert served.headers["Cache-Control"] == "no-cache"
    assert (
        browser.get("/static/x/notebook/panel.js", headers={"If-None-Match": served.headers["ETag"]}).status_code == 304
    )
    for path in ("../manifest.toml", "%2e%2e/__init__.py", "__init__.py", "missing.js"):
        assert browser.get(f"/static/x/notebook/{path}").status_code == 404, path
    assert browser.get("/static/x/bankid/panel.js").status_code == 404
    file = site.folder / "tillit_notebook" / "static" / "other.js"
    file.write_text("alert(1)", "utf-8")
    assert browser.get("/static/x/notebook/other.js").status_code == 404


# The room's picture and stream


def test_a_panel_is_shown_to_who_has_its_permission_and_its_facts_are_heard_by_them(
    product: Product, meeting: Meeting, elin: Browser, maja: Browser
) -> None:
    samir = product.arrives(product.place_of(meeting, Capacity.OBSERVER)).waits(SAMIR)
    elin.post("room/admit", {"participant": samir.place})
    samir.joins()

    (panel,) = maja.get("room/state").get_json()["panels"]
    assert (panel["name"], panel["title"], panel["icon"]) == ("notes", "Notes", "list")
    assert product.browser().get(panel["module"]).status_code == 200
    assert product.browser().get(panel["style"]).status_code == 200
    assert samir.get("room/state").get_json()["panels"] == []
    assert "notebook.panel.hello" in maja.get("room").text

    maja.get("x/notebook/notes")  # the first use is a fact of the meeting's, and changes the picture
    hers, his, own = Line(elin), Line(samir), Line(maja)
    maja.post("x/notebook/notes", {"words": "The roof leaks"})
    maja.post("x/notebook/notes", {"words": "Only me", "to": [maja.place]})
    maja.post("x/notebook/notes", {"words": "Nobody", "to": []})
    maja.post("room/hand", {"raised": True})
    assert hers.facts() == [("notebook.written", {"number": 1})]
    assert own.facts() == [("notebook.written", {"number": 1}), ("notebook.written", {"number": 2})]
    assert his.facts() == []
    elin.post("room/end")  # each line ends by itself


# Meetings that do not let it in


@pytest.mark.requirement("R140")
def test_a_meeting_whose_type_does_not_name_the_plugin_never_calls_it(tmp_path: Path, site: PluginSite) -> None:
    folder = tmp_path / "strict"
    folder.mkdir()
    product = Product(folder, with_plugins=[NAME], approvals=site.approvals)
    meeting = product.book()
    elin = product.opens(meeting)

    refused = elin.get("x/notebook/boom")

    assert (refused.status_code, refused.get_json()["rule"]) == (403, "mortgage@1/integrations")
    assert elin.get("room/state").get_json()["panels"] == []
    product.worker()
    assert notebook(product).heard == []
    assert "notes on the shelf" not in elin.get(f"/desk/meetings/{meeting.id}").text


# Work


def test_work_that_fails_is_tried_again_then_stands_on_the_desk_until_it_is_started_anew(
    product: Product, meeting: Meeting, elin: Browser, maja: Browser
) -> None:
    notebook(product).trouble = ValueError("the binder is out of glue")
    maja.post("x/notebook/notes", {"words": "x"})
    for _ in range(14):
        product.worker()
        product.clock.on(hours=1)

    tried = [attempts for _, attempts in notebook(product).worked]
    assert tried == list(range(12))
    assert "errand.failed" in product.kinds(meeting)
    elin = product.signs_in(ELIN)
    page = elin.get("/desk/undone").text
    assert "notebook" in page
    assert "/desk/undone" in elin.get("/desk").text
    (errand,) = [each for each in product.services.meetings.failed_errands() if each.kind == "notebook.bind"]
    assert "the binder" not in page
    notebook(product).trouble = None
    assert product.signs_in(SIV).post(f"/desk/undone/{errand.id}/again").status_code == 404
    assert elin.post(f"/desk/undone/{errand.id}/again").status_code == 200
    product.worker()
    assert len(notebook(product).worked) == 13
    assert product.services.meetings.get_errand(errand.id).state == "done"
    assert "errand.again" in product.kinds(meeting)


def test_work_the_plugin_calls_hopeless_is_given_up_at_once(product: Product, maja: Browser) -> None:
    from sidecar.plugin_api import DeliveryFailedError

    notebook(product).trouble = DeliveryFailedError("gone", retry=False)
    maja.post("x/notebook/notes", {"words": "x"})
    product.worker()

    assert [each.kind for each in product.services.meetings.failed_errands()] == ["notebook.bind"]


# The core's own rules


def test_what_is_only_told_is_in_no_log_and_no_plugin_hears_of_it(
    product: Product, meeting: Meeting, elin: Browser, maja: Browser
) -> None:
    from sidecar.plugin_api import PluginAct

    maja.get("x/notebook/notes")
    core = product.services.plugin_work.core(NAME)
    size, line = product.services.audit.size, Line(elin)
    core.tell(PluginAct("notebook.filed", meeting=meeting.id, public={"cursor": 3}))
    maja.post("room/hand", {"raised": True})

    assert line.facts() == [("notebook.filed", {"cursor": 3})]
    assert product.services.audit.size == size + 1
    product.worker()
    assert "notebook.filed" not in notebook(product).heard
    elin.post("room/end")


def test_the_inner_state_of_something_under_way_is_kept_without_a_record(product: Product) -> None:
    core, size = product.services.plugin_work.core(NAME), product.services.audit.size

    assert core.keep(lambda records: records.put("tries", "one", {"step": 1}, expected=0)) == 1
    assert core.records().get("tries", "one").body == {"step": 1}
    assert product.services.audit.size == size


def test_records_conflict_when_somebody_was_faster_and_change_only_inside_an_act(
    product: Product, maja: Browser
) -> None:
    from sidecar.plugin_api import PluginAct

    core = product.services.plugin_work.core(NAME)
    act = PluginAct("notebook.written", {"number": 1})
    assert core.perform(act, effect=lambda records: records.put("c", "one", {"a": 1}, expected=0)) == 1
    with pytest.raises(ConflictError):
        core.perform(act, effect=lambda records: records.put("c", "one", {"a": 2}, expected=0))
    assert core.perform(act, effect=lambda records: records.put("c", "one", {"a": 2}, expected=1)) == 2
    assert product.kinds()[-3:] == ["notebook.written", "act.voided", "notebook.written"]
    with pytest.raises(ConfigurationError):
        core.records().put("c", "two", {})
    with pytest.raises(ConfigurationError):
        core.perform(PluginAct("meeting.ended"), effect=lambda records: None)
    with pytest.raises(ConfigurationError):
        core.perform(act, effect=lambda records: records.add_errand("bankid.sign", {}))
    with pytest.raises(ConfigurationError):
        core.perform(effect=lambda records: None)
    other = product.services.plugin_work.core("bankid")
    assert other.records().find("c") == []


class Line:
    """An open line of events, read in a thread of its own, from before what the test does."""

    def __init__(self, browser: Browser) -> None:
        self._heard: queue.Queue[str] = queue.Queue()
        self._browser = browser
        threading.Thread(target=self._listen, daemon=True).start()
        assert self._heard.get(timeout=60).startswith("event: state")

    def _listen(self) -> None:
        for chunk in self._browser.get("events").iter_encoded():
            self._heard.put(chunk.decode())

    def facts(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the facts heard until the picture of the room changes."""
        found = []
        while not (heard := self._heard.get(timeout=60)).startswith("event: state"):
            if heard.startswith("event: fact"):
                fact = json.loads(heard.partition("\ndata: ")[2])
                found.append((fact["kind"], fact["data"]))
        return found
