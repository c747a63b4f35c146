import pytest

from drivers.at.port import AtPort
from drivers.codec.gsm7 import encode_gsm7, pack_septets
from drivers.errors import AtError, EncodeError, WireTimeout
from drivers.modem.ussd import UssdDesk
from drivers.modem.ussd_text import read_text

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "dcs", "expected"),
    [
        ("Balance 42.00 CNY", 15, "Balance 42.00 CNY"),
        ("00420061006C0061006E00630065", 15, "Balance"),
        ("4F59989D", 72, "余额"),
        (pack_septets(encode_gsm7("Balance 42.00 CNY")).hex(), 15, "Balance 42.00 CNY"),
        ("", 15, ""),
        ("4200", 15, "4200"),
        ("ABC", 15, "ABC"),
    ],
)
def test_answers_in_every_spelling(text, dcs, expected):
    assert read_text(text, dcs) == expected


class SpyPort(AtPort):
    """Takes down what would be written, and refuses it."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    async def request(self, text, *, timeout_s=None, on_late=None):
        self.commands.append(text)
        raise AtError("no")


@pytest.mark.parametrize("maker", ["huawei", "SIMCOM"])
@pytest.mark.parametrize(
    "code", ['*100#";+CMGD=1,4;+CUSD=1,"*100#', "*100#\rAT+CMGD=1,4", "\x1a", "\x1b", "1\n2"]
)
async def test_a_code_that_would_end_its_place_in_the_command_is_never_written(code, maker):
    port = SpyPort()
    with pytest.raises(EncodeError):
        await UssdDesk().ask(port, code, 1.0, maker=maker)
    assert port.commands == []


async def test_a_stick_without_ucs2_takes_ascii_only():
    port = SpyPort()
    with pytest.raises(EncodeError):
        await UssdDesk().ask(port, "余额", 1.0)
    with pytest.raises(AtError):
        await UssdDesk().ask(port, "*100#", 1.0)
    assert [command for command in port.commands if "CUSD" in command] == ['AT+CUSD=1,"*100#",15']


class SilentNetworkPort(SpyPort):
    """The stick takes everything; the network answers nothing."""

    async def request(self, text, *, timeout_s=None, on_late=None):
        self.commands.append(text)
        return ()


async def test_a_question_whose_answer_did_not_come_is_called_off_before_the_next():
    port, desk = SilentNetworkPort(), UssdDesk()
    for code in ("*100#", "*200#"):
        with pytest.raises(WireTimeout):
            await desk.ask(port, code, 0.001, maker="huawei")
    # Otherwise a late answer to the first would pass for that to the second.
    assert [command.split(",")[0] for command in port.commands] == ["AT+CUSD=1", "AT+CUSD=2", "AT+CUSD=1"]
