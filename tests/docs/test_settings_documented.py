"""Every setting is documented, and the example file is the truth about defaults."""

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

from sidecar.settings import Settings, load_settings, redacted

ROOT = Path(__file__).parents[2]


def test_the_settings_page_and_the_example_are_up_to_date(docs: Any) -> None:
    assert docs.difference("docs/settings.md") == ""
    assert docs.difference("tillit.example.toml") == ""


def test_every_setting_says_what_another_value_changes(docs: Any) -> None:
    for name, group, _ in docs.setting_groups():
        for each in fields(group):
            if each.metadata.get("plugin_tables"):
                continue
            assert len(each.metadata.get("help", "")) > 15, f"{name}.{each.name}"
            assert each.metadata["help"].endswith("."), f"{name}.{each.name}"


def test_every_group_of_settings_is_on_the_page(docs: Any) -> None:
    page = docs.settings_page()

    for name in get_type_hints(Settings):
        assert f"## [{name}]" in page or f"## [[{name}]]" in page


def test_the_example_starts_and_holds_every_setting_with_its_default(docs: Any) -> None:
    """Whoever copies the example gets the defaults, apart from what has none."""
    text = (ROOT / "tillit.example.toml").read_text("utf-8")
    example = tomllib.loads(re.sub(r"(?m)^#(?=[a-z\[])", "", text))  # with what may be left out
    shown = redacted(load_settings(ROOT / "tillit.example.toml", {}))

    assert list(example) == list(shown)
    for name, group, several in docs.setting_groups():
        table = example[name][0] if several else example[name]
        assert set(table) == {each.name for each in docs.setting_fields(group)}, name
        for each in docs.setting_fields(group):
            default = docs._default(each)
            if default is not MISSING and each.metadata["example"] == default:
                assert tomllib.loads(f"value = {docs._toml(default)}")["value"] == table[each.name], each.name


def test_the_only_reader_of_the_environment_is_the_settings() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "sidecar").rglob("*.py"))
        if "os.environ" in path.read_text("utf-8") or "getenv" in path.read_text("utf-8")
    ]

    assert readers == ["sidecar/settings/__init__.py"]
