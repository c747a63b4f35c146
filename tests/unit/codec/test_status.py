"""TP-ST: every one of 256 values has a state, by name, by group or by the rule for reserved ones."""

from __future__ import annotations

import pytest

from drivers.base import ReceiptState
from drivers.codec.status import classify_tp_st

pytestmark = pytest.mark.unit

DELIVERED, ENROUTE, EXPIRED = ReceiptState.DELIVERED, ReceiptState.ENROUTE, ReceiptState.EXPIRED
REJECTED, UNDELIVERABLE, DELETED = ReceiptState.REJECTED, ReceiptState.UNDELIVERABLE, ReceiptState.DELETED
UNKNOWN = ReceiptState.UNKNOWN


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ([0x00], DELIVERED),
        ([0x01], ENROUTE),
        ([0x02, 0x47, 0x48], DELETED),
        (range(0x10, 0x20), UNKNOWN),
        (range(0x20, 0x26), ENROUTE),
        (range(0x30, 0x40), ENROUTE),
        ([0x40, 0x41, 0x43, 0x44, 0x45], UNDELIVERABLE),
        ([0x42, 0x63], REJECTED),
        ([0x46], EXPIRED),
        ([0x49], UNKNOWN),
        (range(0x50, 0x60), UNDELIVERABLE),
        ([0x60, 0x61, 0x62, 0x64, 0x65], UNDELIVERABLE),
        (range(0x70, 0x80), UNDELIVERABLE),
        ([*range(0x03, 0x10), *range(0x26, 0x30), *range(0x4A, 0x50), *range(0x66, 0x70)], REJECTED),
        (range(0x80, 0x100), REJECTED),
    ],
)
def test_states(values: list[int], state: ReceiptState) -> None:
    assert {classify_tp_st(tp_st)[0] for tp_st in values} == {state}


def test_only_zero_is_a_delivery() -> None:
    assert [tp_st for tp_st in range(256) if classify_tp_st(tp_st)[0] is DELIVERED] == [0]


def test_codes_for_logs() -> None:
    assert classify_tp_st(0x00)[1] == "tp_st_0x00"
    assert classify_tp_st(0x41)[1] == "tp_st_0x41"
    assert classify_tp_st(0xFF)[1] == "tp_st_0xff"


def test_not_an_octet() -> None:
    assert classify_tp_st(256)[0] is UNKNOWN
