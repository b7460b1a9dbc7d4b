"""What the form masks is masked on its papers: for a guest who may not see it, as picture and as words."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.testing import Product
from sidecar.testing.people import SAMIR, guest
from sidecar.testing.product import Browser
from tillit_forms.agreement import pieces

HIDDEN = re.compile(r"19900214|2389|8327|1234567")


def words(who: Browser, document: Any) -> str:
    """Return a document's words as this person gets them, each page opened first."""
    found = ""
    for page in range(1, document["pages"] + 1):
        at = f"x/document_room/documents/{document['id']}/1/pages/{page}"
        assert who.get(at).mimetype == "image/png"
        found += who.get(f"{at}/text").get_json()["text"]
    return found


def marked_template(folder: Path) -> str:
    """Return settings with the mortgage form once more, its clause about the account one that must be read."""
    text = (files("tillit_forms") / "shipped" / "mortgage_loan-1.toml").read_text("utf-8")
    text = text.replace('name = "mortgage_loan"', 'name = "marked_loan"')
    folder.mkdir()
    marked = text.replace('name = "mandate"\n', 'name = "mandate"\ncritical = true\n')
    (folder / "marked_loan-1.toml").write_text(marked, "utf-8")
    return f'[plugins.forms]\ntemplates_folder = "{folder}"\n'


@pytest.mark.requirement("R036", "R037")
def test_a_representative_sees_on_no_paper_what_the_form_masks_for_them(tmp_path: Path, enter_room: Any) -> None:
    settings = marked_template(tmp_path / "templates")
    product = Product(tmp_path, with_plugins=["forms", "document_room"], more=settings)
    room = enter_room(product)
    place = product.services.room.invite(product.place(room.elin.place), guest(SAMIR, Capacity.REPRESENTATIVE))
    samir = product.arrives(place).waits(SAMIR)
    assert room.elin.post("room/admit", {"participant": samir.place}).status_code == 200
    assert samir.joins().status_code == 200
    form = room.begin("marked_loan")["id"]
    room.fill(form)
    assert not HIDDEN.search(room.call(samir, "GET", f"forms/{form}").text)

    made = room.call(room.elin, "POST", f"forms/{form}/papers", {})

    assert made.status_code == 200, made.text
    told = samir.get("x/document_room/state")
    assert not HIDDEN.search(told.text)
    documents = told.get_json()["documents"]
    assert len(documents) == 3
    assert all(each["masked"] and not each["may_download"] for each in documents)
    titles = [clause["title"] for each in documents for clause in each["clauses"]]
    assert [each for each in titles if "låter banken ta ränta" in each and "från konto ••••••••" in each]
    theirs = {each["name"]: words(samir, each) for each in documents}
    assert not HIDDEN.search("".join(theirs.values()))
    assert all("[█]" in each for each in theirs.values())
    assert all("Maja Granlid" in each for each in theirs.values())
    viewed = [each.data for each in room.records("document_room.page_viewed")]
    assert sum(each["masks"] for each in viewed if each["participant"] == samir.place) == 3
    hers = "".join(words(room.maja, each) for each in room.maja.get("x/document_room/state").get_json()["documents"])
    assert "19900214-2389" in hers
    assert "8327-9 1234567" in hers


def test_a_long_value_is_hidden_in_parts_that_leave_nothing_out() -> None:
    assert pieces("8327-9 1234567") == ["8327-9 1234567"]
    text = " ".join(f"ord{number}" for number in range(400))
    parts = pieces(text)
    assert " ".join(parts) == text
    assert len(parts) > 5
    assert all(200 <= len(each) <= 420 for each in parts)
