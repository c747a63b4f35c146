"""TP-DCS: all 256 values, against the groups of the spec written out."""

from __future__ import annotations

import pytest

from drivers.base import Encoding
from drivers.codec.dcs import Dcs, decode_dcs, encode_dcs

pytestmark = pytest.mark.unit

GSM7, UCS2, BINARY = Encoding.GSM7, Encoding.UCS2, Encoding.BINARY


@pytest.mark.parametrize("base", [0x00, 0x40])  # general data coding, and the same for automatic deletion
def test_general_data_coding(base: int) -> None:
    for bits, encoding in ((0x0, GSM7), (0x4, BINARY), (0x8, UCS2)):
        assert {decode_dcs(base | bits | low) for low in range(4)} == {Dcs(encoding=encoding)}
        for message_class in range(4):
            dcs = decode_dcs(base | 0x10 | bits | message_class)
            assert dcs == Dcs(encoding=encoding, message_class=message_class)
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
    assert decode_dcs(tp_dcs) == decode_dcs(0)


def test_message_waiting() -> None:
    assert {decode_dcs(tp_dcs) for tp_dcs in range(0xC0, 0xE0)} == {Dcs(encoding=GSM7)}
    assert {decode_dcs(tp_dcs) for tp_dcs in range(0xE0, 0xF0)} == {Dcs(encoding=UCS2)}


def test_group_f() -> None:
    for low in range(16):
        assert decode_dcs(0xF0 | low) == Dcs(encoding=BINARY if low & 4 else GSM7, message_class=low & 3)


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("flash", [False, True])
def test_what_we_write_we_read(encoding: Encoding, flash: bool) -> None:
    dcs = decode_dcs(encode_dcs(encoding, flash=flash))
    assert (dcs.encoding, dcs.flash, dcs.compressed) == (encoding, flash, False)
