"""The ladder of receipts, as people read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.pipeline.receipts.rungs import RUNGS

pytestmark = pytest.mark.unit


def test_the_manual_shows_the_ladder():
    page = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text("utf-8")
    rows = "".join(f"| {r.name} | {r.needs} | {r.looks_at} | {r.refuses_when} |\n" for r in RUNGS)
    assert rows in page, f"docs/architecture.md should have:\n{rows}"


def test_each_rung_has_a_name_of_its_own():
    assert len({rung.name for rung in RUNGS}) == len(RUNGS)
