"""A received TPDU as the gateway gets it: readable without its header, whatever that says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from drivers.base import Concat, Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.national_tables import Language
from drivers.codec.shifts import national_elements
from drivers.codec.tpdu import SmsDeliver, encode_deliver
from drivers.codec.udh import concat_element, encode_udh
from drivers.inbound_kind import InboundKind
from drivers.modem.messages.received import event_of

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 21, tzinfo=UTC)


def received(encoding: Encoding, payload: bytes, udh: bytes) -> InboundPart:
    event = event_of(
        encode_deliver(
            SmsDeliver(tp_oa="+905321234567", tp_scts=AT, encoding=encoding, payload=payload, udh=udh)
        )
    )
    assert isinstance(event, InboundPart)
    return event


def test_text_in_a_national_table_comes_as_characters():
    concat = Concat(reference=7, total=2, part=1)
    udh = encode_udh([concat_element(concat), *national_elements(Language.TURKISH, None)])
    part = received(Encoding.GSM7, encode_gsm7("ışık", locking=Language.TURKISH), udh)
    assert (part.encoding, part.payload.decode("utf-16-be")) == (Encoding.UCS2, "ışık")
    assert part.concat == concat


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, None),
        ({"tp_pid": 0x40}, InboundKind.SILENT),
        ({"tp_pid": 0x41}, None),
        ({"tp_pid": 0x5F}, InboundKind.MESSAGE_WAITING),
        ({"tp_dcs": 0xC8}, InboundKind.MESSAGE_WAITING),
        ({"tp_dcs": 0xC0}, InboundKind.MESSAGE_WAITING),
        ({"tp_dcs": 0xD9}, InboundKind.MESSAGE_WAITING),
        ({"udh": bytes.fromhex("0401020003")}, InboundKind.MESSAGE_WAITING),
    ],
)
def test_what_is_no_message_of_a_person_is_marked(changes, kind):
    pdu = SmsDeliver(tp_oa="1417", tp_scts=AT, encoding=Encoding.GSM7, payload=b"2 voicemails")
    event = event_of(encode_deliver(replace(pdu, **changes)))
    assert isinstance(event, InboundPart)
    assert event.kind is kind


def test_a_broken_header_is_told_in_the_log_and_the_text_is_kept(caplog):
    part = received(Encoding.UCS2, "你好".encode("utf-16-be"), bytes.fromhex("0300050a"))
    assert part.payload.decode("utf-16-be") == "你好"
    assert "broken header" in caplog.text
    assert "你好" not in caplog.text
