import pytest

from drivers.modem.bringup.pin import PinLedger

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


def test_the_next_process_knows_and_nobody_else_may_look(tmp_path):
    path = tmp_path / "h.db.pins"
    PinLedger(path).spend("sim-1", "1234")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "1234" not in path.read_text().split()
    later = PinLedger(path)
    assert not later.may_enter("sim-1", "1234")
    later.accept("sim-1", "1234")
    assert PinLedger(path).may_enter("sim-1", "1234")


def test_a_pin_that_cannot_be_recorded_is_not_spent(tmp_path):
    pins = PinLedger(tmp_path / "gone" / "pins")
    with pytest.raises(OSError, match="No such file"):
        pins.spend("sim-1", "1234")
    assert pins.may_enter("sim-1", "1234")


def test_a_pin_that_the_sim_refused_stays_refused_whoever_opened_it(tmp_path):
    path = tmp_path / "h.db.pins"
    pins = PinLedger(path)
    pins.spend("sim-1", "1234")
    pins.refuse("sim-1", "1234")
    pins.accept("sim-1", "1234")
    assert not pins.may_enter("sim-1", "1234")
    later = PinLedger(path)
    later.accept("sim-1", "1234")
    assert not PinLedger(path).may_enter("sim-1", "1234")
    assert PinLedger(path).may_enter("sim-1", "4321")
    assert "1234" not in path.read_text().replace(":", " ").split()
