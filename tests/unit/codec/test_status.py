"""TP-ST: every one of 256 values has a state, by name, by group or by the rule for reserved ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.base import ReceiptState
from drivers.codec.status import Status, Verdict, classify_tp_st, describe_message_state, describe_tp_st
from drivers.smpp.wire.constants import MessageState

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


@pytest.mark.parametrize(
    ("values", "verdict", "final"),
    [
        ([0x00], Verdict.DELIVERED, True),
        ([0x01, *range(0x20, 0x26), *range(0x30, 0x40)], Verdict.TEMPORARY, False),
        ([0x02, *range(0x40, 0x4A), *range(0x50, 0x60)], Verdict.PERMANENT, True),
        ([*range(0x10, 0x20), *range(0x60, 0x66), *range(0x70, 0x80)], Verdict.TEMPORARY, True),
        (
            [*range(0x03, 0x10), *range(0x26, 0x30), *range(0x4A, 0x50), *range(0x66, 0x70)],
            Verdict.TEMPORARY,
            True,
        ),
        (range(0x80, 0x100), Verdict.TEMPORARY, True),
    ],
)
def test_verdicts_follow_the_groups_of_the_spec(values: list[int], verdict: Verdict, final: bool) -> None:
    assert {(describe_tp_st(tp_st).verdict, describe_tp_st(tp_st).final) for tp_st in values} == {
        (verdict, final)
    }


@pytest.mark.parametrize("describe", [describe_tp_st, describe_message_state])
def test_all_256_values_have_a_code_of_their_own_and_words_for_people(
    describe: Callable[[int], Status],
) -> None:
    statuses = [describe(value) for value in range(256)]
    assert len({status.code for status in statuses}) == 256
    for status in statuses:
        assert status.reason.replace("_", "").isalpha()
        assert status.reason == status.reason.lower()
        assert status.sentence[0].isupper()
        assert status.sentence.endswith(".")
        assert (status.verdict is Verdict.DELIVERED) == (status.state is DELIVERED)
        assert not (status.state is ENROUTE and status.final)


@pytest.mark.parametrize(
    ("message_state", "verdict", "final"),
    [
        (MessageState.SCHEDULED, Verdict.TEMPORARY, False),
        (MessageState.ENROUTE, Verdict.TEMPORARY, False),
        (MessageState.DELIVERED, Verdict.DELIVERED, True),
        (MessageState.EXPIRED, Verdict.PERMANENT, True),
        (MessageState.DELETED, Verdict.PERMANENT, True),
        (MessageState.UNDELIVERABLE, Verdict.PERMANENT, True),
        (MessageState.ACCEPTED, Verdict.TEMPORARY, False),
        (MessageState.UNKNOWN, Verdict.TEMPORARY, False),
        (MessageState.REJECTED, Verdict.PERMANENT, True),
        (MessageState.SKIPPED, Verdict.PERMANENT, True),
        (10, Verdict.TEMPORARY, False),
        (255, Verdict.TEMPORARY, False),
    ],
)
def test_states_of_smpp(message_state: int, verdict: Verdict, final: bool) -> None:
    status = describe_message_state(message_state)
    assert (status.verdict, status.final) == (verdict, final)
