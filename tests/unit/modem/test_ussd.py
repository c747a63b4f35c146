import pytest

from drivers.at.port import AtPort
from drivers.at.unsolicited import Urc
from drivers.errors import AtError, CmeError, EncodeError, WireTimeout
from drivers.modem.ussd import UssdAnswer, UssdDesk

pytestmark = pytest.mark.unit


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


class AnsweringPort(SpyPort):
    """The stick says OK, and the network what the test gives."""

    def __init__(self, *news: str | CmeError) -> None:
        super().__init__()
        self.news = news
        self.desk = UssdDesk()

    async def request(self, text, *, timeout_s=None, on_late=None):
        self.commands.append(text)
        for news in self.news if text.startswith("AT+CUSD=1") else ():
            if isinstance(news, str):
                self.desk.on_urc(Urc(news))
            else:
                on_late((), news)
        return ()


async def test_the_end_of_an_older_session_is_not_the_answer():
    port = AnsweringPort("+CUSD: 2", '+CUSD: 0,"42.00",15')
    answer = await port.desk.ask(port, "*100#", 5.0, maker="huawei")
    assert answer == UssdAnswer(text="42.00", expects_reply=False)


async def test_a_refusal_behind_the_ok_is_told_at_once():
    port = AnsweringPort(CmeError(258))
    with pytest.raises(CmeError):
        await port.desk.ask(port, "*100#", 60.0, maker="huawei")


async def test_more_answers_than_anybody_reads_are_dropped():
    port = AnsweringPort(*['+CUSD: 0,"42.00",15'] * 50)
    assert (await port.desk.ask(port, "*100#", 5.0, maker="huawei")).text == "42.00"
