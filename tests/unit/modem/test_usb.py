"""Sticks as sysfs shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.modem.find.usb import scan
from tests.support.fake_usb import FakeUsb

pytestmark = pytest.mark.unit


def test_the_ports_of_one_stick_are_grouped_and_others_left_out(tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path)
    nowhere = tmp_path / "pts"
    usb.plug("1-1.10", "2c7c:0125", {n: (f"ttyUSB{n + 3}", nowhere) for n in range(4)}, product="EC25")
    usb.plug(
        "1-1.2", "12d1:1001", {2: ("ttyUSB2", nowhere), 0: ("ttyUSB0", nowhere)}, product="HUAWEI Mobile"
    )
    usb.plug("2-1", "1bc7:0021", {0: ("ttyACM0", nowhere)})
    usb.plug("1-3", "19d2:2000", {}, interface_class="08")
    usb.plug("1-4", "0951:1666", {}, interface_class="08", product="A real disk")
    sticks = scan(usb.sysfs, usb.dev)
    assert [(s.usb, s.vendor, s.usb_id, [t.interface for t in s.ttys], s.only_storage) for s in sticks] == [
        ("1-1.2", "Huawei", "12d1:1001", [0, 2], False),
        ("1-1.10", "Quectel", "2c7c:0125", [0, 1, 2, 3], False),
        ("1-3", "ZTE", "19d2:2000", [], True),
        ("2-1", "Telit", "1bc7:0021", [0], False),
    ]
    assert sticks[0].ttys[0].path == str(usb.dev / "ttyUSB0")
    assert [s.is_modem for s in sticks] == [True, True, False, True]


def test_a_machine_without_usb_has_none(tmp_path: Path) -> None:
    assert scan(tmp_path, tmp_path) == []
