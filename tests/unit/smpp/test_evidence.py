"""What tells a delivery report from a person's text."""

from __future__ import annotations

import pytest

from drivers.base import InboundPart, Receipt, ReceiptState
from drivers.smpp.client.inbound import decode_delivery
from drivers.smpp.wire.pdus import DataSm, DeliverSm

pytestmark = pytest.mark.unit

FULL = b"id:7 sub:001 dlvrd:001 submit date:2401011200 done date:2401011201 stat:DELIVRD err:000 text:hi"
ID = (0x001E, b"7\0")
STATE = (0x0427, b"\2")


def verdict(text: bytes, *, esm_class: int = 0, tlvs: tuple[tuple[int, bytes], ...] = ()) -> str:
    """``report``, ``perhaps`` or ``text``; the same for deliver_sm and data_sm."""
    found = set()
    for body in (
        DeliverSm(esm_class=esm_class, source_addr="861", short_message=text, tlvs=tlvs),
        DataSm(esm_class=esm_class, source_addr="861", tlvs=(*tlvs, (0x0424, text))),
    ):
        [event] = decode_delivery(body)
        if isinstance(event, InboundPart):
            found.add("text")
        else:
            assert isinstance(event, Receipt)
            found.add("report" if event.otherwise is None else "perhaps")
    [one] = found
    return one


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        # The bit, and what bears it out.
        (FULL, {"esm_class": 0x04}, "report"),
        (FULL, {"esm_class": 0x20}, "report"),
        (FULL, {"esm_class": 0x24}, "report"),
        (FULL, {"esm_class": 0x84}, "report"),
        (b"stat:DELIVRD", {"esm_class": 0x04}, "report"),
        (b"Delivered to handset", {"esm_class": 0x04}, "report"),
        (b"", {"esm_class": 0x04}, "report"),
        (b"ACK/", {"esm_class": 0x04, "tlvs": (ID,)}, "report"),
        (b"ACK/", {"esm_class": 0x04, "tlvs": (STATE,)}, "report"),
        # The bit, and words.
        (b"Your message was not delivered", {"esm_class": 0x04}, "perhaps"),
        (b"ACK/", {"esm_class": 0x04}, "perhaps"),
        (b"status: it went well", {"esm_class": 0x04}, "perhaps"),
        # The bit alone.
        (b"TD", {"esm_class": 0x04}, "text"),
        (b"see you", {"esm_class": 0x04}, "text"),
        ("退订".encode("utf-16-be"), {"esm_class": 0x04}, "text"),
        # No bit, and two other things.
        (FULL, {"tlvs": (ID,)}, "report"),
        (FULL, {"tlvs": (STATE,)}, "report"),
        (b"", {"tlvs": (ID, STATE)}, "report"),
        (b"\0", {"tlvs": (STATE,)}, "report"),
        # No bit, and one other thing.
        (FULL, {}, "perhaps"),
        (FULL, {"esm_class": 0x08}, "perhaps"),
        (FULL.decode().encode("utf-16-be"), {}, "perhaps"),
        (b"", {"tlvs": (ID,)}, "perhaps"),
        (b"see you", {"tlvs": (ID, STATE)}, "perhaps"),
        # A person's.
        (b"see you", {}, "text"),
        (b"DELIVRD", {}, "text"),
        (b"my id: 7", {}, "text"),
        (b"see you", {"tlvs": (ID,)}, "text"),
        (b"see you", {"tlvs": (STATE,)}, "text"),
        (b"see you", {"esm_class": 0x10}, "text"),
        (b"", {}, "text"),
    ],
)
def test_the_order_of_evidence(text, fields, expected):
    assert verdict(text, **fields) == expected


def test_a_report_on_the_way_ends_nothing_whatever_it_says():
    for esm_class in (0x20, 0x24):
        [receipt] = decode_delivery(DeliverSm(esm_class=esm_class, short_message=FULL))
        assert isinstance(receipt, Receipt)
        assert (receipt.state, receipt.understood) == (ReceiptState.ENROUTE, True)


def test_several_receipts_in_one_text_are_an_smscs_without_the_bit():
    events = decode_delivery(DeliverSm(short_message=FULL + b"\n" + FULL))
    assert [isinstance(event, Receipt) and event.otherwise is None for event in events] == [True, True]


def test_no_person_writes_from_a_masked_number():
    [event] = decode_delivery(DeliverSm(source_addr="86139****000", short_message=FULL))
    assert isinstance(event, Receipt)
    assert event.otherwise is None


def test_what_may_be_a_text_brings_the_text_along():
    [receipt] = decode_delivery(DeliverSm(source_addr_ton=1, source_addr="861", short_message=FULL))
    assert isinstance(receipt, Receipt)
    assert receipt.otherwise is not None
    assert (receipt.otherwise.sender, receipt.otherwise.payload) == ("+861", FULL)
