"""PIN, PUK and slots of the simulated SIM."""

from __future__ import annotations

import pytest

from simulators.modem.sim_card import Lock, SimCard, SlotStatus, Storage, StoredMessage, with_check_digit

pytestmark = pytest.mark.unit

NUMBER = "+8613800138000"


def wrong(card: SimCard, times: int) -> None:
    for _ in range(times):
        assert not card.enter_pin("9999")


def test_a_card_without_pin_is_open():
    assert SimCard(NUMBER).lock is Lock.READY


def test_a_right_pin_opens_and_gives_the_attempts_back():
    card = SimCard(NUMBER, pin="1234")
    wrong(card, 2)
    assert card.lock is Lock.PIN
    assert card.enter_pin("1234")
    assert (card.lock, card.pin_attempts_left) == (Lock.READY, 3)


def test_wrong_attempts_survive_a_power_cycle():
    card = SimCard(NUMBER, pin="1234")
    wrong(card, 2)
    card.power_cycle()
    assert card.pin_attempts_left == 1
    wrong(card, 1)
    card.power_cycle()
    assert card.lock is Lock.PUK


def test_the_puk_sets_a_new_pin():
    card = SimCard(NUMBER, pin="1234", puk="11112222")
    wrong(card, 3)
    assert not card.enter_puk("00000000", "5678")
    assert card.enter_puk("11112222", "5678")
    card.power_cycle()
    assert card.lock is Lock.PIN
    assert card.enter_pin("5678")


def test_ten_wrong_puks_kill_the_card():
    card = SimCard(NUMBER, pin="1234")
    wrong(card, 3)
    for _ in range(10):
        assert not card.enter_puk("00000000", "5678")
    assert card.lock is Lock.DEAD


def test_slots_are_taken_from_the_lowest_and_end():
    box = Storage("SM", 2, 1)
    assert [box.add(StoredMessage(SlotStatus.REC_UNREAD, b"")) for _ in "abc"] == [1, 2, None]
    assert box.full
    del box.slots[1]
    assert box.add(StoredMessage(SlotStatus.REC_UNREAD, b"")) == 1


def test_identities_carry_their_check_digit():
    card = SimCard(NUMBER)
    assert len(card.iccid) == 20
    assert with_check_digit(card.iccid[:-1]) == card.iccid
    assert (len(card.imsi), card.imsi[:5]) == (15, "46000")
