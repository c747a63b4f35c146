"""Which port of which stick is taken, what doctor says about it, and the udev rules that go with it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from gateway.cli.doctor import examine_modems, examine_sticks, why_closed
from gateway.runtime.first_start import describe_start, describe_sticks, with_sticks
from gateway.runtime.settings import ModemSettings, Settings
from gateway.runtime.sticks import VENDORS, Stick, group_ports, stable_path

pytestmark = pytest.mark.unit


def port(
    device: str, vid: int | None, location: str | None = None, product: str | None = None
) -> ListPortInfo:
    info = ListPortInfo(device)
    info.vid, info.pid, info.location, info.product = vid, 0x1001 if vid else None, location, product
    return info


HUAWEI = [port(f"/dev/ttyUSB{i}", 0x12D1, f"1-1.1:1.{i}", "HUAWEI Mobile") for i in (2, 1, 0)]
QUECTEL = [port(f"/dev/ttyUSB{i + 3}", 0x2C7C, f"1-1.2:1.{i}") for i in range(4)]
ADAPTER = [port("/dev/ttyUSB9", 0x1A86, "1-1.3", "USB Serial")]
BOARD = [port("/dev/ttyS0", None)]


def test_one_channel_for_each_stick_on_its_likely_at_port() -> None:
    sticks = group_ports([*QUECTEL, *ADAPTER, *BOARD, *HUAWEI])
    assert [(s.vendor, s.at_port, len(s.ports)) for s in sticks] == [
        ("Huawei", "/dev/ttyUSB0", 3),
        ("Quectel", "/dev/ttyUSB5", 4),
        (None, "/dev/ttyUSB9", 1),
    ]
    settings = with_sticks(Settings(), sticks)
    assert [(m.name, m.port) for m in settings.modems] == [
        ("modem-1", "/dev/ttyUSB0"),
        ("modem-2", "/dev/ttyUSB5"),
    ]


def test_what_was_found_is_said_plainly() -> None:
    lines = describe_sticks(group_ports([*HUAWEI, *ADAPTER]), simulated=False)
    assert lines == [
        "found Huawei HUAWEI Mobile (12d1:1001) at /dev/ttyUSB0: taken as a modem",
        (
            "found unknown maker USB Serial (1a86:1001) at /dev/ttyUSB9: left alone: not known as a modem; "
            "name it in a config file"
        ),
    ]
    assert "SIMULATED" in describe_sticks([], simulated=True)[-1]


def test_a_first_start_shows_the_key_alone_on_its_line_and_a_line_that_sends() -> None:
    text = describe_start("http://127.0.0.1:8080", "hy_abc", simulated=True)
    assert [line.strip() for line in text].count("hy_abc") == 1
    assert any("curl http://127.0.0.1:8080/v1/messages" in line and "Bearer hy_abc" in line for line in text)
    later = "\n".join(describe_start("http://127.0.0.1:8080", None, simulated=False))
    assert "hongyan keys create" in later
    assert "+8613900139000" not in later, "an example must not be a stranger's number when modems are real"


def stick(at_port: Path | str) -> Stick:
    return Stick(
        at_port=str(at_port), ports=(str(at_port),), vendor="Huawei", product="E173", usb_id="12d1:1001"
    )


def test_doctor_on_a_usable_stick(tmp_path: Path) -> None:
    tty = tmp_path / "ttyUSB0"
    tty.touch()
    (unnamed,) = examine_sticks([stick(tty)], ())
    assert unnamed == (
        True, f'Huawei E173 (12d1:1001) at {tty}: usable; to use it, add [[modems]] with port = "{tty}"'
    )  # fmt: skip
    (named,) = examine_sticks([stick(tty)], (ModemSettings(name="sim-1", port=str(tty)),))
    assert named == (True, f"Huawei E173 (12d1:1001) at {tty}: usable, and in the config")


def test_doctor_on_nothing_and_on_what_is_missing(tmp_path: Path) -> None:
    ((good, line),) = examine_sticks([], ())
    assert (good, line.split(",")[0]) == (False, "no USB serial device is plugged in")
    gone = tmp_path / "ttyUSB7"
    ((good, line),) = examine_modems([], (ModemSettings(name="sim-1", port=str(gone)),))
    assert (good, line) == (
        False,
        f"modem sim-1 in the config: {gone} is not there; plug the modem in, or correct port",
    )


def test_doctor_on_a_port_that_belongs_to_another_group(tmp_path: Path, monkeypatch) -> None:
    tty = tmp_path / "ttyUSB0"
    tty.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may do all, so we ask as if we were not
    assert re.fullmatch(
        r"no permission; run `sudo usermod -aG \S+ \$USER` and log in again", why_closed(str(tty)) or ""
    )


def test_a_stable_name_is_preferred(tmp_path: Path) -> None:
    tty, folder = tmp_path / "ttyUSB0", tmp_path / "by-path"
    tty.touch()
    assert stable_path(str(tty), folder) == str(tty)
    folder.mkdir()
    (folder / "usb-1").symlink_to(tty)
    assert stable_path(str(tty), folder) == str(folder / "usb-1")


RULES = (Path(__file__).parents[2] / "systemd" / "70-hongyan-modems.rules").read_text().splitlines()


def test_the_udev_rules_are_well_formed_and_know_the_same_vendors() -> None:
    pair = r'[A-Z_]+(\{[A-Za-z_]+\})?(==|!=|\+=|:=|=)"[^"]*"'
    labels, jumps, vendors = set(), set(), set()
    for line in RULES:
        if not line or line.startswith("#"):
            continue
        assert re.fullmatch(rf"{pair}(, {pair})*", line), line
        labels |= set(re.findall(r'LABEL="(\w+)"', line))
        jumps |= set(re.findall(r'GOTO="(\w+)"', line))
        vendors |= {int(vid, 16) for vid in re.findall(r'idVendor\}=="(\w+)"', line)}
    assert jumps <= labels
    assert vendors == set(VENDORS)
