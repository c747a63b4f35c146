from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from drivers.base import Encoding, ReceiptState
from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import find_int_tlv, find_text_tlv, find_tlv
from simulators.smsc.receipts import MessageIds, write_receipt
from simulators.traffic import NetworkMessage, NetworkReceipt

pytestmark = pytest.mark.unit


def receipt(state: ReceiptState = ReceiptState.DELIVERED, **fields: Any) -> NetworkReceipt:
    values: dict[str, Any] = {
        "sender": "10690000",
        "recipient": "+8613800138000",
        "encoding": Encoding.GSM7,
        "payload": b"Dear customer, your parcel is here",
        "at": datetime(2026, 11, 21, 12, 30, 59, tzinfo=UTC),
    }
    message = NetworkMessage(**(values | fields))
    done_at = datetime(2026, 11, 21, 12, 31, 4, tzinfo=UTC)
    return NetworkReceipt(reference="123456789", message=message, state=state, done_at=done_at)


def test_the_text_is_that_of_appendix_b():
    body = write_receipt(receipt(), MessageIds.DECIMAL)
    assert body.short_message == (
        b"id:123456789 sub:001 dlvrd:001 submit date:2611211230 done date:2611211231 "
        b"stat:DELIVRD err:000 text:Dear customer, your "
    )
    assert body.esm_class == 0x04
    assert (body.source_addr, body.destination_addr) == ("8613800138000", "10690000")


def test_the_parameters_say_the_same():
    tlvs = write_receipt(receipt(ReceiptState.UNDELIVERABLE), MessageIds.DECIMAL).tlvs
    assert find_text_tlv(tlvs, Tag.RECEIPTED_MESSAGE_ID) == "123456789"
    assert find_int_tlv(tlvs, Tag.MESSAGE_STATE) == 5
    assert find_tlv(tlvs, Tag.NETWORK_ERROR_CODE) == b"\x03\x00\x1b"


@pytest.mark.parametrize("state", list(ReceiptState))
def test_every_state_has_its_word(state):
    text = write_receipt(receipt(state), MessageIds.DECIMAL).short_message.decode()
    assert f"dlvrd:{1 if state is ReceiptState.DELIVERED else 0:03}" in text
    assert len(text.partition("stat:")[2].partition(" ")[0]) == 7


def test_a_text_outside_the_default_alphabet_is_not_quoted():
    body = write_receipt(
        receipt(encoding=Encoding.UCS2, payload="你好".encode("utf-16-be")), MessageIds.DECIMAL
    )
    assert body.short_message.endswith(b"err:000 text:")


@pytest.mark.parametrize(
    ("message_ids", "in_response", "in_receipt"),
    [
        (MessageIds.DECIMAL, "123456789", "123456789"),
        (MessageIds.HEX, "75bcd15", "75bcd15"),
        (MessageIds.MIXED, "75bcd15", "123456789"),
    ],
)
def test_ids_are_spelled_as_the_smsc_does_it(message_ids, in_response, in_receipt):
    assert message_ids.in_response("123456789") == in_response
    assert f"id:{in_receipt} ".encode() in write_receipt(receipt(), message_ids).short_message
