"""Segments that no receipt has settled are asked after: when, how often, and what the answers make of them."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from pathlib import Path

import pytest

from drivers.base import Receipt, ReceiptState
from drivers.errors import DriverError, SmppStatusError, WireLost, WireTimeout
from drivers.smpp.wire.pdus import QuerySmResp
from gateway.model.message import Message
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.pipeline.receipts import inquiry
from gateway.pipeline.receipts.inquiry import MAX_REFUSALS, REST_S, ROUNDS, Inquiry
from gateway.routing.channel import RESUME
from gateway.runtime.app import Gateway
from gateway.settings.config import load_settings
from gateway.store.messages import find_message
from gateway.store.ports import Store
from gateway.telemetry.metrics import make_metrics
from tests.support.fake_driver import DEADLINE_S, ScriptedDriver, accepted, uncertain
from tests.support.gateway import PHONE, ManualClock, Rig, receipt, running
from tests.support.people import OPERATOR
from tests.support.smsc_peer import SmscPeer

pytestmark = pytest.mark.integration

HOUR_S = 3_600.0
OTHER = "+8613900139000"
ENROUTE = receipt(state=ReceiptState.ENROUTE)


@pytest.fixture(autouse=True)
def _no_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry, "GAP_S", 0.0)


class Knowing(ScriptedDriver):
    """Its network answers questions as scripted, then that the segment is on its way."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.answers: deque[Receipt | DriverError] = deque()
        self.asked: list[tuple[str, str, str | None]] = []
        self.meanwhile: list[Receipt] = []

    async def query(self, reference: str, recipient: str, sender: str | None = None) -> Receipt:
        self.asked.append((reference, recipient, sender))
        for event in self.meanwhile:
            await self.report(event)
        answer = self.answers.popleft() if self.answers else ENROUTE
        if isinstance(answer, DriverError):
            raise answer
        return answer


def asking(rig: Rig, name: str = "a") -> Inquiry:
    return Inquiry(rig.lanes[name], rig.store, rig.clock, make_metrics(), after_s=HOUR_S)


async def sent(rig: Rig, to: str = PHONE, text: str = "hello", **fields: object) -> Message:
    return await rig.until_status(await rig.send(to, text, **fields), "sent")


async def status_of(store: Store, message_id: str) -> str:
    message = await store.read(lambda tx: find_message(tx, message_id))
    assert message is not None
    return message.status.value


async def told(rig: Rig, message: Message) -> list[dict[str, object]]:
    """What the timeline has of questions."""
    return [json.loads(e.data) for e in await rig.events(message.id) if e.type == "receipt.asked"]


async def test_a_segment_without_a_receipt_is_asked_after_and_the_answer_settles_it(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent(rig)
        ask = asking(rig)
        rig.clock.advance(HOUR_S - 1.0)
        assert await ask.look() == 0
        done_at = rig.clock.now()
        rig.clock.advance(1.0)
        driver.answers.append(receipt(code="err:000", done_at=done_at))
        assert await ask.look() == 1
        assert driver.asked == [("1", PHONE, None)]
        delivered = await rig.message(message.id)
        assert (delivered.status, delivered.delivered_at) == ("delivered", done_at)
        [line] = await told(rig, message)
        assert line == {"id": message.id, "part": 1, "ref": "1", "state": "delivered", "code": "err:000"}
        assert (await rig.states(message.id))[-1] == "delivered"


async def test_a_clock_that_was_ahead_for_a_while_does_not_end_the_questions(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        ask = asking(rig)
        for ahead_h in (10_000, -10_000):
            rig.clock.advance(ahead_h * HOUR_S)
            await sent(rig)
            rig.clock.advance(HOUR_S)
            assert await ask.look() == 1


@pytest.mark.parametrize("days", [3_000, 1e9])
async def test_who_has_all_the_patience_of_the_calendar_is_taken_at_his_word(tmp_path: Path, days: float):
    async with running(tmp_path / "s.db", Knowing("a")) as rig:
        await sent(rig)
        patient = Inquiry(rig.lanes["a"], rig.store, rig.clock, make_metrics(), after_s=days * 24 * HOUR_S)
        assert await patient.look() == 0


async def test_an_answer_that_ends_it_badly_is_like_such_a_receipt(tmp_path: Path):
    driver = Knowing("a")
    driver.answers.append(receipt(state=ReceiptState.EXPIRED, code="err:005"))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent(rig)
        rig.clock.advance(HOUR_S)
        await asking(rig).look()
        ended = await rig.message(message.id)
        assert ended.status == "undelivered"
        assert ended.error is not None
        assert (ended.error.code, "[err:005]" in ended.error.detail) == ("receipt_expired", True)


async def test_what_is_on_its_way_is_asked_after_ever_more_seldom_and_then_no_more(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent(rig)
        ask = asking(rig)
        asked_after_h = []
        for hour in range(1, 1_000):
            rig.clock.advance(HOUR_S)
            asked_after_h += [hour] * await ask.look()
        assert asked_after_h == [1, 5, 21, 85]
        assert len(driver.asked) == len(await told(rig, message)) == ROUNDS
        assert (await rig.message(message.id)).status == "sent"


async def test_only_what_waits_for_a_receipt_and_has_a_reference_is_asked_after(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await sent(rig)
        await driver.report(receipt("1"))
        await sent(rig, report=False)
        driver.script.append(accepted(None))
        await sent(rig)
        driver.script.append(uncertain())
        await rig.until_status(await rig.send(), "uncertain")
        wanted = await sent(rig, OTHER)
        rig.clock.advance(HOUR_S)
        assert await asking(rig).look() == 1
        assert driver.asked == [("3", OTHER, None)]
        assert len(await told(rig, wanted)) == 1


async def test_each_part_is_asked_after_and_the_verdict_follows_from_all(tmp_path: Path):
    driver = Knowing("a")
    driver.answers.extend([receipt(), receipt(), receipt(state=ReceiptState.UNDELIVERABLE)])
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent(rig, text="雁" * 150)
        rig.clock.advance(HOUR_S)
        assert await asking(rig).look() == 3
        ended = await rig.message(message.id)
        assert ended.error is not None
        assert (ended.status, ended.error.code) == ("undelivered", "partially_delivered")


async def test_a_channel_that_is_down_or_paused_is_left_alone(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await sent(rig)
        rig.clock.advance(HOUR_S)
        ask = asking(rig)
        await driver.go_down()
        assert await ask.look() == 0
        await driver.come_up()
        await rig.channels.pause("a", by=OPERATOR)
        assert await ask.look() == 0
        await rig.channels.pause("a", RESUME, by=OPERATOR)
        assert await ask.look() == 1


async def test_a_network_that_does_not_tell_is_left_in_peace_for_ever_longer(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        ask = asking(rig)
        for _ in range(3 * MAX_REFUSALS):
            await sent(rig)
        rig.clock.advance(HOUR_S)
        driver.answers.extend([SmppStatusError(0x67), WireTimeout("answer", 60.0)] * (2 * MAX_REFUSALS))
        assert [await ask.look(), await ask.look()] == [MAX_REFUSALS, 0]
        rig.clock.advance(REST_S)
        assert [await ask.look(), await ask.look()] == [MAX_REFUSALS, 0]
        rig.clock.advance(REST_S)
        assert await ask.look() == 0
        rig.clock.advance(REST_S)
        assert await ask.look() == MAX_REFUSALS
        asked = [reference for reference, _, _ in driver.asked]
        assert len(set(asked)) == len(asked), "one refusal is an answer"


async def test_one_answer_shows_that_the_network_tells(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(2 * MAX_REFUSALS):
            await sent(rig)
        rig.clock.advance(HOUR_S)
        driver.answers.extend([SmppStatusError(0x67)] * (MAX_REFUSALS - 1))
        driver.answers.append(ENROUTE)
        driver.answers.extend([SmppStatusError(0x67)] * (MAX_REFUSALS - 1))
        assert await asking(rig).look() == 2 * MAX_REFUSALS


async def test_a_question_that_did_not_go_out_is_asked_again(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(3):
            await sent(rig)
        rig.clock.advance(HOUR_S)
        driver.answers.extend([ENROUTE, WireLost("closed", by_peer=True)])
        ask = asking(rig)
        assert [await ask.look(), await ask.look()] == [1, 2]
        assert [reference for reference, _, _ in driver.asked] == ["1", "2", "2", "3"]


async def test_after_a_restart_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inquiry, "PAGE", 2)
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(5):
            await sent(rig)  # all at one instant
        rig.clock.advance(HOUR_S)
        driver.answers.extend([ENROUTE] * 3 + [WireLost("closed", by_peer=True)])
        assert await asking(rig).look() == 3
        assert await asking(rig).look() == 2
        assert await asking(rig).look() == 0
        assert [reference for reference, _, _ in driver.asked] == ["1", "2", "3", "4", "4", "5"]


async def test_a_receipt_that_was_faster_than_the_answer_stands(tmp_path: Path):
    driver = Knowing("a")
    driver.answers.append(receipt(state=ReceiptState.EXPIRED))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent(rig)
        rig.clock.advance(HOUR_S)
        driver.meanwhile = [receipt("1")]
        await asking(rig).look()
        assert (await rig.message(message.id)).status == "delivered"
        assert await told(rig, message) == []


# --- what was uncertain ---


async def test_an_uncertain_segment_whose_reference_a_report_on_the_way_told_is_asked_after(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script.append(uncertain())
        message = await rig.until_status(await rig.send(), "uncertain")
        await driver.report(receipt("m7", state=ReceiptState.ENROUTE))
        assert (await rig.message(message.id)).status == "uncertain", "on its way is no end"
        rig.clock.advance(HOUR_S)
        driver.answers.append(receipt())
        assert await asking(rig).look() == 1
        assert driver.asked == [("m7", PHONE, None)]
        assert await rig.states(message.id) == ["queued", "sending", "uncertain", "delivered"]


async def test_a_report_on_the_way_that_was_faster_tells_the_reference_too(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script.append(uncertain())
        driver.early.extend([receipt("m7", state=ReceiptState.ENROUTE)] * 2)
        message = await rig.until_status(await rig.send(), "uncertain")
        assert [s.reference for s in await rig.segments(message.id)] == ["m7"]
        rig.clock.advance(HOUR_S)
        driver.answers.append(receipt(state=ReceiptState.REJECTED))
        assert await asking(rig).look() == 1
        assert (await rig.message(message.id)).status == "undelivered"


async def test_reports_on_the_way_of_two_messages_tell_of_neither(tmp_path: Path):
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script.append(uncertain())
        driver.early.extend(receipt(ref, state=ReceiptState.ENROUTE) for ref in ("m7", "m8"))
        message = await rig.until_status(await rig.send(), "uncertain")
        assert [s.reference for s in await rig.segments(message.id)] == [None]
        rig.clock.advance(HOUR_S)
        assert await asking(rig).look() == 0


async def test_it_runs_by_itself_and_survives_a_store_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inquiry, "TICK_S", 0.002)
    driver = Knowing("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent(rig)
        rig.clock.advance(HOUR_S)
        driver.answers.append(receipt())
        task = asyncio.create_task(asking(rig).run())
        try:
            await rig.until_status(message, "delivered")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


# --- put together ---


@pytest.mark.parametrize(("setting", "status"), [("", "delivered"), ('query_after = "never"', "sent")])
async def test_a_bind_is_asked_unless_its_settings_say_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, status: str
):
    monkeypatch.setattr(inquiry, "TICK_S", 0.002)
    async with SmscPeer() as peer:
        peer.on_request = lambda link, request: link.answer(
            request, QuerySmResp(message_id=getattr(request.body, "message_id", ""), message_state=2)
        )
        config = tmp_path / "hongyan.toml"
        config.write_text(
            f"""
            [http]
            listen = "127.0.0.1:0"
            [store]
            url = "sqlite:///{tmp_path}/s.db"
            [log]
            delivery = "{tmp_path}/d.jsonl"
            [[smpp]]
            name = "a"
            host = "127.0.0.1"
            port = {peer.port}
            system_id = "hongyan"
            password = "x"
            {setting}
            """
        )
        clock = ManualClock()
        gateway = await Gateway.open(load_settings(config), clock=clock)
        await gateway.start()
        try:
            accepted = await gateway.intake.accept(MessageRequest(to=PHONE, text="hello"), key=None)
            assert isinstance(accepted, AcceptedMessage)

            async def until(wanted: str) -> None:
                async with asyncio.timeout(DEADLINE_S):
                    while (await status_of(gateway.store, accepted.message.id)) != wanted:  # noqa: ASYNC110 - nobody announces it
                        await asyncio.sleep(0.002)

            await until("sent")
            names = {task.get_name() for task in asyncio.all_tasks()}
            assert any(name.startswith("attendant") for name in names) == (status == "delivered")
            clock.advance(HOUR_S)
            await until(status)
            counted = (
                b'hongyan_inquiries_total{channel="a",outcome="delivered"} 1.0' in gateway.metrics.render()
            )
            assert counted == (status == "delivered")
        finally:
            await gateway.stop(1.0)
