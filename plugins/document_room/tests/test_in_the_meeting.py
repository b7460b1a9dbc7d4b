"""The document room in the whole product: over HTTP, with the real stores, log and processes."""

import base64
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import InvalidInputError, SignQuestion
from sidecar.testing import Product
from sidecar.testing.people import AGNES, COLM, FRIDA, MAJA, SAMIR, guest
from sidecar.testing.product import ORIGIN, Browser
from tillit_document_room import keeping, shelf

Pages = Callable[..., bytes]


class Story:
    """A mortgage meeting with adviser and customer in the room."""

    def __init__(self, folder: Path, **how: Any) -> None:
        self.product = Product(folder, with_plugins=["document_room"], **how)
        self.meeting: Meeting = self.product.book()
        self.customer = self.product.arrives(self.product.place_of(self.meeting, Capacity.CUSTOMER)).waits(MAJA)
        self.adviser = self.product.opens(self.meeting)
        self.adviser.joins()
        self.adviser.post("room/admit", {"participant": self.customer.place})
        self.customer.joins()

    def bring(self, who: Browser, data: bytes, name: str = "Skuldebrev.pdf") -> Any:
        return who.client.post(
            f"/v/{who.place}/x/document_room/documents",
            data={"file": (io.BytesIO(data), name)},
            headers={"X-Tillit-CSRF": who.csrf()},
            base_url=ORIGIN,
        )

    def shown(self, data: bytes, page: int = 1) -> str:
        """Let the adviser bring and present a document; return its id."""
        brought = self.bring(self.adviser, data)
        assert brought.status_code == 201, brought.text
        id = str(brought.get_json()["id"])
        self.present(id, page)
        return id

    def present(self, id: str, page: int = 1) -> None:
        answer = self.adviser.post("x/document_room/present", {"document": id, "page": page})
        assert answer.status_code == 200, answer.text

    def page(self, who: Browser, id: str, page: int = 1, version: int = 1) -> Any:
        return who.get(f"x/document_room/documents/{id}/{version}/pages/{page}")

    def state(self, who: Browser) -> Any:
        answer = who.get("x/document_room/state")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def kinds(self) -> list[str]:
        mine = [kind for kind in self.product.kinds(self.meeting) if kind.startswith("document_room.")]
        return [kind.partition(".")[2] for kind in mine]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def picture(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "image/png"
    assert answer.headers["Cache-Control"] == "no-store"
    return Image.open(io.BytesIO(answer.data)).convert("RGB")


@pytest.mark.requirement("R053", "R072", "R080")
def test_what_the_adviser_presents_is_seen_by_the_customer_with_their_own_mark(story: Story, written: Pages) -> None:
    id = story.shown(written(["Lån 2 270 000 kr"], ["Sida två"]))

    told = story.state(story.customer)
    assert told["stage"]["document"] == id
    mine, theirs = picture(story.page(story.customer, id)), picture(story.page(story.adviser, id))
    assert mine.size == theirs.size
    assert ImageChops.difference(mine, theirs).getbbox() is not None
    viewed = [each for each in story.product.records(story.meeting) if each.kind == "document_room.page_viewed"]
    assert {each.data["participant"] for each in viewed} == {story.customer.place, story.adviser.place}
    assert all(len(str(each.data["sha256"])) == 64 and each.data["version"] == 1 for each in viewed)


def test_nothing_is_seen_before_it_is_presented_nor_by_who_only_has_the_address(story: Story, written: Pages) -> None:
    id = story.bring(story.adviser, written(["Utkast"])).get_json()["id"]
    assert story.state(story.customer)["documents"] == []
    assert story.page(story.customer, id).status_code == 404
    stranger = story.product.browser()
    assert stranger.get(f"/v/{story.customer.place}/x/document_room/documents/{id}/1/pages/1").status_code == 404


@pytest.mark.requirement("R036", "R037")
def test_a_masked_value_is_in_nobodys_pixels_or_text_but_whose_right_it_is(story: Story, written: Pages) -> None:
    pdf = written(["Beslut", "Beviljat 2 270 000 kr", "Villkor"])
    id = story.shown(pdf)
    before = picture(story.page(story.customer, id))
    hidden = story.adviser.post(
        f"x/document_room/documents/{id}/masks",
        {"value": "2270000 KR", "instead": "Beviljat", "hide_from": [story.customer.place]},
    )
    assert hidden.status_code == 201, hidden.text
    assert hidden.get_json()["places"] == 1

    after, advisers = picture(story.page(story.customer, id)), picture(story.page(story.adviser, id))
    box = ImageChops.difference(before, after).getbbox()
    assert box is not None
    covered = after.crop((box[0] + 3, box[1] + 3, box[0] + 8, box[3] - 3))
    assert len(covered.getcolors() or []) <= 3, "one grey, with the mark across it, and nothing of the letters"
    assert len(advisers.crop(box).getcolors(10_000) or []) > 20, "the adviser still reads it"
    words = story.customer.get(f"x/document_room/documents/{id}/1/pages/1/text").get_json()["text"]
    assert "270" not in words
    assert "[Beviljat]" in words
    assert "2 270 000" in story.adviser.get(f"x/document_room/documents/{id}/1/pages/1/text").get_json()["text"]
    assert "270" not in story.customer.get("x/document_room/state").text
    assert story.state(story.customer)["documents"][0]["masked"] is True


@pytest.mark.requirement("R037")
def test_a_value_that_stands_nowhere_as_text_is_refused_rather_than_believed_hidden(
    story: Story, written: Pages
) -> None:
    id = story.shown(written(["Beslut"]))
    answer = story.adviser.post(f"x/document_room/documents/{id}/masks", {"value": "9 999"})
    assert answer.status_code == 409
    assert "Märk ut stället" in answer.get_json()["sentence"]
    assert "marked" not in story.kinds()


@pytest.mark.requirement("R037")
def test_what_was_hidden_stays_hidden_in_the_next_version(story: Story, written: Pages) -> None:
    id = story.shown(written(["Belopp 1 111 kr"]))
    path = f"x/document_room/documents/{id}/masks"
    story.adviser.post(path, {"value": "1 111", "hide_from": [story.customer.place]})
    changed = story.adviser.client.post(
        f"/v/{story.adviser.place}/x/document_room/documents/{id}/versions",
        data={"file": (io.BytesIO(written(["Ny rad"], ["Belopp", "1 111 kr igen"])), "v2.pdf")},
        headers={"X-Tillit-CSRF": story.adviser.csrf()},
        base_url=ORIGIN,
    )
    assert changed.status_code == 201, changed.text
    story.present(id, 2)
    assert story.page(story.customer, id, 2, version=2).status_code == 200
    words = story.customer.get(f"x/document_room/documents/{id}/2/pages/2/text").get_json()["text"]
    assert "1 111" not in words
    assert "kr igen" in words


def newer(story: Story, id: str, data: bytes) -> Any:
    return story.adviser.client.post(
        f"/v/{story.adviser.place}/x/document_room/documents/{id}/versions",
        data={"file": (io.BytesIO(data), "v2.pdf")},
        headers={"X-Tillit-CSRF": story.adviser.csrf()},
        base_url=ORIGIN,
    )


def hides(story: Story, id: str, **what: Any) -> str:
    """Hide something from the customer; return the mask's id."""
    hidden = story.adviser.post(f"x/document_room/documents/{id}/masks", what | {"hide_from": [story.customer.place]})
    assert hidden.status_code == 201, hidden.text
    return str(next(each for each in story.state(story.adviser)["documents"] if each["id"] == id)["masks"][-1]["id"])


def served(story: Story, id: str, version: int, page: int = 1) -> str:
    """Return a page's words as the customer gets them, "" where its picture is refused."""
    answer = story.page(story.customer, id, page, version=version)
    words = story.customer.get(f"x/document_room/documents/{id}/{version}/pages/{page}/text")
    if answer.status_code != 200:
        assert (answer.status_code, words.status_code) == (409, 409)
        assert answer.get_json()["sentence"].startswith("Rådgivaren ser över")
        return ""
    return str(words.get_json()["text"])


@pytest.mark.requirement("R037")
def test_what_is_hidden_in_the_newest_version_is_not_served_from_an_older_one(story: Story, written: Pages) -> None:
    id = story.shown(written(["Belopp 1 111 kr"]))
    assert newer(story, id, written(["Belopp 1 111 kr", "Ny rad"])).status_code == 201
    assert "1 111" in served(story, id, 1)

    hides(story, id, value="1 111")

    assert served(story, id, 1) == ""
    assert "1 111" not in served(story, id, 2)
    told = {"visible_to": None, "released": True, "downloadable": True}
    assert story.adviser.post(f"x/document_room/documents/{id}/share", told).status_code == 200
    for version in (1, 2):
        taken = story.customer.get(f"x/document_room/documents/{id}/{version}/file")
        assert taken.status_code in (403, 409)
    assert picture(story.page(story.adviser, id, 1, version=1)), "the adviser reads both"
    assert story.customer.post(f"x/document_room/documents/{id}/1/reading", {"page": 1}).status_code == 409


@pytest.mark.requirement("R037")
@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ([["Belopp 1 111 kr"]], [["Belopp 1.111 SEK"]], {"value": "1 111 kr"}),
        ([["Belopp 1 111 kr", "igen 1 111 kr"]], [["Belopp 1 111 kr", "igen 1.111"]], {"value": "1 111 kr"}),
        ([["Belopp 1 111 kr"]], [["Belopp 1 111 kr"], []], {"value": "1 111 kr"}),  # a page without words: scanned
        ([["Belopp 1 111 kr"]], [["Ny rad", "Belopp 1 111 kr"]], {"page": 1, "box": [0.1, 0.05, 0.4, 0.05]}),
        ([["A"], ["1 111 kr"]], [["A 1 111 kr"]], {"page": 2, "box": [0.1, 0.05, 0.4, 0.05]}),
    ],
)
def test_a_version_in_which_not_all_that_is_hidden_is_found_waits_for_the_adviser(
    story: Story, written: Pages, first: list[list[str]], second: list[list[str]], hidden: dict[str, Any]
) -> None:
    id = story.shown(written(*first))
    mask = hides(story, id, **hidden)
    assert "1 111" not in served(story, id, 1)

    added = newer(story, id, written(*second))

    assert added.get_json() == {"id": id, "version": 2, "unsettled": 1}
    story.present(id)
    assert served(story, id, 2) == ""
    assert story.state(story.customer)["documents"][0]["masked"] is True
    told = story.state(story.adviser)["documents"][0]["masks"]
    assert [(each["id"], each["settled"]) for each in told] == [(mask, False)]
    settled = f"x/document_room/documents/{id}/masks/{mask}/settled"
    assert story.customer.post(settled, {"version": 2}).status_code == 403
    assert story.adviser.post(settled, {"version": 1}).status_code == 409, "another version than the newest"
    assert served(story, id, 2) == ""

    hides(story, id, page=1, box=[0.1, 0.0, 0.8, 0.5])  # all of what is written
    assert served(story, id, 2) == "", "the older mask waits all the same"
    assert story.adviser.post(settled, {"version": 2}).status_code == 200
    words = served(story, id, 2)
    assert words
    assert "111" not in words
    marked = [each.data for each in story.product.records(story.meeting) if each.kind == "document_room.marked"]
    assert [each["what"] for each in marked] == ["hidden", "hidden", "settled"]


@pytest.mark.requirement("R072", "R155")
def test_a_withdrawn_document_is_gone_for_everybody_at_once_and_comes_back_only_in_time(
    story: Story, written: Pages
) -> None:
    id = story.shown(written(["Fel papper"]))
    picture(story.page(story.customer, id))
    gone = story.adviser.post(f"x/document_room/documents/{id}/withdraw", {"reason": "mistake"})
    assert gone.status_code == 200, gone.text
    assert story.page(story.customer, id).status_code == 404
    assert story.page(story.adviser, id).status_code == 404
    assert story.state(story.customer)["documents"] == []
    assert story.state(story.customer)["stage"] is None

    assert story.adviser.post(f"x/document_room/documents/{id}/restore", {}).status_code == 200
    picture(story.page(story.customer, id))
    story.adviser.post(f"x/document_room/documents/{id}/withdraw", {"reason": "outdated"})
    story.product.clock.on(minutes=11)
    assert story.adviser.post(f"x/document_room/documents/{id}/restore", {}).status_code == 409


@pytest.mark.requirement("R155")
def test_a_misaddressed_document_is_counted_with_how_many_saw_it_and_never_comes_back(
    story: Story, written: Pages
) -> None:
    id = story.shown(written(["Till en annan kund"]))
    picture(story.page(story.customer, id))
    story.adviser.post(f"x/document_room/documents/{id}/withdraw", {"reason": "misaddressed"})
    [counted] = [e for e in story.product.records(story.meeting) if e.kind == "document_room.misaddressed"]
    assert counted.data["was_seen_by"] == 1
    assert story.adviser.post(f"x/document_room/documents/{id}/restore", {}).status_code == 409


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Let something happen once, right after somebody else's request has read the document it is about."""
    real = shelf.document

    def document(records: Any, id: str) -> Any:
        found = real(records, id)
        monkeypatch.setattr(shelf, "document", real)
        happens()
        return found

    monkeypatch.setattr(shelf, "document", document)


def _id(at: str) -> str:
    return at.rpartition("/")[2]


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("L", (40, 40), 200).save(out, "PNG")
    return out.getvalue()


PNG = _png()
CHANGES: dict[str, Callable[[Story, str], Any]] = {
    "masks": lambda story, at: story.adviser.post(f"{at}/masks", {"value": "1 111"}),
    "clauses": lambda story, at: story.adviser.post(f"{at}/clauses", {"title": "x", "words": "Belopp"}),
    "share": lambda story, at: story.adviser.post(f"{at}/share", {"released": True, "downloadable": True}),
    "present": lambda story, at: story.adviser.post("x/document_room/present", {"document": _id(at), "page": 1}),
    "versions": lambda story, at: newer(story, _id(at), PNG),
}


@pytest.mark.requirement("R072", "R155")
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_under_way_when_a_misaddressed_document_was_withdrawn_does_not_bring_it_back(
    story: Story, written: Pages, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    id = str(story.bring(story.adviser, written(["Belopp 1 111 kr"])).get_json()["id"])
    if change != "present":
        story.present(id)
    at = f"x/document_room/documents/{id}"
    withdrawn: list[int] = []
    meanwhile(
        monkeypatch,
        lambda: withdrawn.append(story.adviser.post(f"{at}/withdraw", {"reason": "misaddressed"}).status_code),
    )

    refused = CHANGES[change](story, at)

    assert withdrawn == [200]
    assert refused.status_code == 409, refused.text
    assert refused.get_json()["sentence"]
    assert [each["state"] for each in story.state(story.adviser)["documents"]] == ["withdrawn"]
    assert story.page(story.customer, id).status_code == 404
    assert story.state(story.customer)["documents"] == []
    assert story.adviser.post(f"{at}/restore", {}).status_code == 409


@pytest.mark.requirement("R155")
def test_a_withdrawal_comes_before_what_was_changed_meanwhile(
    story: Story, written: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = story.shown(written(["Till en annan kund"]))
    at = f"x/document_room/documents/{id}"
    # The withdrawal reads once to ask whether it may, and once to change.
    meanwhile(monkeypatch, lambda: meanwhile(monkeypatch, lambda: CHANGES["share"](story, at)))

    assert story.adviser.post(f"{at}/withdraw", {"reason": "misaddressed"}).status_code == 200

    [kept] = story.state(story.adviser)["documents"]
    assert (kept["state"], kept["downloadable"]) == ("withdrawn", True)
    assert story.page(story.customer, id).status_code == 404


def clause(story: Story, id: str, words: str) -> str:
    made = story.adviser.post(f"x/document_room/documents/{id}/clauses", {"title": f"Om {words}", "words": words})
    assert made.status_code == 201, made.text
    return str(made.get_json()["id"])


def reads(story: Story, id: str, page: int, *, seconds: float, seen: list[str]) -> None:
    body = {"page": page, "seconds": seconds, "seen": seen, "past": []}
    assert story.customer.post(f"x/document_room/documents/{id}/1/reading", body).status_code == 200


@pytest.mark.requirement("R209", "R050")
def test_critical_clauses_hold_back_signing_until_each_was_long_enough_in_view_or_acknowledged(
    story: Story, written: Pages
) -> None:
    id = story.shown(written(["3.2 Räntan kan ändras"], ["6.1 Dröjsmålsränta"], ["Underskrift"]))
    first, second = clause(story, id, "Räntan kan"), clause(story, id, "Dröjsmål")
    seen = story.product.stub.service("documents").seen
    assert seen(id, story.customer.place).complete is False

    picture(story.page(story.customer, id, 1))
    reads(story, id, 1, seconds=600, seen=[first])
    assert set(seen(id, story.customer.place).missing) == {first, second}, "a browser that claims ten minutes at once"
    story.product.clock.on(seconds=5)
    reads(story, id, 1, seconds=600, seen=[first])
    now = seen(id, story.customer.place)
    assert now.missing == (second,)
    assert now.seconds[1] <= 5.1
    refused = story.customer.post(f"x/document_room/documents/{id}/1/clauses/{second}/read", {})
    assert refused.status_code == 409, "the page was never opened"
    picture(story.page(story.customer, id, 2))
    assert story.customer.post(f"x/document_room/documents/{id}/1/clauses/{second}/read", {}).status_code == 200
    assert seen(id, story.customer.place).complete is True
    assert "clause_seen" in story.kinds()
    assert "clause_acknowledged" in story.kinds()


@pytest.mark.requirement("R050", "R209")
def test_jumping_past_a_clause_raises_the_alarm_once_for_the_reader_and_for_the_adviser(
    story: Story, written: Pages
) -> None:
    id = story.shown(written(["3.2 Räntan"], ["Mellan"], ["Slut"]))
    marked = clause(story, id, "Räntan")
    picture(story.page(story.customer, id, 3))
    picture(story.page(story.customer, id, 2))
    assert story.kinds().count("clause_passed") == 1
    [told] = [
        each
        for _, each in story.product.services.meetings.announcements_after(0)
        if each.kind == "document_room.clause_passed"
    ]
    assert set(told.told) == {story.customer.place, story.adviser.place}
    assert story.state(story.customer)["documents"][0]["clauses"][0]["state"] == "passed"
    reader = story.state(story.adviser)["readers"][0]
    assert reader["passed"] == ["Om Räntan"]
    picture(story.page(story.adviser, id, 3))
    assert story.kinds().count("clause_passed") == 1, "the adviser's own reading raises nothing"
    assert story.product.stub.service("documents").seen(id, story.customer.place).missing == (marked,)


@pytest.mark.requirement("R041", "R073")
def test_what_was_shown_before_can_be_gone_back_to_and_is_proved_with_version_and_digest(
    story: Story, written: Pages
) -> None:
    one, two = story.shown(written(["Ett"])), story.shown(written(["Två"]))
    state = story.state(story.customer)
    assert state["stage"]["document"] == two
    assert [each["document"] for each in state["history"]] == [one]
    picture(story.page(story.customer, one))
    shown = [each for each in story.product.records(story.meeting) if each.kind == "document_room.presented"]
    digests = {each.data["document"]: each.data["sha256"] for each in shown}
    documents = story.product.stub.service("documents")
    assert digests == {id: documents.get(id).sha256 for id in (one, two)}


@pytest.mark.requirement("R075")
def test_only_who_may_present_presents_and_only_who_may_download_downloads(story: Story, written: Pages) -> None:
    id = story.shown(written(["A"]))
    assert story.customer.post("x/document_room/present", {"document": id, "page": 1}).status_code == 403
    assert story.customer.get(f"x/document_room/documents/{id}/1/file").status_code in (403, 409)
    for act in ("masks", "clauses", "share"):
        assert story.customer.post(f"x/document_room/documents/{id}/{act}", {"title": "x"}).status_code == 403
    assert "downloaded" not in story.kinds()


def test_what_cannot_be_recorded_is_not_shown(story: Story, written: Pages) -> None:
    id = story.shown(written(["A"]))
    with story.product.dead_audit():
        assert story.page(story.customer, id).status_code == 503
        assert story.adviser.post("x/document_room/stop", {}).status_code == 503
        assert story.bring(story.adviser, written(["B"])).status_code == 503
    assert story.state(story.customer)["stage"]["document"] == id
    assert len(story.state(story.adviser)["documents"]) == 1


@pytest.mark.requirement("R069")
def test_a_refused_file_says_why_in_the_readers_language_and_leaves_a_record_but_no_bytes(story: Story) -> None:
    answer = story.bring(story.customer, b"MZ\x90\x00 a program", "kontoutdrag.pdf")
    assert answer.status_code == 409
    assert answer.get_json()["sentence"] == "Det här slaget av fil tas inte emot. PDF och bilder går bra."
    [record] = [each for each in story.product.records(story.meeting) if each.kind == "document_room.refused"]
    assert record.data["reason"] == "type"
    assert story.state(story.customer)["documents"] == []


def test_the_same_file_twice_is_one_document(story: Story, written: Pages) -> None:
    first = story.bring(story.customer, written(["A"])).get_json()["id"]
    assert story.bring(story.customer, written(["A"])).get_json()["id"] == first
    assert story.kinds().count("received") == 1


def test_nonsense_is_refused_and_changes_nothing(story: Story) -> None:
    bodies: list[Any] = [{"document": 7, "page": 1}, {"document": "d_x", "page": 0}, {"document": "d_x", "page": True}]
    bodies += [{"document": "../../etc/passwd", "page": 1}, {"document": "d_x", "page": 10**9}, [], "x"]
    for body in bodies:
        assert story.adviser.post("x/document_room/present", body).status_code in (400, 404, 422), body
    for path in ("d_x/1/pages/1", "d_x/1/pages/-1", "d_x/a/pages/b", "..%2f..%2fetc/1/pages/1", "d_x/1/pages/9999999"):
        answer = story.customer.get(f"x/document_room/documents/{path}")
        assert answer.status_code in (400, 404, 422), path
    assert story.kinds() == []


@pytest.mark.requirement("R071", "R070")
def test_a_document_carries_the_case_and_is_deleted_on_the_day_of_the_rule(story: Story, written: Pages) -> None:
    id = story.shown(written(["Hemligt innehåll"]))
    documents = story.product.stub.service("documents")
    [received] = [each for each in story.product.records(story.meeting) if each.kind == "document_room.received"]
    retain_until = story.product.meeting(story.meeting).retain_until
    assert str(received.data["delete_at"])[:10] == retain_until.date().isoformat()
    assert documents.content(id).startswith(b"%PDF")
    story.product.clock.now = retain_until + timedelta(minutes=1)
    for _ in range(5):
        story.product.worker()
    assert "document_room.deleted" in story.product.kinds()
    with pytest.raises(Exception, match=r"."):
        documents.content(id)


@pytest.mark.requirement("R069", "R070")
def test_a_customer_leaves_documents_before_the_meeting_by_the_invitations_own_page(
    tmp_path: Path, written: Pages
) -> None:
    product = Product(tmp_path, with_plugins=["document_room"])
    meeting = product.book()
    visitor = product.arrives(product.place_of(meeting, Capacity.CUSTOMER))
    assert f"/v/{visitor.place}/x/document_room/upload" in visitor.get("arrive").text
    sent = visitor.client.post(
        f"/v/{visitor.place}/x/document_room/upload",
        data={
            "csrf": visitor.csrf(),
            "file": (io.BytesIO(written(["Lönebesked"])), "C:\\hem\\Lönebesked 19121212-1212.pdf"),
        },
        base_url=ORIGIN,
    )
    assert sent.status_code == 302, sent.text
    assert "Lönebesked" not in visitor.get("x/document_room/upload").text, "nothing is listed before one is known"
    assert visitor.identifies(MAJA).get_json()["status"] == "complete"
    page = visitor.get("x/document_room/upload").text
    assert "Lönebesked …" in page
    assert "1212-1212" not in page
    [record] = [each for each in product.records(meeting) if each.kind == "document_room.received"]
    assert record.data["origin"] == "upload"
    assert product.stub.service("documents").of_meeting(str(meeting.id))[0].state == "draft"


def test_a_file_cut_off_on_the_upload_page_is_answered_on_the_page(tmp_path: Path) -> None:
    product = Product(tmp_path, with_plugins=["document_room"])
    visitor = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))
    sent = visitor.client.post(
        f"/v/{visitor.place}/x/document_room/upload",
        data={"csrf": visitor.csrf(), "file": (io.BytesIO(b"%PDF-1.7 and no more"), "a.pdf")},
        base_url=ORIGIN,
    )
    assert sent.status_code == 409
    assert "Filen går inte att läsa" in sent.text


@pytest.mark.requirement("R073", "R076")
def test_staff_find_a_document_by_its_words_and_read_who_saw_what(story: Story, written: Pages) -> None:
    id = story.shown(written(["A"]))
    picture(story.page(story.customer, id))
    desk = story.product.signs_in()
    assert "Skuldebrev" in desk.get("/desk/x/document_room/archive?q=skulde").text
    assert "Skuldebrev" not in desk.get("/desk/x/document_room/archive?q=leasing").text
    page = desk.get(f"/desk/x/document_room/archive/{id}").text
    assert "Såg sida 1" in page
    assert "Maja Granlid" in page
    assert desk.get(f"/desk/x/document_room/archive/{id}/1/pages/1").mimetype == "image/png"


@pytest.mark.requirement("R077")
def test_a_historic_document_is_imported_unchanged_with_its_day(story: Story, written: Pages) -> None:
    desk, data = story.product.signs_in(), written(["Avtal från 2012"])
    sent = desk.client.post(
        f"/desk/x/document_room/meetings/{story.meeting.id}/documents",
        data={"csrf": desk.csrf(), "dated": "2012-05-31", "file": (io.BytesIO(data), "Gammalt avtal.pdf")},
        base_url=ORIGIN,
    )
    assert sent.status_code == 302, sent.text
    assert "Gammalt avtal" in desk.get("/desk/x/document_room/archive?q=avtal+2012").text
    documents = story.product.stub.service("documents")
    [kept] = documents.of_meeting(str(story.meeting.id))
    assert documents.content(kept.id) == data
    assert "imported" in story.kinds()


@pytest.mark.requirement("R076")
def test_another_advisers_document_is_not_there_but_a_successor_with_the_right_finds_it(
    story: Story, written: Pages
) -> None:
    id = story.shown(written(["A"]))
    other, successor = story.product.signs_in(FRIDA), story.product.signs_in(COLM)
    assert other.get(f"/desk/x/document_room/archive/{id}").status_code == 404
    assert other.get(f"/desk/x/document_room/archive/{id}/1/file").status_code == 404
    assert "Skuldebrev" not in other.get("/desk/x/document_room/archive?q=skuldebrev").text
    assert "Skuldebrev" in successor.get("/desk/x/document_room/archive?q=skuldebrev").text


@pytest.mark.requirement("R076")
def test_the_newest_of_others_documents_do_not_crowd_out_ones_own(
    story: Story, written: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = story.shown(written(["A"]))
    other = story.product.book(
        adviser=FRIDA, type_name="corporate-fx", customer=story.product.customer(AGNES, segment="corporate")
    )
    documents = story.product.stub.service("documents")
    monkeypatch.setattr(keeping, "MOST_FOUND", 3)
    for number in range(4):
        documents.add(str(other.id), "Skuldebrev.pdf", written([str(number)]), by="system", origin="form")

    assert id in story.product.signs_in().get("/desk/x/document_room/archive?q=skuldebrev").text
    hers = story.product.signs_in(FRIDA).get("/desk/x/document_room/archive?q=skuldebrev").text
    assert hers.count("/desk/x/document_room/archive/d_") == 3
    assert id not in hers


def test_another_plugin_takes_its_own_paper_back_for_good(story: Story, written: Pages) -> None:
    documents, core = story.product.stub.service("documents"), story.product.services.plugin_work.core("document_room")
    place = core.place(story.adviser.place)
    id = documents.add(place.meeting, "Avtal", written(["A"]), by=place.person, origin="form")
    picture(story.page(story.customer, id))
    documents.withdraw(id, place=place)
    documents.withdraw(id, place=place)
    assert story.kinds().count("withdrawn") == 1
    assert story.page(story.customer, id).status_code == 404
    assert story.adviser.post(f"x/document_room/documents/{id}/restore", {}).status_code == 409


@pytest.mark.requirement("R078")
def test_a_sealed_document_is_kept_to_the_byte_and_can_be_neither_changed_nor_withdrawn(
    story: Story, written: Pages
) -> None:
    documents, core = story.product.stub.service("documents"), story.product.services.plugin_work.core("document_room")
    place, sealed = core.place(story.adviser.place), written(["Undertecknat"])
    id = documents.add(place.meeting, "Skuldebrev", sealed, by=place.person, origin="signed", visible_to=["customer"])
    assert documents.content(id) == sealed
    assert documents.get(id).state == "signed"
    picture(story.page(story.customer, id))
    assert story.adviser.post(f"x/document_room/documents/{id}/withdraw", {"reason": "mistake"}).status_code == 409
    assert story.adviser.post(f"x/document_room/documents/{id}/clauses", {"title": "x", "page": 1}).status_code == 409
    documents.extend(id, sealed, by="system")  # an errand that comes twice
    for wrong in (written(["Ett annat"]), sealed[:-1], b""):
        with pytest.raises(InvalidInputError):
            documents.extend(id, wrong, by="system")
    draft = documents.add(place.meeting, "Utkast", written(["Utkast"]), by=place.person, origin="form")
    with pytest.raises(InvalidInputError):
        documents.extend(draft, documents.content(draft), by="system")
    assert (documents.get(id).version, documents.content(id)) == (1, sealed)


def test_a_document_for_one_reader_is_not_there_for_the_others(story: Story, written: Pages) -> None:
    id = story.shown(written(["A"]))
    told = {"visible_to": ["specialist"], "released": True, "downloadable": False}
    assert story.adviser.post(f"x/document_room/documents/{id}/share", told).status_code == 200
    assert story.page(story.customer, id).status_code == 404
    assert story.state(story.customer)["stage"] is None
    unknown = told | {"visible_to": ["everybody else"]}
    assert story.adviser.post(f"x/document_room/documents/{id}/share", unknown).status_code == 404


def test_the_desks_page_of_a_meeting_lists_its_documents(story: Story, written: Pages) -> None:
    story.shown(written(["A"]))
    page = story.product.signs_in().get(f"/desk/meetings/{story.meeting.id}")
    assert page.status_code == 200
    assert "Skuldebrev" in page.text
    assert "Ingen viruskontroll är inkopplad" in page.text


@pytest.mark.requirement("R160", "R036", "R072")
def test_a_companys_lawyer_reads_in_the_data_room_takes_nothing_along_and_each_view_is_logged(
    tmp_path: Path, written: Pages
) -> None:
    product = Product(tmp_path, with_plugins=["document_room"])
    customer = product.customer(segment="corporate")
    meeting = product.book(adviser=FRIDA, type_name="corporate-fx", customer=customer)
    adviser = product.opens(meeting, FRIDA)
    adviser.joins()
    lawyer_place = product.services.room.invite(product.place(adviser.place), guest(SAMIR, Capacity.REPRESENTATIVE))
    lawyer = product.arrives(lawyer_place).waits(SAMIR)
    adviser.post("room/admit", {"participant": lawyer.place})
    lawyer.joins()
    sent = adviser.client.post(
        f"/v/{adviser.place}/x/document_room/documents",
        data={"file": (io.BytesIO(written(["Ram 40 000 000 EUR"], ["Villkor"])), "Ramavtal.pdf")},
        headers={"X-Tillit-CSRF": adviser.csrf()},
        base_url=ORIGIN,
    )
    id = sent.get_json()["id"]
    adviser.post(f"x/document_room/documents/{id}/masks", {"value": "40 000 000 EUR", "instead": "inom ramen"})
    adviser.post(f"x/document_room/documents/{id}/share", {"released": True, "downloadable": True})
    for page in (1, 2):
        picture(lawyer.get(f"x/document_room/documents/{id}/1/pages/{page}"))
    words = lawyer.get(f"x/document_room/documents/{id}/1/pages/1/text").get_json()["text"]
    assert "40 000" not in words
    assert "[inom ramen]" in words
    assert lawyer.get(f"x/document_room/documents/{id}/1/file").status_code == 403
    views = [each.data for each in product.records(meeting) if each.kind == "document_room.page_viewed"]
    assert [(each["participant"], each["page"], each["masks"]) for each in views] == [
        (lawyer.place, 1, 1),
        (lawyer.place, 2, 0),
    ]


@pytest.mark.requirement("R209")
def test_no_signing_plugin_gets_past_what_is_unread_replaced_hidden_or_withdrawn(story: Story, written: Pages) -> None:
    id = story.shown(written(["3.2 Räntan"]))
    marked = clause(story, id, "Räntan")
    core = story.product.services.plugin_work.core("document_room")
    place, digest = core.place(story.customer.place), story.product.stub.service("documents").get(id).sha256

    def refusal(sha256: str = digest) -> str:
        question = SignQuestion(
            meeting=place.meeting,
            participant=place.participant,
            capacity=place.capacity,
            band=place.band,
            meeting_type=place.meeting_type,
            method="bankid",
            kind="eid",
            documents=((id, sha256), ("f_elsewhere", "0" * 64)),
        )
        verdict = story.product.services.plugins.judge_sign(question, frozenset({"document_room"}))
        return "" if verdict is None or verdict.allowed else verdict.rule

    assert refusal() == "document_room/unread"
    picture(story.page(story.customer, id))
    assert story.customer.post(f"x/document_room/documents/{id}/1/clauses/{marked}/read", {}).status_code == 200
    assert refusal() == ""
    assert refusal("0" * 64) == "document_room/changed"
    mask = hides(story, id, value="Räntan")
    assert refusal() == "document_room/masked"
    assert story.adviser.client.delete(
        f"/v/{story.adviser.place}/x/document_room/documents/{id}/masks/{mask}",
        headers={"X-Tillit-CSRF": story.adviser.csrf()},
        base_url=ORIGIN,
    )
    told = {"visible_to": ["specialist"], "released": True, "downloadable": False}
    story.adviser.post(f"x/document_room/documents/{id}/share", told)
    assert refusal() == "document_room/not-shown"
    story.adviser.post(f"x/document_room/documents/{id}/withdraw", {"reason": "outdated"})
    assert refusal() == "document_room/withdrawn"


@pytest.mark.requirement("R077", "R073")
def test_a_connected_system_imports_history_and_reads_who_saw_what_with_the_right_key(
    story: Story, written: Pages
) -> None:
    keys = {
        name: story.product.services.api_keys.create(name, [right])
        for name, right in (("archive", "document_room.import"), ("audit", "evidence"))
    }
    base = "/api/v1/x/document_room"

    def call(key: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {keys[key]}"}
        client = story.product.app.test_client()
        if body is None:
            return client.get(f"{base}/{path}", headers=headers, base_url=ORIGIN)
        return client.post(f"{base}/{path}", json=body, headers=headers, base_url=ORIGIN)

    old = {"meeting": str(story.meeting.id), "title": "Låneavtal", "dated": "2009-02-27"}
    data = base64.b64encode(written(["Gammalt"])).decode()
    assert call("audit", "documents", old | {"data": data}).status_code == 403
    for wrong in ({"data": "%%%"}, {"data": data, "dated": "i fjol"}, {"data": data, "meeting": "m_none"}):
        assert call("archive", "documents", old | wrong).status_code in (400, 404, 422), wrong
    taken = call("archive", "documents", old | {"data": data})
    assert taken.status_code == 201, taken.text
    listed = call("audit", f"meetings/{story.meeting.id}/documents").get_json()["documents"]
    assert [(each["id"], each["dated"]) for each in listed] == [(taken.get_json()["id"], "2009-02-27")]
    id = story.shown(written(["Nytt"]))
    picture(story.page(story.customer, id))
    report = call("audit", f"documents/{id}/report").get_json()
    assert [each["kind"] for each in report["events"]] == ["received", "presented", "page_viewed"]
    assert "Maja" not in call("audit", f"documents/{id}/report").text
