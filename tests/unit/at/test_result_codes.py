import pytest

from drivers.at.result_codes import FinalResult, ResultKind, parse_final

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("OK", FinalResult(kind=ResultKind.OK)),
        ("ERROR", FinalResult(kind=ResultKind.ERROR, detail="ERROR")),
        ("COMMAND NOT SUPPORT", FinalResult(kind=ResultKind.ERROR, detail="COMMAND NOT SUPPORT")),
        ("+CME ERROR: 10", FinalResult(kind=ResultKind.CME, code=10)),
        ("+CME ERROR:10", FinalResult(kind=ResultKind.CME, code=10)),
        ("+CME ERROR: SIM busy", FinalResult(kind=ResultKind.CME, code=14, detail="SIM busy")),
        (
            "+CMS ERROR: (U)SIM not inserted",
            FinalResult(kind=ResultKind.CMS, code=310, detail="(U)SIM not inserted"),
        ),
        ("+CMS ERROR:NETWORK TIMEOUT", FinalResult(kind=ResultKind.CMS, code=332, detail="NETWORK TIMEOUT")),
        ("+CMS ERROR: SIM not ready", FinalResult(kind=ResultKind.CMS, code=314, detail="SIM not ready")),
        (
            "+CMS ERROR: 310 (SIM not inserted)",
            FinalResult(kind=ResultKind.CMS, code=310, detail="SIM not inserted"),
        ),
        ("+CME ERROR: Odd thing", FinalResult(kind=ResultKind.CME, code=-1, detail="Odd thing")),
        ("+CME Error : 10", FinalResult(kind=ResultKind.CME, code=10)),
        ("+CMS ERROR: 38", FinalResult(kind=ResultKind.CMS, code=38)),
        ("+CMS ERROR: 512", FinalResult(kind=ResultKind.CMS, code=512)),
        ("+CMS ERROR:", FinalResult(kind=ResultKind.CMS, code=-1)),
    ],
)
def test_final_result_codes_are_told(line, expected):
    assert parse_final(line) == expected


@pytest.mark.parametrize(
    "line",
    ["OK then", "OKAY", " OK", "ok", "ERROR 7", "NO CARRIER", "COMMAND NOT SUPPORTED HERE", "+CMGS: 5",
     "0", "x+CMS ERROR: 38", "+CMS ERROR", ""],
)  # fmt: skip
def test_lines_that_only_look_like_one_are_not(line):
    assert parse_final(line) is None
