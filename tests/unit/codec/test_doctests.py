"""The golden vectors in the codec's docstrings, run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import drivers.codec

pytestmark = pytest.mark.unit

MODULES = [module.name for module in pkgutil.iter_modules(drivers.codec.__path__, "drivers.codec.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert attempted > 0 or name.endswith("_tables")
