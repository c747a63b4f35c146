"""The fault matrix as the manual shows it: docs/faults.md, between its marks."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.fault_matrix import SITUATIONS, Case, Matrix, Row

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_BEGIN, _END = "<!-- matrix: begin -->\n", "<!-- matrix: end -->"
_LIMITS_S = (5, 10, 15, 20, 30, 45, 60)


def write_table(matrix: Matrix) -> None:
    """Write what a run found into the manual."""
    lines = [f"| what goes wrong | {' | '.join(SITUATIONS)} | serves again |", "|---" * 6 + "|"]
    lines += [
        _line(row, [matrix.cases[row.name, situation] for situation in SITUATIONS]) for row in matrix.rows
    ]
    text = PAGE.read_text(encoding="utf-8")
    table = _BEGIN + "\n".join(lines) + "\n" + _END
    PAGE.write_text(re.sub(f"{_BEGIN}.*?{_END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")


def _line(row: Row, cases: list[Case]) -> str:
    cells = " | ".join(_cell(case) for case in cases)
    return f"| {row.title} | {cells} | {_back(row, cases)} |"


def _cell(case: Case) -> str:
    told = case.statuses()
    words = ["all received"] if case.inbound and case.row.heals else []
    if told["delivered"] and not words:
        words.append("delivered")
    if told["uncertain"]:
        words.append(f"{told['uncertain']} uncertain")
    if told["failed"]:
        words.append(f"{told['failed']} failed with the reason")
    if told["sending"]:
        words.append(f"{told['sending']} waits for its stick")
    if told["sent"]:
        words.append(f"{told['sent']} sent without a report so far")
    return ", ".join(words) or "nothing to do"


def _back(row: Row, cases: list[Case]) -> str:
    slowest = max((case.back_s or 0.0 for case in cases), default=0.0)
    if not row.heals:
        return "when a person mends it"
    return next(f"within {limit} s" for limit in _LIMITS_S if slowest <= limit or limit == _LIMITS_S[-1])
