"""Our SMPP server as an application meets it, PDU by PDU: binds and submissions."""

from __future__ import annotations

import asyncio
import errno
from datetime import timedelta

import pytest

from drivers.base import ReceiptState
from drivers.codec.gsm7 import encode_gsm7
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import CommandStatus, MessageState, Tag
from drivers.smpp.wire.fields import DistributionList, SmeAddress, find_int_tlv, find_text_tlv
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    EnquireLink,
    EnquireLinkResp,
    SubmitMulti,
    Unbind,
    UnbindResp,
)
from drivers.smpp.wire.receipt import parse_receipt
from gateway.esme.service import Listener
from gateway.model.message import Category
from tests.support.esme import connected_esme
from tests.support.eventually import eventually
from tests.support.gateway import PHONE
from tests.support.smpp_application import (
    accepted,
    account,
    all_messages,
    connected_world,
    owed,
    serving,
    submit,
)

pytestmark = pytest.mark.integration

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


# ---- peers that break the rules


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(64),
        b"\xff" * 64,
        bytes.fromhex("00000010 0000ffff 00000000 00000001"),
        bytes.fromhex("00000012 00000004 00000000 00000001 0000"),
    ],
    ids=["http", "zeros", "ones", "unknown command", "cut short"],
)
async def test_garbage_harms_nobody_else(tmp_path, octets):
    async with connected_world(tmp_path) as (served, esme):
        await esme.bind()
        async with connected_esme(served.port) as stranger:
            stranger.send_octets(octets)
            answer = await stranger.receive()
            assert answer.command_status != 0
        async with connected_esme(served.port) as bound:
            await bound.bind()
            bound.send_octets(octets)
            assert (await bound.receive()).command_status != 0
        assert (await esme.ask(submit())).command_status == 0
        await eventually(lambda: served.service._host.n_binds == {"hongyan": 1})


async def test_a_submission_whose_sender_is_gone_is_whole_or_not_there(tmp_path):
    async with serving(tmp_path / "db") as served:
        for _ in range(5):
            async with connected_esme(served.port) as esme:
                await esme.bind(BindTransmitter)
                for _ in range(20):
                    esme.send(submit())
        async with connected_esme(served.port) as esme:
            await esme.bind(BindTransmitter)
            await accepted(esme, submit())
        messages = await all_messages(served)
        assert {m.text for m in messages} == {"hello"}
        await served.driver.until_submitted(len(messages))


async def test_a_flood_of_connections_is_bounded(tmp_path):
    few = [Listener(host="127.0.0.1", port=0, max_connections=2)]
    async with (
        serving(tmp_path / "db", listeners=few) as served,
        connected_esme(served.port) as one,
        connected_esme(served.port) as two,
        connected_esme(served.port) as three,
    ):
        assert await three.closed_by_peer()
        for esme in (one, two):
            assert (await esme.bind()).command_status == 0
