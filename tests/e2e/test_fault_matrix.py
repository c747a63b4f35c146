"""Every fault of a stick x idle, sending, receiving, multi-segment: nothing lost, nothing twice, back by itself.

The table in docs/faults.md is what a run of this found: `HONGYAN_WRITE_FAULTS=1 pytest tests/e2e/test_fault_matrix.py`
writes it anew.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from simulators.faults import ModemFault
from tests.support.fault_matrix import ROWS, SITUATIONS, Case, Matrix
from tests.support.fault_table import PAGE, write_table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CASES = [(row.name, situation) for row in ROWS for situation in SITUATIONS]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """All cases, run at once, when the first of them is looked at."""

    async def run() -> Matrix:
        made = Matrix(ROWS, tmp_path_factory.mktemp("matrix"))
        await made.run()
        if os.environ.get("HONGYAN_WRITE_FAULTS"):
            write_table(made)
        return made

    return asyncio.run(run())


@pytest.fixture
def case(matrix: Matrix, request: pytest.FixtureRequest) -> Case:
    return matrix.cases[request.param]


@pytest.mark.parametrize("case", CASES, indirect=True, ids="-".join)
def test_nothing_is_lost_nothing_is_sent_twice_and_the_modem_is_back(case: Case, matrix: Matrix) -> None:
    expected = {"delivered", "sent", "uncertain"} | ({"failed"} if case.row.fails else set())
    if not case.row.heals:  # the rest of a message that began on this stick waits for it
        expected |= {"sending"}
    assert set(case.statuses()) <= expected, case.told
    for message_id, recipient in case.texts.items():
        status = case.told[message_id]["status"]
        seen = matrix.seen(recipient)
        assert max(seen.values(), default=0) <= 1, f"sent twice: {status} {seen}"
        if status in {"delivered", "sent"}:
            assert len(seen) == case.n_parts[message_id], f"lost: {status} {seen}"
    if case.row.heals:
        assert all(case.stored[text] == 1 for text in case.inbound), case.stored
        assert case.modem.device.name in matrix.channels_up
        assert case.back_s is not None
        assert case.back_s <= case.row.back_s


def test_every_fault_of_a_stick_is_in_the_matrix() -> None:
    assert {row.fault.kind for row in ROWS} == set(ModemFault)


def test_the_manual_shows_each_row() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("<!-- matrix: begin -->")[2]
    shown = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")]
    assert [row.title for row in ROWS] == [title for title in shown if title != "what goes wrong"]
