"""Problem details: one shape for every error, and nothing of our inside."""

import pytest

from sidecar.domain.errors import (
    AuditUnavailableError,
    ConfigurationError,
    InvalidInputError,
    RefusedError,
    TillitError,
)
from sidecar.domain.tokens import TokenExpiredError
from sidecar.web.problems import PROBLEMS, problem_document, problem_response


def test_a_refusal_names_its_rule_and_speaks_the_readers_language() -> None:
    error = RefusedError("May not share.", rule="band.high/share_screen", person="per_secret")

    assert problem_document(error, "Du kan inte dela hela skärmen i det här mötet.") == {
        "type": "/problems#refused",
        "title": "The policy says no",
        "status": 403,
        "detail": "May not share.",
        "sentence": "Du kan inte dela hela skärmen i det här mötet.",
        "rule": "band.high/share_screen",
    }


def test_an_invalid_field_is_named() -> None:
    assert problem_document(InvalidInputError(field="email"), "s")["field"] == "email"


def test_an_answer_is_problem_json_that_nobody_caches() -> None:
    response = problem_response(TokenExpiredError(), "s", instance="urn:uuid:1")

    assert response.status_code == 401
    assert response.mimetype == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.get_json(force=True)["instance"] == "urn:uuid:1"


@pytest.mark.parametrize("error", [ConfigurationError("/etc/tillit is wrong", rule="r"), TillitError("inner text")])
def test_what_went_wrong_inside_stays_inside(error: TillitError) -> None:
    document = problem_document(error, "s")

    assert document["status"] == 500
    assert error.detail not in str(document)
    assert "rule" not in document


def test_no_record_no_act_is_a_503_to_try_again() -> None:
    response = problem_response(AuditUnavailableError(), "s")

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_an_error_nobody_listed_says_no_more_than_that_something_went_wrong() -> None:
    class UnlistedError(TillitError):
        """Made for this test."""

        slug = "internal-unlisted"

    document = problem_document(UnlistedError("inner text"), "s")

    assert (document["type"], document["status"]) == ("/problems#internal", 500)
    assert "inner text" not in str(document)


def test_titles_differ_so_that_each_names_one_thing() -> None:
    titles = [title for _, title in PROBLEMS.values()]

    assert len(titles) == len(set(titles))
