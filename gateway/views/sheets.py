"""Cells of CSV files as spreadsheets open them: a text that they would take for a formula is kept from being one."""

from __future__ import annotations

import re
from typing import Final

_FIRST: Final = frozenset("=+-@\t\r'")
"""How formulas begin; and the apostrophe, so that one of a text is not taken for ours."""
_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9 .-]*")


def as_cell(value: object) -> object:
    """A value for a cell; a text that begins as formulas do gets an apostrophe before it, which spreadsheets hide.

    >>> as_cell("=HYPERLINK(1)"), as_cell("+8613800138000")
    ("'=HYPERLINK(1)", '+8613800138000')
    """
    if isinstance(value, str) and value[:1] in _FIRST and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
