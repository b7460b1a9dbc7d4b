"""A plugin sees sidecar.plugin_api and nothing deeper, so that the product can change behind it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(ROOT.glob("plugins/*/tillit_*/**/*.py"))


def imported(source: str) -> set[str]:
    """Return the full names a module imports, at any depth of its code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} if node.module != "sidecar" else {f"sidecar.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT / "plugins").as_posix())
def test_a_plugin_imports_the_plugin_api_and_nothing_deeper(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[1]
    ours = {each for each in imported(path.read_text("utf-8")) if each.startswith(("sidecar", "tillit_"))}

    assert {each for each in ours if each.partition(".")[0] != own} <= {"sidecar.plugin_api"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import sidecar.domain.tokens", {"sidecar.domain.tokens"}),
        ("from sidecar import plugin_api, settings", {"sidecar.plugin_api", "sidecar.settings"}),
        ("def f():\n    from sidecar.web import app", {"sidecar.web"}),
        ("from . import sidecar", set()),
    ],
)
def test_an_import_is_seen_however_it_is_written(source: str, expected: set[str]) -> None:
    assert imported(source) == expected
