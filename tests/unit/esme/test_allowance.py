"""What an account may submit: by messages, whatever PDUs they come in, and long texts whole."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.fields import SmeAddress
from drivers.smpp.wire.pdus import SubmitMulti, SubmitSm
from gateway.esme.allowance import AccountState
from tests.support.smpp_application import LONG, account, parts_of, submit

pytestmark = pytest.mark.unit


def multi(n: int) -> SubmitMulti:
    return SubmitMulti(dest_addresses=tuple(SmeAddress(1, 1, f"86138001380{i:02}") for i in range(n)))


def state(**rights: Any) -> AccountState:
    return AccountState.of(account(**rights), 0.0)


def test_each_destination_of_submit_multi_is_paid_for():
    shop = state(rate_per_s=10)
    assert shop.refuse(multi(50), 0.0) is None  # it begins within the rate, and what comes behind it pays
    for now, answer in ((1.0, CommandStatus.RTHROTTLED), (3.9, CommandStatus.RTHROTTLED), (4.2, None)):
        assert shop.refuse(submit(), now) is answer


def test_messages_in_hand_count_as_waiting():
    shop = state(max_waiting=100)
    shop.waiting, shop.in_hand = 50, 49
    assert shop.refuse(submit(), 0.0) is None
    shop.in_hand = 50
    assert shop.refuse(submit(), 0.0) is CommandStatus.RMSGQFUL


def refusals(shop: AccountState, bodies: list[SubmitSm], now: float = 0.0) -> list[CommandStatus | None]:
    return [shop.refuse(body, now) for body in bodies]


def test_a_text_that_has_begun_is_taken_whole_and_paid_for():
    shop, parts = state(rate_per_s=1), parts_of(LONG)
    assert refusals(shop, parts) == [None] * len(parts)
    assert refusals(shop, parts_of(LONG, reference=8), 1.0) == [CommandStatus.RTHROTTLED] * len(parts)
    assert shop.refuse(submit(), len(parts) + 0.1) is None


def test_the_same_part_again_is_no_other_part():
    shop, parts = state(rate_per_s=1), parts_of(LONG)
    assert refusals(shop, [parts[0]] * 3) == [None, CommandStatus.RTHROTTLED, CommandStatus.RTHROTTLED]
    assert shop.refuse(parts[1], 0.0) is None


def test_a_text_does_not_go_on_for_ever():
    shop, parts = state(rate_per_s=1), parts_of(LONG)
    assert shop.refuse(parts[0], 0.0) is None
    assert shop.refuse(submit(), 60.5) is None
    assert shop.refuse(parts[1], 60.5) is CommandStatus.RTHROTTLED
