"""Every hook is documented, and says when it is called and what an exception means."""

import inspect
from typing import Any


def test_the_hooks_page_is_up_to_date(docs: Any) -> None:
    assert docs.difference("docs/hooks.md") == ""


def test_every_hook_is_on_the_page_under_one_of_the_three_kinds(docs: Any) -> None:
    page = docs.hooks_page()

    assert docs.hook_functions()
    for name in docs.hook_functions():
        assert name.split("_")[0] in docs.HOOK_KINDS
        assert f"### {name}\n" in page


def test_every_hook_says_when_it_is_called(docs: Any) -> None:
    for name, function in docs.hook_functions().items():
        assert "alled " in (inspect.getdoc(function) or ""), name


def test_every_hook_takes_part_in_the_plugin_manager(docs: Any) -> None:
    """A hook nobody calls is a promise nobody keeps."""
    from sidecar import plugin_manager

    source = inspect.getsource(plugin_manager)
    for name in docs.hook_functions():
        assert f'"{name}"' in source, name
