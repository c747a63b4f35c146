"""USSD by a channel, its failures in the product's words, and the balance that is asked for now and then."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from prometheus_client import generate_latest

from drivers.errors import CmeError, EncodeError, WireLost, WireTimeout
from drivers.modem.ussd import UssdAnswer
from gateway.channels.balance import BalanceQuery, BalanceWatch, read_amount
from gateway.channels.ussd import SESSION_S, UssdSessions
from gateway.errors import (
    Conflict,
    GatewayError,
    InvalidRequest,
    NetworkRefused,
    NetworkSilent,
    NotFound,
    NotSupported,
)
from gateway.settings.kinds.sim import SimSettings
from gateway.telemetry.metrics import Metrics, make_metrics
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import Rig, ScriptedChannel, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration


class AskingDriver(ScriptedDriver):
    """A SIM whose network answers as scripted.

    Attributes:
        answers: for each question, in order.
        asked: the codes that came.
    """

    def __init__(self, name: str, *answers: UssdAnswer | Exception) -> None:
        super().__init__(name, capacity=1)
        self.answers = list(answers)
        self.asked: list[str] = []

    async def ussd(self, code: str) -> UssdAnswer:
        self.asked.append(code)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def said(text: str, *, expects_reply: bool = False) -> UssdAnswer:
    return UssdAnswer(text=text, expects_reply=expects_reply)


def modem(driver: AskingDriver) -> ScriptedChannel:
    return ScriptedChannel(driver=driver, kind="modem")


async def test_a_menu_is_answered_by_the_next_code(tmp_path: Path):
    driver = AskingDriver("sim", said("1 Balance 2 Tariff", expects_reply=True), said("12.50"))
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        menu = await rig.channels.ussd("sim", "*100#", by=OPERATOR)
        assert (menu.text, menu.expects_reply) == ("1 Balance 2 Tariff", True)
        answer = await rig.channels.ussd("sim", "1", by=OPERATOR)
        assert (answer.text, answer.expects_reply) == ("12.50", False)
        assert driver.asked == ["*100#", "1"]


@pytest.mark.parametrize(
    ("error", "expected", "status"),
    [
        (WireLost("gone", by_peer=True), Conflict, 409),
        (EncodeError("code", "not in the alphabet"), InvalidRequest, 422),
        (CmeError(30, "no network service"), NetworkRefused, 502),
        (WireTimeout("AT+CUSD", 30.0), NetworkSilent, 504),
    ],
)
async def test_each_failure_has_its_answer(
    tmp_path: Path, error: Exception, expected: type[GatewayError], status: int
):
    driver = AskingDriver("sim", error)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        with pytest.raises(expected) as caught:
            await rig.channels.ussd("sim", "*100#", by=OPERATOR)
        assert caught.value.http_status == status


async def test_a_channel_that_is_down_or_has_no_sim_is_not_asked(tmp_path: Path):
    driver, bind = AskingDriver("sim"), ScriptedDriver("bind")
    async with running(tmp_path / "s.db", modem(driver), bind) as rig:
        with pytest.raises(NotSupported):
            await rig.channels.ussd("bind", "*100#", by=OPERATOR)
        with pytest.raises(NotFound):
            await rig.channels.ussd("nobody", "*100#", by=OPERATOR)
        await driver.go_down()
        with pytest.raises(Conflict):
            await rig.channels.ussd("sim", "*100#", by=OPERATOR)
        assert driver.asked == []


async def test_a_paused_channel_can_be_asked(tmp_path: Path):
    driver = AskingDriver("sim", said("12.50"))
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        await rig.channels.pause("sim", by=OPERATOR)
        assert (await rig.channels.ussd("sim", "*100#", by=OPERATOR)).text == "12.50"


# --- balance ---

SIM = SimSettings(balance_code="*100#", balance_pattern=r"余额([0-9.]+)元", balance_alarm=10.0)


def watch(rig: Rig, sim: SimSettings = SIM, metrics: Metrics | None = None) -> BalanceWatch:
    return BalanceWatch(
        BalanceQuery(rig.lanes["sim"], sim),
        UssdSessions(rig.clock),
        store=rig.store,
        clock=rig.clock,
        metrics=metrics or make_metrics(),
    )


async def test_a_balance_is_a_fact_of_the_channel_and_a_figure(tmp_path: Path):
    driver, metrics = AskingDriver("sim", said("您的余额12.50元")), make_metrics()
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        assert await watch(rig, metrics=metrics).ask()
        snapshot = rig.channels.snapshot("sim")
        assert snapshot is not None
        assert snapshot.facts == {"balance": 12.5, "balance_at": "2026-03-14T09:26:53+00:00"}
        assert b'hongyan_channel_balance{channel="sim"} 12.5' in generate_latest(metrics.registry)
        assert await rig.events("sim") == [
            e for e in await rig.events("sim") if e.type != "channel.balance_low"
        ]


async def test_a_low_balance_is_told_once_until_it_was_filled_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    answers = [said(f"余额{amount}元") for amount in ("9.99", "5", "50", "9")]
    driver = AskingDriver("sim", *answers)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        asker = watch(rig)
        for _ in answers:
            assert await asker.ask()
        low = [e for e in await rig.events("sim") if e.type == "channel.balance_low"]
        assert [msgspec.json.decode(e.data) for e in low] == [
            {"name": "sim", "balance": 9.99, "alarm": 10.0},
            {"name": "sim", "balance": 9.0, "alarm": 10.0},
        ]
        assert caplog.text.count("below 10") == 2


@pytest.mark.parametrize("answer", [said("no amount in here"), WireTimeout("AT+CUSD", 30.0), CmeError(30)])
async def test_an_answer_without_a_balance_is_logged_without_its_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: UssdAnswer | Exception
):
    driver = AskingDriver("sim", answer)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        assert not await watch(rig).ask()
        assert "channel sim" in caplog.text
        assert "no amount in here" not in caplog.text


async def test_a_menu_that_somebody_has_open_is_not_broken_off(tmp_path: Path):
    driver = AskingDriver("sim", said("1 or 2?", expects_reply=True), said("done"))
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        sessions, lane = UssdSessions(rig.clock), rig.lanes["sim"]
        await sessions.ask(lane, "*100#")
        assert sessions.is_open(lane)
        await sessions.ask(lane, "1")
        assert not sessions.is_open(lane)
        driver.answers.append(said("1 or 2?", expects_reply=True))
        await sessions.ask(lane, "*100#")
        rig.clock.advance(SESSION_S)
        assert not sessions.is_open(lane), "the network has closed it by now"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("Balance: 12.50 EUR", 12.5),
        ("Guthaben: 12,50 Euro.", 12.5),
        ("Bal 1,234.50", 1234.5),
        ("Saldo 1.234,50 EUR", 1234.5),
        ("Rs 1,234", 1234.0),
        ("Rp 1.234.567", 1234567.0),
        ("您的余额为8元。", 8.0),
        ("0,125 left", 0.125),
        ("4200", 4200.0),
        ("nothing", None),
    ],
)
def test_amounts_as_networks_write_them(text: str, amount: float | None):
    assert read_amount(r"([0-9](?:[0-9., ]*[0-9])?)", text) == amount


def test_an_optional_group_that_took_no_part_is_no_amount():
    assert read_amount(r"none|left ([0-9]+)", "none") is None
