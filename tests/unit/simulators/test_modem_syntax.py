"""Command lines and result codes of the simulated modem."""

from __future__ import annotations

import pytest

from simulators.modem.syntax import CME_SIM_PIN, Command, Failed, Form, parse_line

pytestmark = pytest.mark.unit


def command(name: str, form: Form = Form.EXECUTE, *args: str) -> Command:
    return Command(name=name, form=form, args=args)


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("", []),
        ("I", [command("I", Form.EXECUTE, "")]),
        ("e0", [command("E", Form.EXECUTE, "0")]),
        ("&F", [command("&F", Form.EXECUTE, "")]),
        ("S0=1", [command("S0", Form.SET, "1")]),
        ("S3?", [command("S3", Form.READ, "")]),
        ("+CSQ", [command("+CSQ")]),
        ("+cpin?", [command("+CPIN", Form.READ)]),
        ("+CNMI=?", [command("+CNMI", Form.TEST)]),
        ('+CPMS="SM","ME"', [command("+CPMS", Form.SET, "SM", "ME")]),
        ("+CMGD=1,", [command("+CMGD", Form.SET, "1", "")]),
        ("^ICCID?", [command("^ICCID", Form.READ)]),
        ("+CMEE=1;+CREG=2", [command("+CMEE", Form.SET, "1"), command("+CREG", Form.SET, "2")]),
        ("E0V1+CMGF=0", [command("E", Form.EXECUTE, "0"), command("V", Form.EXECUTE, "1"),
                         command("+CMGF", Form.SET, "0")]),
        ('+CUSD=1,"a;b,c",15', [command("+CUSD", Form.SET, "1", "a;b,c", "15")]),
    ],
)  # fmt: skip
def test_lines_are_split_into_commands(line, commands):
    assert parse_line(line) == commands


@pytest.mark.parametrize("line", ["+", "?", "=1", "+CSQ extra"])
def test_what_is_no_command_line_fails(line):
    with pytest.raises(Failed):
        parse_line(line)


def test_numbers_in_parameters():
    given = command("+CMGD", Form.SET, "7", "", "x")
    assert (given.number(0), given.number(1, 4), given.number(9, 5)) == (7, 4, 5)
    for place in (1, 2, 9):
        with pytest.raises(Failed):
            given.number(place)


@pytest.mark.parametrize(
    ("failure", "cmee", "line"),
    [
        (Failed(), 1, "ERROR"),
        (Failed.cme(CME_SIM_PIN), 0, "ERROR"),
        (Failed.cme(CME_SIM_PIN), 1, "+CME ERROR: 11"),
        (Failed.cme(CME_SIM_PIN), 2, "+CME ERROR: SIM PIN required"),
        (Failed.cms(304), 0, "+CMS ERROR: 304"),
    ],
)
def test_failures_are_spelled_as_cmee_asks(failure, cmee, line):
    assert failure.result_code(cmee) == line
