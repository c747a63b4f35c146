"""The golden vectors in the codec's docstrings, and the examples of its page in the manual, run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import drivers.codec

pytestmark = pytest.mark.unit

MODULES = [module.name for module in pkgutil.iter_modules(drivers.codec.__path__, "drivers.codec.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert attempted > 0 or name.endswith("_tables")


def test_examples_of_the_manual() -> None:
    page = Path(__file__).parents[3] / "docs" / "codec.md"
    failed, attempted = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert attempted > 20
