"""The manual names every fault, every point, every key and every dialect of the simulators."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulators.dialects import WORDS
from simulators.faults import Fault, ModemFault, Point, SmscFault

pytestmark = pytest.mark.unit

PAGE = (Path(__file__).parents[3] / "docs" / "simulators.md").read_text(encoding="utf-8")


def rows(heading: str) -> set[str]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_every_kind_has_its_row():
    assert rows("Faults of sticks") == set(ModemFault)
    assert rows("Faults of SMSCs") == set(SmscFault)


def test_every_key_point_and_dialect_is_named():
    section = PAGE.partition("## Scenarios\n")[2].partition("\n## ")[0]
    keys = {
        key
        for row in re.findall(r"^\| ([\w, ]+) \|", section, re.MULTILINE)
        for key in row.split(", ")
    }  # fmt: skip
    assert keys - {"key"} == set(Fault.__struct_fields__)
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(Point) <= named
    assert named >= WORDS
