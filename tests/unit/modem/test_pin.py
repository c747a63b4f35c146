import pytest

from drivers.modem.pin import PinLedger

pytestmark = pytest.mark.unit


def test_a_pin_is_spent_from_before_it_is_written_until_it_is_accepted():
    pins = PinLedger()
    assert pins.may_enter("sim-1", "1234")
    pins.spend("sim-1", "1234")
    assert not pins.may_enter("sim-1", "1234")
    pins.accept("sim-1", "1234")
    assert pins.may_enter("sim-1", "1234")


def test_another_channel_or_a_corrected_pin_is_not_concerned():
    pins = PinLedger()
    pins.spend("sim-1", "1234")
    assert pins.may_enter("sim-2", "1234")
    assert pins.may_enter("sim-1", "4321")


def test_the_pin_itself_is_not_kept():
    pins = PinLedger()
    pins.spend("sim-1", "1234")
    assert b"1234" not in b"".join(pins._spent)
