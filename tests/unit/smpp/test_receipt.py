"""Delivery receipts: texts as SMSCs vary them, and the spellings of message ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from msgspec.structs import replace

from drivers.base import Receipt, ReceiptState
from drivers.codec.septets import pack_septets
from drivers.smpp.client.evidence import is_labelled
from drivers.smpp.client.inbound import ReceiptRules, decode_receipts
from drivers.smpp.wire.codec import decode_pdu
from drivers.smpp.wire.constants import MessageState
from drivers.smpp.wire.pdus import DeliverSm
from drivers.smpp.wire.receipt import (
    DeliveryReceipt,
    format_receipt,
    parse_receipt,
    parse_receipt_by_keys,
    parse_receipt_date,
    stat_of,
    state_of,
)
from drivers.smpp.wire.spellings import given_references, spell_references
from drivers.smpp.wire.states import fold_state
from tests.support.vectors import load_vectors

pytestmark = pytest.mark.unit

STANDARD = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:0809011130 done date:0809011131 "
    b"stat:DELIVRD err:000 text:Your code is 12"
)


def decode_receipt(body: DeliverSm, zone: tzinfo = UTC) -> Receipt:
    """The one receipt of a delivery."""
    [receipt] = decode_receipts(body, ReceiptRules(zone=zone))
    return receipt


@pytest.mark.parametrize("vector", load_vectors("smpp", "receipt"), ids=lambda v: v["source"])
def test_golden_receipts_are_read(vector):
    body = decode_pdu(bytes.fromhex(vector["pdu"])).body
    assert isinstance(body, DeliverSm)
    assert is_labelled(body.esm_class)
    receipt = decode_receipt(body, UTC)
    assert [name for name in receipt.references if name in vector["references"]] == vector["references"]
    assert receipt.references[0] == vector["references"][0]
    assert receipt.recipient == vector["recipient"]
    assert receipt.state == vector["state"]
    assert receipt.code == vector["code"]
    assert receipt.done_at == vector["done_at"]


FIELD = load_vectors("receipts", "receipt")


def body_of(vector) -> bytes:
    return bytes.fromhex(vector["octets"]) if "octets" in vector else vector["body"].encode("latin-1")


def deliver_of(vector, **changes) -> DeliverSm:
    tlvs = tuple((tag, bytes.fromhex(value)) for tag, value in vector.get("tlvs", ()))
    plain = DeliverSm(esm_class=4, short_message=body_of(vector), tlvs=tlvs)
    return replace(plain, **changes)


def test_the_field_is_well_represented():
    assert len(FIELD) >= 40
    assert len({vector["vendor"] for vector in FIELD}) >= 10


@pytest.mark.parametrize("vector", FIELD, ids=lambda v: v["source"])
def test_receipts_of_the_field_are_read(vector):
    text = parse_receipt(body_of(vector))
    assert (text.message_id, text.stat) == (vector["id"], vector["stat"])
    receipt = decode_receipt(deliver_of(vector), UTC)
    assert receipt.references[0] in {vector["id"], vector.get("known_as"), *_parameter_ids(vector)}
    assert {vector.get("known_as"), vector["id"]} - {None, ""} <= set(receipt.references)
    assert (receipt.state, receipt.code) == (vector["state"], vector["code"])
    if "done_at" in vector:
        assert receipt.done_at == vector["done_at"]
    assert len(receipt.dialects) == len(receipt.references)


def _parameter_ids(vector) -> list[str]:
    return [
        bytes.fromhex(value).rstrip(b"\0").decode() for tag, value in vector.get("tlvs", ()) if tag == 0x1E
    ]


WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "an octet a character": lambda body: body,
    "UTF-16": lambda body: body.decode("latin-1").encode("utf-16-be"),
    "UTF-16 with a mark": lambda body: b"\xfe\xff" + body.decode("latin-1").encode("utf-16-be"),
    "UTF-16 in the other order": lambda body: body.decode("latin-1").encode("utf-16-le"),
    "UTF-16 in the other order with a mark": lambda body: (
        b"\xff\xfe" + body.decode("latin-1").encode("utf-16-le")
    ),
    "UTF-8 with a mark": lambda body: b"\xef\xbb\xbf" + body,
    "blanks and NULs around it": lambda body: b"\0 \0 \r\n" + body + b" \0\0",
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("vector", FIELD, ids=lambda v: v["source"])
def test_receipts_of_the_field_are_read_however_they_are_written_and_whatever_data_coding_says(
    vector, written
):
    octets = WRITTEN[written](body_of(vector))
    expected = decode_receipt(deliver_of(vector))
    for data_coding in (0, 1, 3, 4, 8, 0x11, 0xF0):
        assert decode_receipt(deliver_of(vector, data_coding=data_coding, short_message=octets)) == expected


@pytest.mark.parametrize("vector", FIELD, ids=lambda v: v["source"])
def test_receipts_of_the_field_are_read_from_packed_septets(vector):
    body = body_of(vector)
    if max(body) > 0x7F or len(body) > 160:
        pytest.skip("does not fit into one message of GSM-7")
    codes = body + b"\r" if len(body) % 8 == 7 else body
    for data_coding in (0, 8):
        packed = deliver_of(vector, data_coding=data_coding, short_message=pack_septets(codes))
        assert decode_receipt(packed, UTC) == decode_receipt(deliver_of(vector), UTC)


def test_an_underscore_of_the_gsm_alphabet_is_one():
    body = DeliverSm(esm_class=4, short_message=b"id:a\x11b1 submit\x11date:2401011200 stat:DELIVRD")
    assert decode_receipt(body).references[0] == "a_b1"


@pytest.mark.parametrize("vector", FIELD, ids=lambda v: v["source"])
def test_the_quick_way_reads_what_the_thorough_way_reads(vector):
    assert parse_receipt(body_of(vector)) == parse_receipt_by_keys(body_of(vector))


@pytest.mark.parametrize("vector", FIELD, ids=lambda v: v["source"])
def test_receipts_of_the_field_are_read_in_any_case_of_their_keys(vector):
    body = body_of(vector).decode("latin-1")
    for key in ("id", "sub", "dlvrd", "submit date", "done date", "stat", "err", "text"):
        body = body.replace(f"{key}:", f"{key.upper()}:", 1)
    text = parse_receipt(body.encode("latin-1"))
    assert (text.message_id, text.stat) == (vector["id"], vector["stat"])


def candidates_of(receipt: DeliveryReceipt, tlvs=()) -> list[str]:
    return list(spell_references(given_references(receipt, tlvs)))


def test_a_receipt_that_only_names_the_handset_is_kept_for_it():
    body = DeliverSm(
        esm_class=4, source_addr_ton=1, source_addr="447887123456", short_message=b"stat:DELIVRD"
    )
    receipt = decode_receipt(body, UTC)
    assert (receipt.references, receipt.recipient) == ((), "+447887123456")


@pytest.mark.parametrize(
    ("date", "hours"), [("00010101000000", 8), ("99991231235959", -5)], ids=["the first", "the last"]
)
def test_a_receipt_with_a_date_at_the_calendars_end_is_read_without_it(date, hours):
    text = f"id:1 sub:001 dlvrd:001 submit date:{date} done date:{date} stat:DELIVRD err:000 text:"
    body = DeliverSm(esm_class=4, short_message=text.encode())
    receipt = decode_receipt(body, timezone(timedelta(hours=hours)))
    assert (receipt.references[0], receipt.state, receipt.done_at) == ("1", ReceiptState.DELIVERED, None)


def test_the_text_of_the_specification_is_read():
    receipt = parse_receipt(STANDARD)
    assert receipt == DeliveryReceipt(
        message_id="0123456789",
        submitted="001",
        delivered="001",
        submit_date="0809011130",
        done_date="0809011131",
        stat="DELIVRD",
        err="000",
        text="Your code is 12",
    )
    assert format_receipt(receipt) == STANDARD
    assert "code" not in repr(receipt)


@pytest.mark.parametrize(
    ("text", "message_id", "stat"),
    [
        (b"stat:EXPIRED id:7", "7", "EXPIRED"),
        (b"ID:7 STAT:UNDELIV ERR:1", "7", "UNDELIV"),
        (b"id: 7 stat: DELIVRD", "7", "DELIVRD"),
        (b"id:7,stat:DELIVRD,err:0", "7", "DELIVRD"),
        (b"id:7 submit_date:1 donedate:2 stat:DELIVRD", "7", "DELIVRD"),
        (b"id:7 stat:DELIVRD text:id:8 stat:REJECTD", "7", "DELIVRD"),
        (b"id:7", "7", ""),
        (b"id:7 stat:DELIVRD\0", "7", "DELIVRD"),
        (b"nothing we know", "", ""),
        (b"", "", ""),
        (b"\xff\x00\xfe", "", ""),
    ],
)
def test_texts_vary_in_order_case_and_what_they_leave_out(text, message_id, stat):
    receipt = parse_receipt(text)
    assert (receipt.message_id, receipt.stat) == (message_id, stat)


@pytest.mark.parametrize(
    ("given", "known_as"),
    [
        ("0489708364", "1d305b4c"),  # response in hex, receipt in decimal
        ("1d305b4c", "489708364"),  # response in decimal, receipt in hex
        ("1D305B4C", "0489708364"),  # the same, padded to ten digits
        ("26", "0000001A"),  # hex in eight digits
        ("0000123", "123"),  # zeros lost on the way
        ("abcDEF", "ABCDEF"),
        ("abcDEF", "abcdef"),
        ("3f2504e0-4f89", "3F2504E0-4F89"),
        ("-294967205", "4000000091"),  # taken for a number with a sign
        ("4000000091", "-294967205"),
        ("-294967205", "EE6B285B"),  # the same, the response in hex
        ("-4294967297", "18446744069414584319"),
    ],
)
def test_a_message_is_found_under_the_spelling_of_its_response(given, known_as):
    candidates = candidates_of(DeliveryReceipt(message_id=given))
    assert candidates[0] == given
    assert known_as in candidates


@pytest.mark.parametrize(
    ("rule", "known", "unknown"),
    [
        ("as-is", {"0026", "26"}, {"1a", "38"}),
        ("hex-to-decimal", {"1a", "0000001A"}, {"0026", "38"}),
        ("decimal-to-hex", {"38", "0000000038"}, {"0026", "1a"}),
        ("auto", {"0026", "26", "1a", "38"}, {"27"}),
    ],
)
def test_a_dialect_that_is_agreed_rules_out_the_others(rule, known, unknown):
    spellings = set(spell_references(["0026"], rule))
    assert known <= spellings
    assert not unknown & spellings


def test_each_spelling_says_which_dialect_would_explain_it():
    dialects = spell_references(["0A26"])
    assert dialects["0A26"] == "as-is"
    assert dialects["0a26"] == "case"
    assert dialects["A26"] == "zeros"
    assert dialects["2598"] == "decimal-to-hex"
    assert spell_references(["38"])["26"] == "hex-to-decimal"


def test_spellings_as_given_come_before_any_guess_and_the_parameter_first():
    candidates = candidates_of(DeliveryReceipt(message_id="10"), ((0x001E, b"A\0"),))
    assert candidates[:2] == ["A", "10"]
    assert len(set(candidates)) == len(candidates)


def test_a_receipt_that_names_no_message_gives_no_candidate():
    assert candidates_of(DeliveryReceipt(), ((0x001E, b"\0"),)) == []
    assert decode_receipt(DeliverSm(esm_class=4, short_message=b"stat:DELIVRD"), UTC).references == ()


def test_the_parameter_says_the_state_before_the_text_does():
    text = DeliveryReceipt(stat="DELIVRD")
    assert state_of(text, ((0x0427, b"\5"),)) is MessageState.UNDELIVERABLE
    assert state_of(text, ((0x0427, b"\xee"),)) is MessageState.DELIVERED
    assert state_of(text, ()) is MessageState.DELIVERED
    assert state_of(DeliveryReceipt(stat="???"), ()) is None


def test_a_parameter_that_says_unknown_leaves_it_to_the_text():
    unknown = ((0x0427, b"\x07"),)
    assert (
        decode_receipt(DeliverSm(esm_class=4, short_message=STANDARD, tlvs=unknown)).state
        is ReceiptState.DELIVERED
    )
    body = DeliverSm(esm_class=4, short_message=b"id:7 stat:whatever", tlvs=unknown)
    assert decode_receipt(body).state is ReceiptState.UNKNOWN


def test_every_state_has_a_spelling_that_is_read_back():
    for state in MessageState:
        assert state_of(DeliveryReceipt(stat=stat_of(state)), ()) is state
        body = DeliverSm(
            esm_class=4, short_message=format_receipt(DeliveryReceipt(message_id="7", stat=stat_of(state)))
        )
        assert decode_receipt(body, UTC) is not None


@pytest.mark.parametrize(
    ("stat", "state"),
    [
        (b"DELIVRD", ReceiptState.DELIVERED),
        (b"ACCEPTD", ReceiptState.ENROUTE),
        (b"UNDELIV", ReceiptState.UNDELIVERABLE),
        (b"REJECTD", ReceiptState.REJECTED),
        (b"delivered", ReceiptState.DELIVERED),
        (b"Delivered to handset", ReceiptState.DELIVERED),
        (b"DELIVERED_TO_HANDSET", ReceiptState.DELIVERED),
        (b"DELIVERED_TO_OPERATOR", ReceiptState.ENROUTE),
        (b"Success", ReceiptState.DELIVERED),
        (b"FAILED", ReceiptState.UNDELIVERABLE),
        (b"Delivery failed", ReceiptState.UNDELIVERABLE),
        (b"not delivered", ReceiptState.UNDELIVERABLE),
        (b"Rejected by operator", ReceiptState.REJECTED),
        (b"BLACKLISTED", ReceiptState.REJECTED),
        (b"timed out", ReceiptState.EXPIRED),
        (b"cancelled", ReceiptState.DELETED),
        (b"Queued", ReceiptState.ENROUTE),
        (b"000", ReceiptState.DELIVERED),
        (b"0", ReceiptState.DELIVERED),
        (b"1", ReceiptState.ENROUTE),
        (b"2", ReceiptState.DELIVERED),
        (b"05", ReceiptState.UNDELIVERABLE),
        (b"8", ReceiptState.REJECTED),
        (b"MK:0013", ReceiptState.UNDELIVERABLE),  # by the part of the network that failed it
        (b"ID:0076", ReceiptState.UNDELIVERABLE),
        (b"MB:1042", ReceiptState.UNDELIVERABLE),
        (b"MK:0000", ReceiptState.UNKNOWN),
        (b"DND", ReceiptState.REJECTED),
        (b"Subscriber absent", ReceiptState.UNDELIVERABLE),
        (b"UNROUTABLE", ReceiptState.UNDELIVERABLE),
        (b"whatever", ReceiptState.UNKNOWN),
        (b"0148", ReceiptState.UNKNOWN),
        (b"?", ReceiptState.UNKNOWN),
    ],
)
@pytest.mark.parametrize("rest", [b"", b" err:000", b" err:000 text:FAILED"])
def test_states_mean_what_the_driver_contract_says(stat, state, rest):
    receipt = decode_receipt(DeliverSm(esm_class=4, short_message=b"id:7 stat:" + stat + rest), UTC)
    assert receipt.state is state


@pytest.mark.parametrize(
    ("counts", "stat", "state"),
    [
        ("sub:001 dlvrd:001", "1", ReceiptState.DELIVERED),
        ("sub:001 dlvrd:000", "1", ReceiptState.ENROUTE),
        ("sub:000 dlvrd:000", "1", ReceiptState.ENROUTE),
        ("sub:001 dlvrd:001", "0", ReceiptState.DELIVERED),
        ("sub:001 dlvrd:000", "0", ReceiptState.UNKNOWN),
        ("sub:000 dlvrd:000", "000", ReceiptState.DELIVERED),
        ("sub:x dlvrd:", "0", ReceiptState.DELIVERED),
    ],
)
def test_the_counts_tell_what_an_ambiguous_number_means(counts, stat, state):
    body = DeliverSm(esm_class=4, short_message=f"id:7 {counts} stat:{stat} err:000".encode())
    assert decode_receipt(body).state is state


def test_a_state_of_zeros_is_no_success_where_an_error_stands_beside_it():
    receipt = decode_receipt(DeliverSm(esm_class=4, short_message=b"id:7 stat:000 err:027"))
    assert (receipt.state, receipt.understood) == (ReceiptState.UNKNOWN, False)


@pytest.mark.parametrize(
    ("stat", "tlvs", "word", "understood"),
    [
        (b"DELIVRD", (), "", True),
        (b"Delivered to handset", (), "Delivered to handset", True),
        (b"RT:0148", (), "RT:0148", True),
        (b"Lost in space", (), "Lost in space", False),
        (b"RT:0148", ((0x0427, b"\5"),), "RT:0148", True),
    ],
)
def test_the_carriers_own_word_is_kept_and_whether_it_was_understood(stat, tlvs, word, understood):
    body = DeliverSm(esm_class=4, short_message=b"id:7 stat:" + stat + b" err:148", tlvs=tlvs)
    receipt = decode_receipt(body)
    assert (receipt.word, receipt.understood) == (word, understood)
    assert receipt.octets == body.short_message


def test_the_operators_table_goes_before_all_that_is_known():
    states = {
        fold_state("rt:0148"): MessageState.REJECTED,
        fold_state("DELIVRD"): MessageState.UNDELIVERABLE,
        fold_state("err:027"): MessageState.EXPIRED,
    }

    def state(text: bytes, **fields) -> ReceiptState:
        body = DeliverSm(esm_class=4, short_message=text, **fields)
        [receipt] = decode_receipts(body, ReceiptRules(states=states))
        assert receipt.understood
        return receipt.state

    assert state(b"id:7 stat:RT:0148 err:148") is ReceiptState.REJECTED
    assert state(b"id:7 stat:DELIVRD", tlvs=((0x0427, b"\2"),)) is ReceiptState.UNDELIVERABLE
    assert state(b"id:7 stat:nonsense err:27") is ReceiptState.EXPIRED


@pytest.mark.parametrize(
    ("text", "ids", "states"),
    [
        (b"id:1 stat:DELIVRD err:0\nid:2 stat:UNDELIV err:1", ("1", "2"), ("delivered", "undeliverable")),
        (b"id:1 stat:DELIVRD text:a\nid:2 stat:EXPIRED text:b", ("1", "2"), ("delivered", "expired")),
        (b"id:1,stat:DELIVRD;id:2,stat:DELIVRD;id:3,stat:DELIVRD", ("1", "2", "3"), ("delivered",) * 3),
        (
            b"id:1 stat:DELIVRD err:0\nid:2 stat:UNDELIV err:1\nid:3 stat:DELI",
            ("1", "2", "3"),
            ("delivered", "undeliverable", "unknown"),
        ),
        (
            b"id:1 stat:DELIVRD\nid:2 stat:UNDELIV\nid:3",
            ("1", "2", "3"),
            ("delivered", "undeliverable", "unknown"),
        ),
        (STANDARD + b"; " + STANDARD, ("0123456789",) * 2, ("delivered",) * 2),
        # What stands inside the text of the message is none.
        (STANDARD + b" id:8 stat:REJECTD", ("0123456789",), ("delivered",)),
        (b"id:7 stat:DELIVRD text:id:8 stat:REJECTD", ("7",), ("delivered",)),
    ],
)
def test_several_receipts_in_one_text_are_several(text, ids, states):
    receipts = decode_receipts(DeliverSm(esm_class=4, short_message=text))
    assert tuple(receipt.references[0] for receipt in receipts) == ids
    assert tuple(receipt.state.value for receipt in receipts) == states


@pytest.mark.parametrize(
    ("text", "message_id", "stat"),
    [
        (b'id:"7" stat:"DELIVRD"', "7", "DELIVRD"),
        (b'{"id":"7","stat":"DELIVRD","err":"000"}', "7", "DELIVRD"),
        (b"id: '7 8' stat: 'Delivered to handset' err:1", "7 8", "Delivered to handset"),
        (b"msg_id=7;status=Failed;error_code=9", "7", "Failed"),
        (b"id=7&stat=DELIVRD&err=0", "7", "DELIVRD"),
        (b"id:7 sub:001 stat:ID:0076 err:000", "7", "ID:0076"),
        (b"id:7 stat: ID:0076", "7", "ID:0076"),
        (b"Message-Id: 7 Message State: EXPIRED", "7", "EXPIRED"),
        (b"DELIVRD id:7", "7", "DELIVRD"),
        (b"7,001,001,2401011200,2401011201,DELIVRD,000,hello", "7", "DELIVRD"),
        (b"7 001 001 240101120000 20240101120100 UNDELIV 011", "7", "UNDELIV"),
        (b"02,2401011201,2401011200,107,8613800138000,1069,abc", "abc", "UNDELIV"),
        (b' "00", "2401011201", "2401011200", "", "861", "1069", "abc" ', "abc", "DELIVRD"),
    ],
)
def test_forms_vary_more_than_the_field_has_shown(text, message_id, stat):
    receipt = parse_receipt(text)
    assert (receipt.message_id, receipt.stat) == (message_id, stat)


def test_an_id_that_an_agreed_dialect_can_not_respell_is_still_an_id():
    body = DeliverSm(esm_class=4, source_addr="861", short_message=b"id:a-1 stat:DELIVRD")
    [receipt] = decode_receipts(body, ReceiptRules(receipt_id="hex-to-decimal"))
    assert (receipt.references, receipt.agreed) == (("a-1",), True)


def test_the_text_is_taken_from_the_parameter_where_short_message_is_blank():
    body = DeliverSm(esm_class=4, short_message=b" \0", tlvs=((0x0424, STANDARD),))
    assert decode_receipt(body).references[0] == "0123456789"


def test_an_intermediate_notification_ends_nothing():
    receipt = decode_receipt(DeliverSm(esm_class=0x20, short_message=b"id:7 stat:UNDELIV"), UTC)
    assert receipt.state is ReceiptState.ENROUTE


def test_a_receipt_in_ucs2_is_read():
    text = "id:7 stat:DELIVRD err:005".encode("utf-16-be")
    receipt = decode_receipt(DeliverSm(esm_class=4, data_coding=8, short_message=text), UTC)
    assert (receipt.references[0], receipt.code) == ("7", "err:005")


def test_the_network_error_code_speaks_when_the_text_has_no_err():
    receipt = decode_receipt(
        DeliverSm(esm_class=4, short_message=b"id:7", tlvs=((0x0423, b"\3\0\x1b"),)), UTC
    )
    assert receipt.code == "network:3:27"


def test_dates_are_in_the_smscs_zone_and_come_out_in_utc():
    beijing = timezone(timedelta(hours=8))
    body = DeliverSm(esm_class=4, short_message=b"id:7 done date:2401011200 stat:DELIVRD")
    receipt = decode_receipt(body, beijing)
    assert receipt.done_at == datetime(2024, 1, 1, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "digits", ["", "2401", "2413011200", "240101120a", "24010112000", "180711070000097+"]
)
def test_what_is_no_date_is_none(digits):
    assert parse_receipt_date(digits, UTC) is None


def test_dates_come_with_or_without_seconds_and_century():
    minute = datetime(2024, 1, 2, 3, 4, tzinfo=UTC)
    assert parse_receipt_date("2401020304", UTC) == minute
    assert parse_receipt_date("240102030405", UTC) == minute.replace(second=5)
    assert parse_receipt_date("20240102030405", UTC) == minute.replace(second=5)
