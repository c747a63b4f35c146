"""Final result codes: the lines that end an answer, told by exact match of the whole line.

A line that merely begins with ``OK`` is not one; that slip ends answers at the text of an SMS. Nor is ``NO CARRIER``
here: we make no calls, so it tells of somebody else's that ended (`drivers.at.unsolicited`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from drivers.at.error_words import cme_code, cms_code


class ResultKind(StrEnum):
    """What a final result code says."""

    OK = "ok"
    ERROR = "error"
    CME = "cme"
    CMS = "cms"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalResult:
    """One final result code.

    Args:
        kind: its family.
        code: the number behind ``+CME ERROR:`` or ``+CMS ERROR:``, also where it is told in words; -1 for words that
            nobody knows, 0 for the others.
        detail: those words, or the line of a bare error.
    """

    kind: ResultKind
    code: int = 0
    detail: str = ""


_EXACT = {
    "OK": ResultKind.OK,
    "ERROR": ResultKind.ERROR,
    "ABORTED": ResultKind.ERROR,
    # Huawei and ZTE for commands their firmware does not have.
    "COMMAND NOT SUPPORT": ResultKind.ERROR,
    "COMMAND NOT SUPPORTED": ResultKind.ERROR,
    "TOO MANY PARAMETERS": ResultKind.ERROR,
    "OPERATION NOT SUPPORTED": ResultKind.ERROR,
}

_EXTENDED = re.compile(r"\+(CME|CMS) ERROR ?: *(.*)", re.IGNORECASE)
_NUMBERED = re.compile(r"([0-9]{1,5})(?:[^0-9](.*))?")
"""Some sticks say both: ``310 (SIM not inserted)``."""


def parse_final(line: str) -> FinalResult | None:
    """Read a line as a final result code; None when it is none.

    Spec: 3GPP TS 27.007 4.3 and 9.2, TS 27.005 3.2.5, ITU-T V.250 5.7.1.
    """
    kind = _EXACT.get(line)
    if kind is not None:
        return FinalResult(kind=kind, detail="" if kind is ResultKind.OK else line)
    match = _EXTENDED.fullmatch(line)
    if match is None:
        return None
    family = ResultKind(match[1].lower())
    rest = match[2].strip()
    numbered = _NUMBERED.fullmatch(rest)
    if numbered is not None:
        return FinalResult(kind=family, code=int(numbered[1]), detail=(numbered[2] or "").strip(' "(),:-'))
    code = cms_code(rest) if family is ResultKind.CMS else cme_code(rest)
    return FinalResult(kind=family, code=-1 if code is None else code, detail=rest)
