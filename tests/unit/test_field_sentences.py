"""A refusal of something a person wrote says what is wrong with it, in the reader's words."""

import ast
from collections.abc import Iterator
from pathlib import Path

import sidecar
from sidecar.adapters.i18n import available_languages, own_catalogue

SIDECAR = Path(sidecar.__file__).parent
ANY = "*"


def refused() -> Iterator[tuple[str, str]]:
    """Yield (field, reason) of every refusal in the code that gives a reason; the field is "*" where it varies."""
    for file in sorted(SIDECAR.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", "")
            if name == "NationalIdError":
                yield "national_id", _constant(call.args[1])
            elif name == "InvalidInputError":
                given = {each.arg: each.value for each in call.keywords}
                for reason in _choices(given.get("reason")):
                    yield _constant(given["field"]).rpartition(".")[2], reason


def _choices(value: ast.expr | None) -> list[str]:
    if isinstance(value, ast.IfExp):
        return [*_choices(value.body), *_choices(value.orelse)]
    return [value.value] if isinstance(value, ast.Constant) else []


def _constant(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ANY


def said(keys: set[str], field: str, reason: str) -> bool:
    if f"common.field.{reason}" in keys or f"desk.field.{reason}" in keys:
        return True
    if field == ANY:
        return any(key.startswith("common.field.") and key.endswith(f".{reason}") for key in keys)
    return bool({f"common.field.{field}.{reason}", f"desk.field.{field}.{reason}"} & keys)


def test_every_reason_has_its_sentence() -> None:
    found = set(refused())
    assert len(found) > 25, "the code was read"

    for language in ("sv", "en"):
        keys = set(own_catalogue().texts[language])
        assert [each for each in sorted(found) if not said(keys, *each)] == []


def test_no_sentence_is_left_for_a_reason_nobody_gives() -> None:
    reasons = {reason for _, reason in refused()}
    for language in available_languages:
        keys = [key for key in own_catalogue().texts[language] if ".field." in key and key[:5] in ("commo", "desk.")]
        assert [key for key in keys if key.rpartition(".")[2] not in reasons] == []
