"""Which port of which stick is taken, what doctor says about it, and the udev rules that go with it."""

from __future__ import annotations

import asyncio
import grp
import os
import re
from pathlib import Path

import pytest

from drivers.at.responses import StorageUse
from drivers.modem.find.checkup import NO_SIM, Checkup
from drivers.modem.find.usb import VENDORS, scan
from gateway.doctor import examination
from gateway.doctor.examination import Subject, examine, judge
from gateway.doctor.obstacles import explain_rights, find_holder, modem_manager_meddles, why_closed
from gateway.doctor.sticks import likely_port, stable_path
from gateway.runtime.first_start import describe_start, describe_sticks, find_command, with_sticks
from gateway.settings.config import ModemSettings, Settings
from gateway.settings.secrets import Secret
from tests.support.fake_usb import FakeUsb

pytestmark = pytest.mark.unit


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    return FakeUsb(tmp_path)


def ttys(*names: str) -> dict[int, tuple[str, Path]]:
    return {n: (name, Path("/dev/null")) for n, name in enumerate(names)}


def test_one_channel_for_each_stick_on_its_likely_at_port(usb: FakeUsb) -> None:
    usb.plug("1-1.1", "12d1:1001", ttys("ttyUSB0", "ttyUSB1", "ttyUSB2"), product="HUAWEI Mobile")
    usb.plug("1-1.2", "2c7c:0125", ttys("ttyUSB3", "ttyUSB4", "ttyUSB5", "ttyUSB6"))
    usb.plug("1-1.3", "1a86:7523", ttys("ttyUSB9"), product="USB Serial")
    sticks = scan(usb.sysfs, Path("/dev"))
    assert [(s.vendor, likely_port(s), len(s.ttys)) for s in sticks] == [
        ("Huawei", "/dev/ttyUSB0", 3),
        ("Quectel", "/dev/ttyUSB5", 4),
        (None, "/dev/ttyUSB9", 1),
    ]
    settings = with_sticks(Settings(), sticks)
    assert [(m.name, m.usb) for m in settings.modems] == [("modem-1", "1-1.1"), ("modem-2", "1-1.2")]


def test_what_was_found_is_said_plainly(usb: FakeUsb) -> None:
    usb.plug("1-1.1", "12d1:1001", ttys("ttyUSB0"), product="HUAWEI Mobile")
    usb.plug("1-1.3", "1a86:7523", ttys("ttyUSB9"), product="USB Serial")
    usb.plug("1-1.4", "12d1:1446", {}, interface_class="08", product="Mass Storage")
    assert describe_sticks(scan(usb.sysfs, Path("/dev")), simulated=False) == [
        "found Huawei HUAWEI Mobile (12d1:1001) at /dev/ttyUSB0: taken as a modem",
        (
            "found unknown maker USB Serial (1a86:7523) at /dev/ttyUSB9: left alone: not known as a modem; "
            "name it in a config file"
        ),
        (
            "found Huawei Mass Storage (12d1:1446): it shows itself as a disk; "
            "`hongyan doctor` says what to do"
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
    here = "\n".join(describe_start("http://h", "hy_abc", simulated=True, command=".venv/bin/hongyan"))
    assert "HONGYAN_KEY=hy_abc .venv/bin/hongyan send" in here


@pytest.mark.parametrize(
    ("started_as", "on_path", "typed"),
    [
        (".venv/bin/hongyan", None, ".venv/bin/hongyan"),
        (".venv/bin/hongyan", "/usr/bin/hongyan", "hongyan"),
        ("/usr/lib/python3/site-packages/gateway/__main__.py", None, "hongyan"),
    ],
)
def test_what_is_shown_can_be_typed(monkeypatch, started_as, on_path, typed) -> None:
    monkeypatch.setattr("sys.argv", [started_as, "serve"])
    monkeypatch.setattr("shutil.which", lambda _name: on_path)
    assert find_command() == typed


FIT = Checkup(
    maker="huawei", model="E173", imei="861696001234567", iccid="89860012345678901234", sim="READY",
    registration=1, operator="CHINA MOBILE", signal_dbm=-73, has_smsc=True,
    storage=StorageUse(name="SM", n_used=1, n_total=50),
)  # fmt: skip
SIM_1 = ModemSettings(name="sim-1", port="/dev/ttyUSB0")


def said(checkup: Checkup, modem: ModemSettings | None = SIM_1) -> list[tuple[bool, str]]:
    return [(good, line) for good, line in judge(Subject("X", "/dev/ttyUSB0", None, modem), checkup)]


def changed(**facts) -> Checkup:
    return Checkup(**{name: getattr(FIT, name) for name in FIT.__slots__} | facts)


def test_doctor_on_a_usable_stick_shows_who_and_where_it_is() -> None:
    assert said(FIT) == [(
        True,
        "X: huawei E173, CHINA MOBILE, -73 dBm, IMEI 861696001234567, SIM that ends in 1234: usable, in the config",
    )]  # fmt: skip
    ((good, line),) = said(FIT, None)
    assert good
    assert line.endswith('usable, to use it, add [[modems]] with port = "/dev/ttyUSB0"')


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"sim": "SIM PIN"}, ("PIN", "pin_file")),
        ({"sim": "SIM PUK"}, ("PUK", "telephone")),
        ({"sim": NO_SIM}, ("no SIM", "put one in")),
        ({"sim": None}, ("does not answer", "put it in again")),
        ({"sim": "PH-NET PIN"}, ("PH-NET PIN", "unlock")),
        ({"sim": "NOT READY"}, ("not ready", "try again")),
        ({"registration": 2, "signal_dbm": None}, ("no network (searching)", "antenna")),
        ({"registration": 2, "signal_dbm": -111}, ("no network (searching)", "antenna")),
        (
            {"registration": 2, "signal_dbm": -71},
            ("no network (searching)", "the signal is good", "paid for"),
        ),
        ({"registration": 3, "signal_dbm": -111}, ("no network (denied)", "refuses this SIM", "paid for")),
        ({"has_smsc": False}, ("no service centre", 'smsc = "+..."')),
        ({"storage": StorageUse(name="SM", n_used=50, n_total=50)}, ("full (50 messages)", "hongyan serve")),
    ],
)
def test_doctor_names_what_stands_in_the_way_and_what_mends_it(facts, words) -> None:
    bad = [line for good, line in said(changed(**facts)) if not good]
    assert len(bad) == 1
    assert all(word in bad[0] for word in words), bad


def test_what_the_config_mends_already_is_no_trouble() -> None:
    with_pin = ModemSettings(name="a", port="/dev/x", pin=Secret("1234"), smsc="+8613800210500")
    assert all(good for good, _ in said(changed(sim="SIM PIN"), with_pin))
    assert all(good for good, _ in said(changed(has_smsc=False), with_pin))
    abroad = changed(registration=5)
    assert all(good for good, _ in said(abroad))
    assert not all(good for good, _ in said(abroad, ModemSettings(name="a", port="/dev/x", roaming=False)))


def examined(usb: FakeUsb, *modems: ModemSettings) -> list[tuple[bool, str]]:
    findings = asyncio.run(examine(scan(usb.sysfs, usb.dev), modems))
    return [(good, line) for good, line in findings]


def test_doctor_on_nothing_and_on_what_is_missing(usb: FakeUsb, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(examination, "SYSFS_USB", tmp_path / "none")
    ((good, line),) = examined(usb)
    assert (good, "a container" in line, "plug" in line) == (False, True, False), line
    monkeypatch.setattr(examination, "SYSFS_USB", tmp_path)
    ((good, line),) = examined(usb)
    assert (good, line.split(",")[0]) == (False, "no USB serial device is plugged in")
    gone = tmp_path / "ttyUSB7"
    ((good, line),) = examined(usb, ModemSettings(name="sim-1", port=str(gone)))
    assert not good
    assert line.endswith(f"{gone} is not there; plug the modem in, or correct port")
    for modem in (
        ModemSettings(name="sim-1", imei="861696001234567"),
        ModemSettings(name="sim-1", iccid="89860012345678901234"),
        ModemSettings(name="sim-1", usb="1-7"),
    ):
        assert "was found; plug it in" in examined(usb, modem)[-1][1]


def test_doctor_on_a_stick_that_is_a_disk(usb: FakeUsb) -> None:
    usb.plug("1-1.4", "12d1:1446", {}, interface_class="08", product="Mass Storage")
    ((good, line),) = examined(usb)
    assert not good
    assert "usb-modeswitch" in line


def test_a_port_that_another_program_holds_is_told_with_its_name(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    proc = tmp_path / "proc"
    for pid, words in (
        (17, ["/usr/sbin/ModemManager"]),
        (18, ["/usr/bin/python3", "/opt/x/bin/hongyan", "serve"]),
    ):
        (proc / str(pid) / "fd").mkdir(parents=True)
        (proc / str(pid) / "cmdline").write_text("\0".join(words) + "\0")
        (proc / str(pid) / "comm").write_text(Path(words[0]).name + "\n")
    assert find_holder(str(port), proc) is None
    (proc / "18/fd/5").symlink_to(port)
    holder = find_holder(str(port), proc)
    assert holder is not None
    assert (holder.pid, holder.name, holder.is_ours) == (18, "hongyan", True)
    (proc / "17/fd/9").symlink_to(port)
    holder = find_holder(str(port), proc)
    assert holder is not None
    assert (holder.pid, holder.name, holder.is_ours) == (17, "ModemManager", False)
    rules = tmp_path / "rules.d"
    rules.mkdir()
    assert modem_manager_meddles(proc, (rules,))
    (rules / "70-hongyan-modems.rules").touch()
    assert not modem_manager_meddles(proc, (rules,))


def test_a_service_that_holds_a_port_is_stopped_and_not_killed(tmp_path: Path) -> None:
    """systemd would start again what is only killed."""
    port, proc = tmp_path / "ttyUSB0", tmp_path / "proc"
    port.touch()
    for cgroup, remedy in (
        ("0::/system.slice/gpsd.service\n", "`sudo systemctl disable --now gpsd.service`"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/tmux.scope\n", "`kill 17`"),
    ):
        (proc / "17/fd").mkdir(parents=True, exist_ok=True)
        (proc / "17/fd/9").unlink(missing_ok=True)
        (proc / "17/fd/9").symlink_to(port)
        (proc / "17/cmdline").write_text("/usr/sbin/gpsd\0")
        (proc / "17/cgroup").write_text(cgroup)
        holder = find_holder(str(port), proc)
        assert holder is not None
        assert remedy in holder.remedy


def _status(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((0o020000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


def test_the_right_to_a_device_is_gained_by_whose_it_is(monkeypatch) -> None:
    """Nobody is told to join root's group, or a group that may not use the device, or one that he is in already."""
    dialout = grp.getgrnam("dialout").gr_gid
    path = Path("/dev/ttyUSB0")
    assert "`sudo usermod -aG dialout daemon` and log in again" in explain_rights(
        path, _status(0o660, 0, dialout), "daemon"
    )
    for mode, gid in ((0o600, 0), (0o660, 0), (0o600, dialout), (0o640, dialout)):
        advice = explain_rights(path, _status(mode, 0, gid), "daemon")
        assert "usermod -aG root" not in advice
        assert "`sudo chgrp dialout /dev/ttyUSB0 && sudo chmod 660 /dev/ttyUSB0`" in advice
    monkeypatch.setattr(os, "getgrouplist", lambda _user, _gid: [dialout])
    advice = explain_rights(path, _status(0o660, 0, dialout), "daemon")
    assert "log out and in again" in advice
    assert "usermod" not in advice


def test_what_is_no_serial_port_is_not_called_forbidden(tmp_path: Path) -> None:
    assert why_closed(str(tmp_path)) == f"{tmp_path} is no serial port; correct port"
    assert why_closed("/dev/null") is None
    gone = tmp_path / "by-id"
    gone.symlink_to(tmp_path / "ttyUSB9")
    assert "plug the modem in" in (why_closed(str(gone)) or "")


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
