"""TP-DCS: all 256 values, against the groups of the spec written out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drivers.base import Encoding
from drivers.codec.dcs import Dcs, MessageWaiting, WaitingKind, decode_dcs, encode_dcs
from drivers.errors import EncodeError

pytestmark = pytest.mark.unit

GSM7, UCS2, BINARY = Encoding.GSM7, Encoding.UCS2, Encoding.BINARY


@pytest.mark.parametrize("base", [0x00, 0x40])  # general data coding, and the same for automatic deletion
def test_general_data_coding(base: int) -> None:
    for bits, encoding in ((0x0, GSM7), (0x4, BINARY), (0x8, UCS2)):
        plain = Dcs(encoding=encoding, auto_delete=base == 0x40)
        assert {decode_dcs(base | bits | low) for low in range(4)} == {plain}
        for message_class in range(4):
            dcs = decode_dcs(base | 0x10 | bits | message_class)
            assert dcs == replace(plain, message_class=message_class)
            assert dcs.flash == (message_class == 0)


@pytest.mark.parametrize("base", [0x20, 0x30, 0x60, 0x70])
def test_compressed_text_is_octets_to_us(base: int) -> None:
    for low in range(0x0C):
        dcs = decode_dcs(base | low)
        assert (dcs.encoding, dcs.compressed) == (BINARY, True)


@pytest.mark.parametrize(
    "tp_dcs",
    [base | low for base in range(0x00, 0x80, 0x10) for low in range(0xC, 0x10)] + list(range(0x80, 0xC0)),
)
def test_reserved_codings_are_plain_gsm7(tp_dcs: int) -> None:
    assert decode_dcs(tp_dcs) == Dcs(encoding=GSM7, reserved=True)


@pytest.mark.parametrize(
    ("group", "encoding", "store"), [(0xC0, GSM7, False), (0xD0, GSM7, True), (0xE0, UCS2, True)]
)
@pytest.mark.parametrize("reserved_bit", [0, 4])
def test_message_waiting(group: int, encoding: Encoding, store: bool, reserved_bit: int) -> None:
    for kind in WaitingKind:
        for active in (False, True):
            waiting = MessageWaiting(kind=kind, active=active, store=store)
            tp_dcs = group | active << 3 | kind
            assert decode_dcs(tp_dcs | reserved_bit) == Dcs(encoding=encoding, waiting=waiting)
            assert encode_dcs(encoding, waiting=waiting) == tp_dcs


VOICEMAIL = MessageWaiting(kind=WaitingKind.VOICEMAIL, active=True, store=False)


@pytest.mark.parametrize(
    ("encoding", "change"),
    [
        (UCS2, {"waiting": VOICEMAIL}),  # no group is UCS-2 and discarded
        (BINARY, {"waiting": replace(VOICEMAIL, store=True)}),
        (GSM7, {"waiting": VOICEMAIL, "flash": True}),
        (GSM7, {"waiting": VOICEMAIL, "auto_delete": True}),
        (GSM7, {"message_class": 4}),
    ],
)
def test_what_no_octet_says(encoding: Encoding, change: dict[str, Any]) -> None:
    with pytest.raises(EncodeError):
        encode_dcs(encoding, **change)


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("message_class", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("auto_delete", [False, True])
def test_general_group_both_ways(encoding: Encoding, message_class: int | None, auto_delete: bool) -> None:
    tp_dcs = encode_dcs(encoding, message_class=message_class, auto_delete=auto_delete)
    assert decode_dcs(tp_dcs) == Dcs(encoding=encoding, message_class=message_class, auto_delete=auto_delete)


def test_group_f() -> None:
    for low in range(16):
        assert decode_dcs(0xF0 | low) == Dcs(encoding=BINARY if low & 4 else GSM7, message_class=low & 3)


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("flash", [False, True])
def test_what_we_write_we_read(encoding: Encoding, flash: bool) -> None:
    dcs = decode_dcs(encode_dcs(encoding, flash=flash))
    assert (dcs.encoding, dcs.flash, dcs.compressed) == (encoding, flash, False)
