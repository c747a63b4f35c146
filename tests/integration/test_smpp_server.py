"""Our SMPP server as an application meets it, PDU by PDU, over the pipeline on a real store."""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from drivers.base import Concat, Encoding, InboundPart, ReceiptState
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.segment import plan_segments
from drivers.codec.udh import encode_concat_udh
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import CommandStatus, MessageState, Tag
from drivers.smpp.wire.fields import DistributionList, SmeAddress, find_int_tlv, find_text_tlv
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from drivers.smpp.wire.receipt import parse_receipt
from gateway.esme.intake import PART_WAIT
from gateway.esme.service import Listener
from gateway.model.message import Category
from gateway.store.esme_outbox import count_deliveries
from tests.support.esme import RawEsme, connected_esme
from tests.support.eventually import eventually
from tests.support.fake_driver import uncertain
from tests.support.gateway import PHONE
from tests.support.smpp_application import Served, account, serving

pytestmark = pytest.mark.integration


def submit(text: str = "hello", **fields: object) -> SubmitSm:
    values: dict[str, object] = {
        "source_addr": "10690000",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": PHONE.removeprefix("+"),
        "short_message": encode_gsm7(text),
        "registered_delivery": 1,
    }
    return SubmitSm(**(values | fields))  # type: ignore[arg-type]


async def accepted(esme: RawEsme, body: SubmitSm) -> str:
    answer = await esme.ask(body)
    assert answer.command_status == 0
    assert isinstance(answer.body, SubmitSmResp)
    return answer.body.message_id


async def owed(served: Served) -> dict[str, int]:
    return await served.rig.store.read(count_deliveries)


# ---- binds


@pytest.mark.parametrize("kind", [BindTransmitter, BindReceiver, BindTransceiver])
async def test_an_application_binds_asks_for_life_and_unbinds(tmp_path, kind):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        bound = await esme.bind(kind)
        assert bound.command_status == 0
        assert bound.body.system_id == "hongyan"
        assert find_int_tlv(bound.body.tlvs, Tag.SC_INTERFACE_VERSION) == 0x34
        assert isinstance((await esme.ask(EnquireLink())).body, EnquireLinkResp)
        assert isinstance((await esme.ask(Unbind())).body, UnbindResp)
        assert await esme.closed_by_peer()


@pytest.mark.parametrize(
    ("rights", "bind", "status"),
    [
        ({}, {"password": "wrong"}, CommandStatus.RINVPASWD),
        ({}, {"system_id": "nobody"}, CommandStatus.RINVPASWD),
        ({"addresses": ("192.0.2.0/24",)}, {}, CommandStatus.RBINDFAIL),
        ({"binds": frozenset({"transmitter"})}, {}, CommandStatus.RBINDFAIL),
    ],
)
async def test_who_may_not_bind_is_told_why_and_cut_off(tmp_path, rights, bind, status):
    from ipaddress import ip_network

    if "addresses" in rights:
        rights = {"addresses": tuple(ip_network(one) for one in rights["addresses"])}
    async with serving(tmp_path / "db", account(**rights)) as served, connected_esme(served.port) as esme:
        assert (await esme.bind(**bind)).command_status == status
        assert await esme.closed_by_peer()


async def test_more_binds_than_allowed_are_refused_until_one_leaves(tmp_path):
    async with (
        serving(tmp_path / "db", account(max_binds=1)) as served,
        connected_esme(served.port) as first,
        connected_esme(served.port) as second,
        connected_esme(served.port) as third,
    ):
        assert (await first.bind()).command_status == 0
        assert (await second.bind()).command_status == CommandStatus.RALYBND
        await first.ask(Unbind())
        await eventually(lambda: served.service._host.n_binds == {"hongyan": 0})
        assert (await third.bind()).command_status == 0


async def test_nothing_is_taken_from_who_is_not_bound(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        assert (await esme.ask(submit())).command_status == CommandStatus.RINVBNDSTS
        await esme.bind(BindReceiver)
        assert (await esme.ask(submit())).command_status == CommandStatus.RINVBNDSTS
        assert served.driver.submitted == []


async def test_who_is_bound_when_we_stop_is_told_goodbye(tmp_path):
    async with connected_world(tmp_path) as (served, esme):
        await esme.bind()
        stopping = asyncio.create_task(served.service.stop())
        goodbye = await esme.receive()
        assert isinstance(goodbye.body, Unbind)
        esme.send(UnbindResp(), sequence_number=goodbye.sequence_number)
        await stopping
        assert await esme.closed_by_peer()


async def test_who_does_not_listen_when_we_stop_is_cut_off(tmp_path):
    async with connected_world(tmp_path) as (served, esme):
        await esme.bind()
        await served.service.stop()
        assert isinstance((await esme.receive()).body, Unbind)
        assert await esme.closed_by_peer()


async def test_a_port_that_is_taken_is_named(tmp_path):
    async with serving(tmp_path / "one") as served:
        taken = [Listener(host="127.0.0.1", port=served.port)]
        with pytest.raises(OSError, match=f"smpp_server 127.0.0.1:{served.port}") as failed:
            async with serving(tmp_path / "two", listeners=taken):
                pass
        assert failed.value.errno == errno.EADDRINUSE


@asynccontextmanager
async def connected_world(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        yield served, esme


# ---- submissions


async def test_a_submission_goes_out_like_any_message_and_its_receipt_comes_back(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(esme, submit("hello"))
        message = await served.rig.message(told)
        assert (message.recipient, message.text, message.key_id) == (PHONE, "hello", "smpp:hongyan")
        await served.driver.until_submitted(1)
        await served.rig.until_status(message, "sent")
        await served.report("1")
        receipt = await esme.take_delivery()
        assert receipt.esm_class == c.ESM_TYPE_RECEIPT
        assert (receipt.source_addr, receipt.destination_addr) == (PHONE.removeprefix("+"), "10690000")
        assert find_text_tlv(receipt.tlvs, Tag.RECEIPTED_MESSAGE_ID) == told
        assert find_int_tlv(receipt.tlvs, Tag.MESSAGE_STATE) == MessageState.DELIVERED
        said = parse_receipt(receipt.short_message)
        assert (said.message_id, said.stat, said.err, said.delivered) == (told, "DELIVRD", "000", "001")

        async def nothing_owed() -> bool:
            return await owed(served) == {}

        await served.rig.until(nothing_owed)


@pytest.mark.parametrize(
    ("state", "stat"),
    [
        (ReceiptState.UNDELIVERABLE, "UNDELIV"),
        (ReceiptState.EXPIRED, "EXPIRED"),
        (ReceiptState.REJECTED, "REJECTD"),
        (ReceiptState.DELETED, "DELETED"),
    ],
)
async def test_what_the_network_says_of_a_failure_is_passed_on(tmp_path, state, stat):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(esme, submit(registered_delivery=2))
        await served.rig.until_status(await served.rig.message(told), "sent")
        await served.report("1", state, "err:034")
        said = parse_receipt((await esme.take_delivery()).short_message)
        assert (said.message_id, said.stat, said.err) == (told, stat, "034")


async def test_who_asks_for_failures_alone_is_not_told_of_success(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        first = await accepted(esme, submit(registered_delivery=2))
        second = await accepted(esme, submit(registered_delivery=1))
        await served.rig.until_status(await served.rig.message(second), "sent")
        await served.rig.until_status(await served.rig.message(first), "sent")
        await served.report("1")
        await served.report("2")
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == second


async def test_an_intermediate_notification_where_it_is_asked_for(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(esme, submit(registered_delivery=0x11))
        notice = await esme.take_delivery()
        assert notice.esm_class == c.ESM_TYPE_INTERMEDIATE
        assert parse_receipt(notice.short_message).stat == "ENROUTE"
        await served.report("1")
        receipt = await esme.take_delivery()
        assert parse_receipt(receipt.short_message).message_id == told
        assert receipt.esm_class == c.ESM_TYPE_RECEIPT


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"data_coding": 8, "short_message": "退订😀".encode("utf-16-be")}, "退订😀"),
        ({"data_coding": 3, "short_message": "café".encode("latin-1")}, "café"),
        ({"short_message": encode_gsm7("5 € [x]")}, "5 € [x]"),
        (
            {"short_message": b"", "tlvs": ((Tag.MESSAGE_PAYLOAD, encode_gsm7("long " * 60)),)},
            "long " * 60,
        ),
    ],
)
async def test_texts_in_any_alphabet_are_read(tmp_path, fields, text):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        assert (await served.rig.message(await accepted(esme, submit(**fields)))).text == text


async def test_data_coding_0_is_latin_1_where_that_is_agreed(tmp_path):
    async with (
        serving(tmp_path / "db", account(latin_1=True)) as served,
        connected_esme(served.port) as esme,
    ):
        await esme.bind()
        told = await accepted(esme, submit(short_message="a@b$".encode("latin-1")))
        assert (await served.rig.message(told)).text == "a@b$"


async def test_binary_goes_as_it_is(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        udh = bytes.fromhex("0605040b8423f0")
        told = await accepted(
            esme, submit(data_coding=4, esm_class=c.ESM_UDHI, short_message=udh + b"\x01\x02\xff")
        )
        message = await served.rig.message(told)
        assert (message.udh, message.data, message.encoding) == (udh, b"\x01\x02\xff", "binary")


async def test_schedule_validity_and_priority_are_kept(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(
            esme,
            submit(
                schedule_delivery_time="000000020000000R",
                validity_period="000000030000000R",
                priority_flag=3,
            ),
        )
        message = await served.rig.message(told)
        assert message.status == "scheduled"
        assert message.schedule_at == message.created_at + timedelta(hours=2)
        assert message.valid_for_s == 3 * 3600
        assert message.priority == 9


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"destination_addr": ""}, CommandStatus.RINVDSTADR),
        ({"destination_addr": "12x4"}, CommandStatus.RINVDSTADR),
        ({"schedule_delivery_time": "nonsense0000000R"}, CommandStatus.RINVSCHED),
        ({"schedule_delivery_time": "020000000000000R"}, CommandStatus.RINVSCHED),
        ({"validity_period": "200101000000000+"}, CommandStatus.RINVEXPIRY),
        ({"priority_flag": 7}, CommandStatus.RINVPRTFLG),
        ({"sm_default_msg_id": 1}, CommandStatus.RINVDFTMSGID),
        ({"short_message": b""}, CommandStatus.RINVMSGLEN),
        ({"data_coding": 4, "short_message": bytes(141)}, CommandStatus.RINVMSGLEN),
        ({"esm_class": c.ESM_UDHI, "short_message": b"\xffx"}, CommandStatus.RINVESMCLASS),
        ({"source_addr": "BANK"}, CommandStatus.RINVSRCADR),
    ],
)
async def test_what_can_not_be_sent_is_refused_with_the_status_that_says_why(tmp_path, fields, status):
    only_ours = account(senders=("1069*",))
    async with serving(tmp_path / "db", only_ours) as served, connected_esme(served.port) as esme:
        await esme.bind()
        assert (await esme.ask(submit(**fields))).command_status == status
        assert (await esme.ask(submit())).command_status == 0


@pytest.mark.parametrize(("senders", "shown"), [(("1069*",), "10690000"), ((), None)])
async def test_a_source_address_goes_out_where_the_account_has_a_right_to_it(tmp_path, senders, shown):
    async with (
        serving(tmp_path / "db", account(senders=senders)) as served,
        connected_esme(served.port) as esme,
    ):
        await esme.bind(BindTransmitter)
        await accepted(esme, submit())
        await served.driver.until_submitted(1)
        assert served.driver.submitted[0].sender == shown


async def test_marketing_of_an_account_heeds_opt_outs(tmp_path):
    from gateway.pipeline.verbs import opt_out

    async with (
        serving(tmp_path / "db", account(category=Category.MARKETING)) as served,
        connected_esme(served.port) as esme,
    ):
        await opt_out(served.rig.store, served.rig.clock, PHONE, source="api")
        await esme.bind()
        told = await accepted(esme, submit())
        assert (await served.rig.message(told)).status == "blocked"
        said = parse_receipt((await esme.take_delivery()).short_message)
        assert (said.message_id, said.stat) == (told, "REJECTD")
        assert served.driver.submitted == []


async def test_data_sm_is_taken_too(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        answer = await esme.ask(
            DataSm(
                dest_addr_ton=1,
                destination_addr=PHONE.removeprefix("+"),
                tlvs=((Tag.MESSAGE_PAYLOAD, b"hello"), (Tag.QOS_TIME_TO_LIVE, (90).to_bytes(4, "big"))),
            )
        )
        assert answer.command_status == 0
        message = await served.rig.message(answer.body.message_id)
        assert (message.text, message.valid_for_s, message.report) == ("hello", 90, False)


async def test_submit_multi_serves_whom_it_can_and_names_the_others(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        answer = await esme.ask(
            SubmitMulti(
                dest_addresses=(
                    SmeAddress(1, 1, "8613800138001"),
                    SmeAddress(1, 1, "x"),
                    SmeAddress(1, 1, "8613800138002"),
                    DistributionList("friends"),
                ),
                short_message=b"hello",
                registered_delivery=1,
            )
        )
        assert answer.command_status == 0
        failed = [(one.destination_addr, one.error_status_code) for one in answer.body.unsuccess_sme]
        assert failed == [("x", CommandStatus.RINVDSTADR), ("friends", CommandStatus.RINVDLNAME)]
        await served.driver.until_submitted(2)
        assert sorted(served.driver.recipients()) == ["+8613800138001", "+8613800138002"]
        await served.rig.settled()
        await served.report("1")
        await served.report("2")
        receipts = [await esme.take_delivery(), await esme.take_delivery()]
        # One id stands for both: their receipts differ by the handset.
        assert {parse_receipt(r.short_message).message_id for r in receipts} == {answer.body.message_id}
        assert {r.source_addr for r in receipts} == {"8613800138001", "8613800138002"}


# ---- parts

LONG = "一条很长的中文短信,分成几段😀" * 10


def parts_of(text: str, reference: int = 7) -> list[SubmitSm]:
    plan = plan_segments(text)
    total = len(plan.segments)
    assert total > 2
    return [
        submit(
            data_coding=8,
            esm_class=c.ESM_UDHI,
            short_message=encode_concat_udh(Concat(reference=reference, total=total, part=part))
            + one.payload,
        )
        for part, one in enumerate(plan.segments, 1)
    ]


async def test_parts_become_one_message_whatever_their_order_and_each_gets_its_receipt(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        parts = parts_of(LONG)
        told = [await accepted(esme, part) for part in reversed(parts)]
        await served.driver.until_submitted(len(parts))
        (message,) = await all_messages(served)
        assert (message.text, message.n_segments) == (LONG, len(parts))
        await served.rig.until_status(message, "sent")
        for number in range(len(parts)):
            await served.report(str(number + 1))
        receipts = [parse_receipt((await esme.take_delivery()).short_message) for _ in parts]
        assert sorted(r.message_id for r in receipts) == sorted(told)
        assert {r.stat for r in receipts} == {"DELIVRD"}


async def test_parts_by_sar_become_one_message(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        for number, text in ((1, "one "), (2, "two")):
            tlvs = (
                (Tag.SAR_MSG_REF_NUM, b"\x01\x02"),
                (Tag.SAR_TOTAL_SEGMENTS, b"\x02"),
                (Tag.SAR_SEGMENT_SEQNUM, bytes((number,))),
            )
            await accepted(esme, submit(text, tlvs=tlvs))
        await served.driver.until_submitted(1)
        assert [m.text for m in await all_messages(served)] == ["one two"]


async def test_parts_kept_apart_are_messages_of_one_segment_with_their_header(tmp_path):
    async with serving(tmp_path / "db", account(join=False)) as served, connected_esme(served.port) as esme:
        await esme.bind()
        parts = parts_of(LONG)
        for part in parts:
            await accepted(esme, part)
        await served.driver.until_submitted(len(parts))
        sent = {(s.udh, s.payload, s.encoding) for s in served.driver.submitted}
        assert sent == {(p.short_message[:6], p.short_message[6:], Encoding.UCS2) for p in parts}


async def test_parts_wait_over_a_restart(tmp_path):
    first, *others = parts_of(LONG)
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        await accepted(esme, first)
        assert served.driver.submitted == []
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        for part in others:
            await accepted(esme, part)
        await served.driver.until_submitted(len(others) + 1)
        assert [m.text for m in await all_messages(served)] == [LONG]


async def test_parts_whose_others_never_come_go_out_by_themselves(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        part = parts_of(LONG)[1]
        told = await accepted(esme, part)
        served.rig.clock.advance(PART_WAIT.total_seconds() + 1)
        await served.service._submissions.give_out_stale(served.service._accounts)
        await served.driver.until_submitted(1)
        (segment,) = served.driver.submitted
        assert segment.udh + segment.payload == part.short_message
        await served.rig.settled()
        await served.report("1")
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told


async def test_a_reference_that_is_used_again_never_mixes_two_texts(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        lost, fresh = parts_of(LONG), parts_of(LONG[::-1])
        await accepted(esme, lost[0])
        for part in fresh:
            await accepted(esme, part)
        await served.driver.until_submitted(len(fresh) + 1)
        texts = [m.text for m in await all_messages(served)]
        assert LONG[::-1] in texts
        assert len(texts) == 2


async def all_messages(served: Served) -> list:
    from gateway.store.messages import MessageFilter, list_messages

    return await served.rig.store.read(lambda tx: list_messages(tx, MessageFilter(), limit=100, before=None))


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

        async def full(op):
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


# ---- deliveries


async def delivered(served: Served, esme: RawEsme) -> str:
    told = await accepted(esme, submit())
    await served.rig.until_status(await served.rig.message(told), "sent")
    await served.report(str(len(served.driver.submitted)))
    return told


async def test_a_receipt_waits_for_days_and_a_restart(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        told = await delivered(served, esme)
        await esme.ask(Unbind())
        clock = served.rig.clock
    clock.advance(4 * 86_400)
    async with serving(tmp_path / "db", clock=clock) as served, connected_esme(served.port) as esme:
        await esme.bind(BindReceiver)
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told


async def test_a_receipt_that_is_not_acknowledged_goes_to_another_bind(tmp_path):
    async with (
        serving(tmp_path / "db") as served,
        connected_esme(served.port) as first,
        connected_esme(served.port) as second,
    ):
        await first.bind(BindTransceiver)
        told = await delivered(served, first)
        seen = await first.receive()
        assert isinstance(seen.body, DeliverSm)
        await second.bind(BindReceiver)
        first.close()
        assert parse_receipt((await second.take_delivery()).short_message).message_id == told
        await eventually(lambda: served.service._couriers["hongyan"].n_on_wire == 0)


async def test_a_receipt_that_is_refused_for_now_comes_again(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await delivered(served, esme)
        await esme.take_delivery(CommandStatus.RX_T_APPN)
        await eventually(lambda: bool(served.service._couriers["hongyan"]._again))
        served.rig.clock.advance(2.0)
        served.service._couriers["hongyan"].wake()
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told


async def test_a_receipt_that_is_refused_for_good_is_dropped(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        await delivered(served, esme)
        await esme.take_delivery(CommandStatus.RX_R_APPN)

        async def nothing_owed() -> bool:
            return await owed(served) == {}

        await served.rig.until(nothing_owed)


async def test_no_more_deliveries_are_under_way_than_the_window_allows(tmp_path):
    async with serving(tmp_path / "db", account(window=3)) as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        told = [await delivered(served, esme) for _ in range(7)]
        async with connected_esme(served.port) as receiver:
            await receiver.bind(BindReceiver)
            first = [await receiver.receive() for _ in range(3)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await receiver.receive()
            for pdu in first:
                receiver.send(DeliverSmResp(), sequence_number=pdu.sequence_number)
            rest = [await receiver.take_delivery() for _ in range(4)]
        bodies = [pdu.body for pdu in first] + rest
        assert [parse_receipt(body.short_message).message_id for body in bodies] == told


async def test_an_application_of_smpp_3_3_gets_no_optional_parameters(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        bound = await esme.ask(
            BindTransceiver(system_id="hongyan", password="secret", interface_version=0x33)
        )
        assert (bound.command_status, bound.body.tlvs) == (0, ())
        await delivered(served, esme)
        assert (await esme.take_delivery()).tlvs == ()


@pytest.mark.parametrize("text", ["TD please", "请退订😀", "long text " * 40])
async def test_inbound_messages_go_to_the_account_they_are_for(tmp_path, text):
    accounts = (
        account("mine", inbound=("10690000",)),
        account("by-channel", inbound=("carrier",)),
        account("other", inbound=("10691111",)),
    )
    async with serving(tmp_path / "db", *accounts) as served:
        plan = plan_segments(text)
        total = len(plan.segments)
        for number, one in enumerate(plan.segments, 1):
            await served.driver.report(
                InboundPart(
                    sender=PHONE,
                    recipient="10690000",
                    encoding=plan.encoding,
                    payload=one.payload,
                    concat=Concat(reference=1, total=total, part=number) if total > 1 else None,
                )
            )
        for system_id in ("mine", "by-channel"):
            async with connected_esme(served.port) as esme:
                await esme.bind(BindReceiver, system_id=system_id)
                bodies = [await esme.take_delivery() for _ in range(total)]
                assert {body.source_addr for body in bodies} == {PHONE.removeprefix("+")}
                assert {body.destination_addr for body in bodies} == {"10690000"}
                assert read_text(bodies) == text
        assert "other" not in await owed(served)


def read_text(bodies: list[DeliverSm]) -> str:
    from drivers.codec.segment import decode_payload
    from drivers.smpp.text import decode_content

    payload = b""
    encoding = Encoding.GSM7
    for body in bodies:
        content = body.short_message
        if body.esm_class & c.ESM_UDHI:
            content = content[content[0] + 1 :]
        encoding, octets, _ = decode_content(body.data_coding, content)
        payload += octets
    return decode_payload(encoding, payload)
