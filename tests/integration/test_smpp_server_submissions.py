"""Submissions to our SMPP server, PDU by PDU: what is taken, what is refused, and the receipts that come back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from drivers.base import ReceiptState
from drivers.carrier_options import read_options
from drivers.codec.gsm7 import encode_gsm7
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import CommandStatus, MessageState, Tag
from drivers.smpp.wire.fields import DistributionList, SmeAddress, find_int_tlv, find_text_tlv
from drivers.smpp.wire.pdus import BindTransmitter, DataSm, ReplaceSm, SubmitMulti
from drivers.smpp.wire.receipt import parse_receipt
from gateway.model.message import Category
from tests.support.esme import connected_esme
from tests.support.gateway import PHONE
from tests.support.optouts import opt_out
from tests.support.smpp_application import LONG, accepted, account, owed, parts_of, serving, submit

pytestmark = pytest.mark.integration


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
        ({"data_coding": 8, "short_message": b"\x90\x00\x8b"}, CommandStatus.RINVMSGLEN),
        ({"tlvs": ((0x1400, bytes(256)),)}, CommandStatus.RINVPARLEN),
        ({"tlvs": tuple((tag, b"") for tag in range(0x1400, 0x1411))}, CommandStatus.ROPTPARNOTALLWD),
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


@pytest.mark.parametrize(
    ("ton", "npi", "address", "recipient"),
    [
        (1, 1, "447911123456", "+447911123456"),
        (1, 1, "00447911123456", "+447911123456"),
        (0, 0, "447911123456", "+447911123456"),
        (0, 1, "00447911123456", "+447911123456"),
        (0, 0, "+447911123456", "+447911123456"),
        (0, 0, "13800138000", "+8613800138000"),
        (2, 1, "13800138000", "+8613800138000"),
        (0, 0, "8613800138000", "+8613800138000"),
        (3, 1, "10086", "10086"),
        (0, 0, "37121234567", None),  # a Latvian mobile, or one in Zhengzhou
        (2, 1, "37121234567", "+8637121234567"),
        (1, 1, "37121234567", "+37121234567"),
        (2, 1, "447700900123", None),
        (1, 1, "13800138000", None),  # the type contradicts the digits
        (1, 1, "10086", None),
        (0, 0, "138001380001", None),
    ],
)
async def test_a_destination_is_read_by_its_type_and_its_digits(tmp_path, ton, npi, address, recipient):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        body = submit(dest_addr_ton=ton, dest_addr_npi=npi, destination_addr=address)
        if recipient is None:
            assert (await esme.ask(body)).command_status == CommandStatus.RINVDSTADR
        else:
            assert (await served.rig.message(await accepted(esme, body))).recipient == recipient


async def test_marketing_of_an_account_heeds_opt_outs(tmp_path):
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


OWN = ((0x1400, b"1201159\0"), (0x1403, b""))


async def test_a_carriers_own_parameters_go_on_to_it(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        await accepted(esme, submit(tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\0\1"), *OWN)))
        for part in parts_of(LONG):
            await accepted(esme, replace(part, tlvs=OWN))
        await served.driver.until_submitted(1 + len(parts_of(LONG)))
        assert {read_options(segment.carrier_options) for segment in served.driver.submitted} == {OWN}


async def test_a_carriers_own_parameters_stay_with_a_message_that_is_replaced(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(esme, submit(schedule_delivery_time="000000020000000R", tlvs=OWN))
        answer = await esme.ask(ReplaceSm(message_id=told, short_message=b"other text"))
        assert answer.command_status == 0
        message = await served.rig.message(told)
        assert (message.text, read_options(message.carrier_options)) == ("other text", OWN)


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
