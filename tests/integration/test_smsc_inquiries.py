"""The simulated SMSC is asked what became of a message, to forget it, and to give it another text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drivers.smpp.wire.constants import CommandStatus, MessageState, Tag
from drivers.smpp.wire.pdus import CancelSm, CancelSmResp, QuerySm, QuerySmResp, ReplaceSm, SubmitSm
from simulators.network import Network
from simulators.smsc import inquiries
from simulators.smsc.receipts import MessageIds
from simulators.smsc.server import SimulatedSmsc
from tests.support.esme import DEADLINE_S, RawEsme, Seen, connected_esme

pytestmark = pytest.mark.integration

HANDSET = "+8613800138000"
SENDER = "10690000"


class Phone:
    """A handset that is on until it is switched off."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._handset = network.add_handset(HANDSET)

    def switch_off(self) -> None:
        self._network.detach(HANDSET)

    async def shows(self, *texts: str) -> None:
        """Switched on, it gets these texts and no others before them."""
        self._network.attach(HANDSET, self._handset)
        async with asyncio.timeout(DEADLINE_S):
            await self._network.wait_for(lambda: len(self._handset.inbox) >= len(texts))
        assert self._handset.inbox == [*texts]


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network()
    yield network
    await network.close()


@pytest.fixture
def phone(network: Network) -> Phone:
    return Phone(network)


@pytest.fixture
async def smsc(network: Network) -> AsyncIterator[SimulatedSmsc]:
    async with SimulatedSmsc(network, accounts={"hongyan": "secret", "other": "secret"}) as smsc:
        yield smsc


@pytest.fixture
async def esme(smsc: SimulatedSmsc) -> AsyncIterator[RawEsme]:
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        yield esme


async def submit(esme: RawEsme, text: str = "hello", **fields: Any) -> str:
    values: dict[str, Any] = {
        "source_addr": SENDER,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": HANDSET.removeprefix("+"),
        "short_message": text.encode("ascii"),
    }
    answer = await esme.ask(SubmitSm(**(values | fields)))
    assert answer.command_status == CommandStatus.ROK
    return str(answer.body.message_id)


async def query(esme: RawEsme, message_id: str, source: str = SENDER) -> Seen:
    answer = await esme.ask(QuerySm(message_id=message_id, source_addr=source))
    assert isinstance(answer.body, QuerySmResp)
    return answer


async def state_of(esme: RawEsme, message_id: str) -> int:
    answer = await query(esme, message_id)
    assert (answer.command_status, answer.body.message_id) == (CommandStatus.ROK, message_id)
    return int(answer.body.message_state)


async def cancel(esme: RawEsme, message_id: str = "", **fields: Any) -> int:
    answer = await esme.ask(CancelSm(message_id=message_id, **({"source_addr": SENDER} | fields)))
    assert isinstance(answer.body, CancelSmResp)
    return answer.command_status


async def replace(esme: RawEsme, message_id: str, text: str, **fields: Any) -> int:
    request = ReplaceSm(
        message_id=message_id, source_addr=SENDER, short_message=text.encode("ascii"), **fields
    )
    return (await esme.ask(request)).command_status


async def test_a_message_is_enroute_until_its_handset_is_there_and_then_delivered(esme, phone):
    phone.switch_off()
    message_id = await submit(esme)
    answer = await query(esme, message_id)
    assert (answer.body.message_state, answer.body.final_date) == (MessageState.ENROUTE, "")
    await phone.shows("hello")
    answer = await query(esme, message_id)
    assert (answer.body.message_state, answer.body.error_code) == (MessageState.DELIVERED, 0)
    date, zone = answer.body.final_date[:12], answer.body.final_date[12:]
    done_at = datetime.strptime(date, "%y%m%d%H%M%S").replace(tzinfo=UTC)
    assert zone == "000+"
    assert abs(datetime.now(UTC) - done_at) < timedelta(minutes=1)


async def test_an_unreachable_handset_is_told_with_the_networks_error(network, esme):
    network.set_unreachable(HANDSET)
    message_id = await submit(esme)
    answer = await query(esme, message_id)
    assert (answer.body.message_state, answer.body.error_code) == (MessageState.UNDELIVERABLE, 27)
    assert answer.body.final_date


@pytest.mark.parametrize("message_ids", MessageIds)
async def test_it_goes_by_the_name_that_the_response_gave_it(network, message_ids):
    async with SimulatedSmsc(network, message_ids=message_ids) as smsc, connected_esme(smsc.port) as esme:
        await esme.bind()
        assert await state_of(esme, await submit(esme)) == MessageState.DELIVERED


async def test_what_nobody_knows_and_what_belongs_to_others_is_not_told(smsc, esme, phone):
    phone.switch_off()
    message_id = await submit(esme)
    for stranger in ("", "1", f"0{message_id}", "x"):
        assert (await query(esme, stranger)).command_status == CommandStatus.RINVMSGID
    assert (await query(esme, message_id, source="10691")).command_status == CommandStatus.RINVMSGID
    assert await cancel(esme, message_id, source_addr="10691") == CommandStatus.RINVMSGID
    async with connected_esme(smsc.port) as other:
        await other.bind(system_id="other")
        assert (await query(other, message_id)).command_status == CommandStatus.RINVMSGID
        assert await cancel(other, message_id) == CommandStatus.RINVMSGID
        assert await replace(other, message_id, "hacked") == CommandStatus.RINVMSGID
    await phone.shows("hello")


async def test_a_message_that_is_taken_back_never_arrives_and_has_no_receipt(network, esme, phone):
    phone.switch_off()
    first = await submit(esme, "one", registered_delivery=1)
    await submit(esme, "two", registered_delivery=1)
    assert await cancel(esme, first) == CommandStatus.ROK
    assert network.n_waiting(HANDSET) == 1
    assert await state_of(esme, first) == MessageState.DELETED
    assert await cancel(esme, first) == CommandStatus.RCANCELFAIL
    await phone.shows("two")
    assert b"text:two" in (await esme.take_delivery()).short_message


async def test_what_is_still_in_the_air_is_taken_back_too(network, esme, phone):
    network.latency_s = 0.05
    first, second = await submit(esme, "one"), await submit(esme, "two")
    assert await cancel(esme, first) == CommandStatus.ROK
    assert await state_of(esme, second) == MessageState.ENROUTE
    await phone.shows("two")


async def test_what_was_delivered_is_neither_taken_back_nor_changed(esme, phone):
    message_id = await submit(esme)
    await phone.shows("hello")
    assert await cancel(esme, message_id) == CommandStatus.RCANCELFAIL
    assert await replace(esme, message_id, "other") == CommandStatus.RREPLACEFAIL
    assert await state_of(esme, message_id) == MessageState.DELIVERED


async def test_without_an_id_all_to_one_recipient_are_taken_back(network, esme, phone):
    phone.switch_off()
    to = {"destination_addr": HANDSET.removeprefix("+")}
    for text, service_type in (("a", ""), ("b", "CMT"), ("c", "CMT")):
        await submit(esme, text, service_type=service_type)
    await submit(esme, "d", source_addr="10691")
    assert await cancel(esme, **to, service_type="WAP") == CommandStatus.RCANCELFAIL
    assert await cancel(esme, **to, service_type="CMT") == CommandStatus.ROK
    assert network.n_waiting(HANDSET) == 2
    assert await cancel(esme, **to) == CommandStatus.ROK
    assert await cancel(esme, **to) == CommandStatus.RCANCELFAIL
    await phone.shows("d")


async def test_a_text_is_changed_on_the_way(esme, phone):
    phone.switch_off()
    message_id = await submit(esme, "meet at 8")
    await submit(esme, "second")
    assert await replace(esme, message_id, "meet at 9", registered_delivery=1) == CommandStatus.ROK
    await phone.shows("meet at 9", "second")
    receipt = await esme.take_delivery()
    assert f"id:{message_id} ".encode() in receipt.short_message
    assert b"text:meet at 9" in receipt.short_message


async def test_a_new_text_is_read_as_the_old_one_was(esme, phone):
    phone.switch_off()
    payload = ((int(Tag.MESSAGE_PAYLOAD), "早".encode("utf-16-be")),)
    message_id = await submit(esme, "", data_coding=8, tlvs=payload)
    request = ReplaceSm(
        message_id=message_id,
        source_addr=SENDER,
        short_message="晚".encode("utf-16-be"),
        registered_delivery=0,
    )
    assert (await esme.ask(request)).command_status == CommandStatus.ROK
    assert await replace(esme, message_id, "x" * 141) == CommandStatus.RINVMSGLEN
    await phone.shows("晚")


async def test_the_oldest_submits_are_forgotten(network, esme, monkeypatch):
    monkeypatch.setattr(inquiries, "REMEMBERED", 2)
    ids = [await submit(esme) for _ in range(3)]
    assert (await query(esme, ids[0])).command_status == CommandStatus.RINVMSGID
    assert await state_of(esme, ids[1]) == await state_of(esme, ids[2]) == MessageState.DELIVERED
