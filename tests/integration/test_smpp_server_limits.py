"""How much our SMPP server takes, and what applications may ask of what waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from drivers.errors import SmppStatusError
from drivers.smpp.server import listener
from drivers.smpp.wire.constants import CommandStatus, MessageState
from drivers.smpp.wire.fields import SmeAddress
from drivers.smpp.wire.pdus import (
    BindTransmitter,
    CancelSm,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    UnbindResp,
)
from drivers.smpp.wire.receipt import parse_receipt
from gateway.esme import requests
from gateway.esme.intake import PART_WAIT
from gateway.store.esme import find_waiting_between
from tests.support.esme import connected_esme
from tests.support.eventually import eventually
from tests.support.fake_driver import DEADLINE_S, ScriptedDriver, uncertain
from tests.support.gateway import PHONE
from tests.support.smpp_application import (
    LONG,
    accepted,
    account,
    all_messages,
    parts_of,
    serving,
    submit,
)

pytestmark = pytest.mark.integration

# ---- limits


async def test_more_than_the_window_is_throttled_and_the_rest_is_answered(tmp_path):
    async with serving(tmp_path / "db", account(window=5)) as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        numbers = [esme.send(submit()) for _ in range(20)]
        answers = [await esme.receive() for _ in numbers]
        statuses = [answer.command_status for answer in answers]
        assert statuses.count(0) == 5
        assert statuses.count(CommandStatus.RTHROTTLED) == 15
        assert (await esme.ask(submit())).command_status == 0


async def test_more_than_the_rate_is_throttled_until_time_has_passed(tmp_path):
    async with serving(tmp_path / "db", account(rate_per_s=3)) as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        statuses = [(await esme.ask(submit())).command_status for _ in range(4)]
        assert statuses == [0, 0, 0, CommandStatus.RTHROTTLED]
        served.rig.clock.advance(1.0)
        assert (await esme.ask(submit())).command_status == 0


async def test_submit_multi_counts_as_what_it_asks_for(tmp_path):
    both = tuple(SmeAddress(1, 1, f"861380013800{n}") for n in range(3))
    async with serving(tmp_path / "db", account(rate_per_s=2)) as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        many = SubmitMulti(dest_addresses=both, short_message=b"hello")
        assert (await esme.ask(many)).command_status == 0
        served.rig.clock.advance(0.9)
        assert (await esme.ask(submit())).command_status == CommandStatus.RTHROTTLED
        served.rig.clock.advance(0.2)
        assert (await esme.ask(submit())).command_status == 0
        assert served.service._states["hongyan"].in_hand == 0


async def test_nothing_is_in_hand_of_an_application_that_has_gone(tmp_path):
    async with serving(tmp_path / "db") as served:
        async with connected_esme(served.port) as esme:
            await esme.bind(BindTransmitter)
            for _ in range(80):
                esme.send(submit())
        await eventually(lambda: not any(served.service._host.n_binds.values()))
        await eventually(lambda: served.service._states["hongyan"].in_hand == 0)


async def test_a_backlog_beyond_its_limit_is_refused_until_the_network_takes_some(tmp_path):
    async with (
        serving(tmp_path / "db", account(max_waiting=2)) as served,
        connected_esme(served.port) as esme,
    ):
        await esme.bind(BindTransmitter)
        served.driver.hold()
        assert [(await esme.ask(submit())).command_status for _ in range(3)] == [0, 0, CommandStatus.RMSGQFUL]
        served.driver.release()
        await eventually(lambda: served.service._states["hongyan"].waiting == 0)
        assert (await esme.ask(submit())).command_status == 0


async def test_what_nobody_knows_of_is_no_backlog(tmp_path):
    async with (
        serving(tmp_path / "db", account(max_waiting=1)) as served,
        connected_esme(served.port) as esme,
    ):
        await esme.bind(BindTransmitter)
        served.driver.script.append(uncertain())
        await accepted(esme, submit())
        await eventually(lambda: served.service._states["hongyan"].waiting == 0)
        assert (await esme.ask(submit())).command_status == 0


async def test_parts_wait_on_when_their_group_is_gone_and_the_others_are_served(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        await accepted(esme, parts_of(LONG)[1])
        served.rig.clock.advance(PART_WAIT.total_seconds() + 1)
        moved = {"hongyan": account(groups=("gone",))}
        await served.service._submissions.give_out_stale(moved)
        assert await all_messages(served) == []
        await served.service._submissions.give_out_stale({})
        await served.service._submissions.give_out_stale({"hongyan": account()})
        assert len(await all_messages(served)) == 1


async def test_a_store_that_can_not_is_a_system_error_and_not_a_loss(tmp_path, monkeypatch):
    from gateway.errors import StoreFull

    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        write = served.rig.store.write

        async def full(op, **about):
            raise StoreFull("no room")

        monkeypatch.setattr(served.service._submissions._store, "write", full)
        assert (await esme.ask(submit())).command_status == CommandStatus.RSYSERR
        monkeypatch.setattr(served.service._submissions._store, "write", write)
        assert (await esme.ask(submit())).command_status == 0


# ---- query, cancel, replace


async def test_query_cancel_and_replace_of_a_message_that_waits(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(esme, submit(schedule_delivery_time="000000020000000R"))
        asked = await esme.ask(QuerySm(message_id=told, source_addr="10690000"))
        assert (asked.body.message_state, asked.body.final_date) == (MessageState.ENROUTE, "")
        answer = await esme.ask(ReplaceSm(message_id=told, short_message=b"other text"))
        assert answer.command_status == 0
        assert (await served.rig.message(told)).text == "other text"
        assert (await served.rig.message(told)).status == "scheduled"
        assert (await esme.ask(CancelSm(message_id=told))).command_status == 0
        assert parse_receipt((await esme.take_delivery()).short_message).stat == "DELETED"
        asked = await esme.ask(QuerySm(message_id=told))
        assert asked.body.message_state == MessageState.DELETED
        assert asked.body.final_date.endswith("+")
        assert (await esme.ask(CancelSm(message_id=told))).command_status == CommandStatus.RCANCELFAIL
        assert (
            await esme.ask(ReplaceSm(message_id=told, short_message=b"x"))
        ).command_status == CommandStatus.RREPLACEFAIL


async def test_cancel_without_an_id_takes_back_what_waits_between_two_numbers(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        later = "000000020000000R"
        mine = [await accepted(esme, submit(schedule_delivery_time=later)) for _ in range(2)]
        other = await accepted(esme, submit(schedule_delivery_time=later, destination_addr="8613800138009"))
        answer = await esme.ask(
            CancelSm(
                source_addr="10690000",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=PHONE.removeprefix("+"),
            )
        )
        assert answer.command_status == 0
        assert [(await served.rig.message(one)).status for one in (*mine, other)] == [
            "canceled",
            "canceled",
            "scheduled",
        ]


async def test_cancel_without_an_id_does_not_touch_what_is_submitted_behind_it(tmp_path, monkeypatch):
    overtaken = threading.Event()

    async def find_late(*args):
        overtaken.wait(0.2)  # on a reader's thread
        return await find_waiting_between(*args)

    monkeypatch.setattr(requests, "find_waiting_between", find_late)
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        later = "000000020000000R"
        gone = await accepted(esme, submit(schedule_delivery_time=later))
        to = PHONE.removeprefix("+")
        esme.send(CancelSm(source_addr="10690000", dest_addr_ton=1, dest_addr_npi=1, destination_addr=to))
        submitted = esme.send(submit("instead", schedule_delivery_time=later))
        answers = {answer.sequence_number: answer for answer in [await esme.receive()]}
        overtaken.set()
        answers |= {answer.sequence_number: answer for answer in [await esme.receive()]}
        assert [answer.command_status for answer in answers.values()] == [0, 0]
        assert (await served.rig.message(gone)).status == "canceled"
        assert (await served.rig.message(answers[submitted].body.message_id)).status == "scheduled"


class Carrier(ScriptedDriver):
    """Forgets what it is asked to, but for `kept`; answers once `lets_go` is set."""

    def __init__(self, *kept: str) -> None:
        super().__init__("carrier")
        self.kept = kept
        self.asked: list[tuple[str, str, str | None]] = []
        self.lets_go = asyncio.Event()
        self.lets_go.set()

    async def cancel(self, reference: str, recipient: str, sender: str | None = None) -> None:
        self.asked.append((reference, recipient, sender))
        await self.lets_go.wait()
        if reference in self.kept:
            raise SmppStatusError(0x11)


async def test_cancel_reaches_the_carrier_under_the_sender_that_it_knows(tmp_path):
    carrier = Carrier("2")
    async with (
        serving(tmp_path / "db", account(senders=("10690000",)), driver=carrier) as served,
        connected_esme(served.port) as esme,
    ):
        await esme.bind()
        gone, kept = [await accepted(esme, submit(registered_delivery=0)) for _ in range(2)]
        await served.rig.until(lambda: len(carrier.submitted) == 2)
        await served.rig.settled()
        assert (await esme.ask(CancelSm(message_id=gone))).command_status == 0
        assert carrier.asked == [("1", PHONE, "10690000")]
        assert (await served.rig.message(gone)).status == "canceled"
        assert (await esme.ask(CancelSm(message_id=kept))).command_status == CommandStatus.RCANCELFAIL
        assert (await served.rig.message(kept)).status == "sent"


async def test_a_carrier_that_takes_its_time_over_a_cancel_holds_up_nothing_else(tmp_path):
    carrier = Carrier()
    carrier.lets_go.clear()
    async with serving(tmp_path / "db", driver=carrier) as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(esme, submit(registered_delivery=0))
        await served.rig.until(lambda: len(carrier.submitted) == 1)
        await served.rig.settled()
        cancel = esme.send(CancelSm(message_id=told))
        await served.rig.until(lambda: carrier.asked)
        await accepted(esme, submit("another", registered_delivery=0))
        carrier.lets_go.set()
        answer = await esme.receive()
        assert (answer.sequence_number, answer.command_status) == (cancel, 0)


async def test_a_carrier_that_never_answers_a_cancel_does_not_keep_the_gateway_from_stopping(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(listener, "_FINISH_S", 0.05)
    carrier = Carrier()
    carrier.lets_go.clear()
    async with serving(tmp_path / "db", driver=carrier) as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(esme, submit(registered_delivery=0))
        await served.rig.until(lambda: len(carrier.submitted) == 1)
        await served.rig.settled()
        esme.send(CancelSm(message_id=told))
        await served.rig.until(lambda: carrier.asked)
        async with asyncio.timeout(DEADLINE_S):
            stopping = asyncio.create_task(served.service.stop())
            esme.send(UnbindResp(), sequence_number=(await esme.receive()).sequence_number)
            await stopping
        carrier.lets_go.set()


async def test_what_a_carrier_forgot_is_written_even_if_the_application_has_gone(tmp_path):
    carrier = Carrier()
    carrier.lets_go.clear()
    async with serving(tmp_path / "db", driver=carrier) as served:
        async with connected_esme(served.port) as esme:
            await esme.bind()
            told = await accepted(esme, submit())
            await served.rig.until(lambda: len(carrier.submitted) == 1)
            await served.rig.settled()
            esme.send(CancelSm(message_id=told))
            await served.rig.until(lambda: carrier.asked)
        await served.rig.until(lambda: not any(served.service._host.n_binds.values()))
        carrier.lets_go.set()
        await served.rig.until_status(await served.rig.message(told), "canceled")


async def test_nobody_asks_after_messages_of_others(tmp_path):
    accounts = account("one"), account("two")
    async with (
        serving(tmp_path / "db", *accounts) as served,
        connected_esme(served.port) as one,
        connected_esme(served.port) as two,
    ):
        await one.bind(system_id="one")
        await two.bind(system_id="two")
        told = await accepted(one, submit(schedule_delivery_time="000000020000000R"))
        assert (await two.ask(QuerySm(message_id=told))).command_status == CommandStatus.RINVMSGID
        assert (await two.ask(CancelSm(message_id=told))).command_status == CommandStatus.RCANCELFAIL
        assert (
            await two.ask(ReplaceSm(message_id=told, short_message=b"x"))
        ).command_status == CommandStatus.RINVMSGID
