"""The generator of the reference pages, for the tests that hold pages against the code."""

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def docs() -> Any:
    """The generator itself, script/docs, as a module."""
    loader = importlib.machinery.SourceFileLoader("script_docs", str(ROOT / "script" / "docs"))
    spec = importlib.util.spec_from_loader("script_docs", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
