"""Every error has a status, a title and its heading in docs/problems.md."""

from typing import Any

from sidecar.web.problems import PROBLEMS


def test_the_problems_page_is_up_to_date(docs: Any) -> None:
    assert docs.difference("docs/problems.md") == ""


def test_every_error_of_the_product_has_a_status_and_a_title(docs: Any) -> None:
    slugs = set(docs.own_errors())

    assert slugs - set(PROBLEMS) == set(), "add them to sidecar/web/problems.py"
    assert set(PROBLEMS) - slugs == set(), "no error has these names any more"


def test_no_two_errors_share_a_name(docs: Any) -> None:
    from sidecar.domain.errors import TillitError

    own = docs.own_errors()
    waiting: list[type[TillitError]] = [TillitError]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            if "slug" in vars(each) and each.__module__.startswith("sidecar."):
                assert own[each.slug] is each, f"{each.slug}: {own[each.slug]} and {each}"


def test_every_error_explains_itself_in_a_sentence(docs: Any) -> None:
    for slug, each in docs.own_errors().items():
        first_line = (each.__doc__ or "").splitlines()[0]
        assert first_line.endswith("."), slug
