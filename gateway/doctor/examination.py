"""What `hongyan doctor` finds: which modems are there and what stops them from working, with what mends it."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from drivers.at.responses import REGISTRATION_NAMES, ROAMING_STATES
from drivers.at.transport import PortBlocked
from drivers.errors import WireError
from drivers.modem.bringup.steps import may_send
from drivers.modem.find.checkup import NO_SIM, Checkup, check_up
from drivers.modem.find.usb import Stick
from drivers.modem.profile import GENERIC
from gateway.doctor.obstacles import find_holder, modem_manager_meddles, why_closed
from gateway.doctor.sticks import describe_stick, likely_port, profile_of
from gateway.settings.config import ModemSettings

WEAK_DBM = -105
_DENIED = 3
"""<stat> of +CREG (3GPP TS 27.007 7.2)."""
_DEFAULT_BAUDRATE = 115_200
SYSFS_USB = Path("/sys/bus/usb/devices")
_RULES = Path(__file__).parents[2] / "systemd" / "70-hongyan-modems.rules"
"""There in a checkout of the source; not where only the package was installed."""


class Finding(NamedTuple):
    """One line of the answer."""

    good: bool
    line: str


class Subject(NamedTuple):
    """A port to look at, with what is known of it.

    Args:
        what: for people.
        port: takes AT commands, most likely.
        stick: on USB; None for others.
        modem: of the config; None when it names none here.
    """

    what: str
    port: str
    stick: Stick | None
    modem: ModemSettings | None


async def examine(sticks: Sequence[Stick], modems: Sequence[ModemSettings]) -> list[Finding]:
    """Everything there is to say about these sticks and these settings. Cancel: all ports are closed."""
    findings = list(examine_machine(sticks, modems))
    subjects = list(find_subjects(sticks, modems))
    looks = await asyncio.gather(*(examine_port(subject, modems) for subject in subjects))
    for found, _ in looks:
        findings += found
    checkups = [checkup for _, checkup in looks if checkup is not None]
    hidden = any(good for found, checkup in looks if checkup is None for good, _ in found)
    silent = any(not good for found, checkup in looks if checkup is None for good, _ in found)
    for modem in modems:
        what = f"IMEI {modem.imei}" if modem.imei else f"a SIM that ends in {(modem.iccid or '')[-4:]}"
        if (modem.imei or modem.iccid) and not any(_is_who(modem, checkup) for checkup in checkups):
            findings.append(_unseen(modem, what) if hidden else _missing(modem, what, silent=silent))
        if modem.usb and not any(stick.usb == modem.usb for stick in sticks):
            findings.append(_missing(modem, f"USB socket {modem.usb}"))
    return findings


def examine_machine(sticks: Sequence[Stick], modems: Sequence[ModemSettings]) -> Iterator[Finding]:
    """What is plugged in and can't be used as it is, and who else may take it."""
    if not sticks and not any(modem.port for modem in modems):
        yield Finding(False, _no_sticks())
    for stick in sticks:
        if stick.only_storage:
            yield Finding(
                False,
                f"{describe_stick(stick)} in {stick.usb}: it shows itself as a disk, not as a modem; run "
                "`sudo apt install usb-modeswitch` and plug it in again",
            )
        elif not stick.is_modem:
            named = any(_is_of(modem, stick) for modem in modems)
            if not named:
                what = f"{describe_stick(stick)} at {likely_port(stick)}"
                yield Finding(True, f"{what}: not known as a modem; left alone unless the config names it")
    if any(stick.is_modem for stick in sticks) and modem_manager_meddles():
        yield Finding(False, f"ModemManager runs and talks between our commands; {_keep_away()}")


def find_subjects(sticks: Sequence[Stick], modems: Sequence[ModemSettings]) -> Iterator[Subject]:
    """The ports to be asked: those of modems, and those that the config names."""
    asked = set()
    for stick in sticks:
        modem = next((modem for modem in modems if _is_of(modem, stick)), None)
        if stick.ttys and (stick.is_modem or modem):
            port = modem.port if modem and modem.port else likely_port(stick)
            asked.add(os.path.realpath(port))
            yield Subject(f"{describe_stick(stick)} in {stick.usb} at {port}", port, stick, modem)
    for modem in modems:
        if modem.port is not None and os.path.realpath(modem.port) not in asked:
            yield Subject(f"modem {modem.name} in the config at {modem.port}", modem.port, None, modem)


async def examine_port(
    subject: Subject, modems: Sequence[ModemSettings] = ()
) -> tuple[list[Finding], Checkup | None]:
    """Ask one stick, if nothing stands in the way; it may be that of a modem that is named by IMEI or SIM.

    Cancel: the port is closed.
    """
    what, port, modem = subject.what, subject.port, subject.modem
    if trouble := why_closed(port):
        return [Finding(False, f"{what}: {trouble}")], None
    ports = _ports_of(subject)
    if any(holder.is_ours for holder in map(find_holder, ports) if holder):
        return [Finding(True, f"{what}: in use by hongyan itself; see `hongyan channels`")], None
    if holder := find_holder(port):
        remedy = _keep_away() if holder.name == "ModemManager" else holder.remedy
        return [Finding(False, f"{what}: held by {holder.name} (process {holder.pid}); {remedy}")], None
    profile = profile_of(subject.stick) if subject.stick else GENERIC
    baudrate = modem.baudrate if modem else _DEFAULT_BAUDRATE
    checkup = None
    try:
        for port in ports:
            checkup = await check_up(port, baudrate, profile)
            if checkup is not None:
                break
    except PortBlocked as error:
        return [Finding(False, f"{what}: {error}; {_unblock(error, port)}")], None
    except WireError as error:
        return [Finding(False, f"{what}: {error}; plug it in again")], None
    if checkup is None:
        return [Finding(False, f"{what}: nothing answers AT{_wake_up(subject, ports)}")], None
    named = next((modem for modem in modems if _is_who(modem, checkup)), None)
    found = subject._replace(what=what.replace(subject.port, port), port=port, modem=modem or named)
    return list(judge(found, checkup)), checkup


def _ports_of(subject: Subject) -> list[str]:
    """Where it may take AT commands, likeliest first; the one that the config names, if it names one."""
    if subject.stick is None or (subject.modem is not None and subject.modem.port is not None):
        return [subject.port]
    return [subject.port, *(tty.path for tty in subject.stick.ttys if tty.path != subject.port)]


def _no_sticks() -> str:
    if not SYSFS_USB.is_dir():
        return (
            f"there is no {SYSFS_USB}: this machine has no USB, or does not show it to us (a container, a "
            "virtual machine); hand the device through to it, or name a port in the config"
        )
    return f"no USB serial device is plugged in, as far as {SYSFS_USB} says; plug a modem in"


def _keep_away() -> str:
    """What keeps ModemManager from our modems: our rules where they are at hand, else its end."""
    if _RULES.is_file():
        return f"run `sudo cp {_RULES} /etc/udev/rules.d/ && sudo udevadm control --reload && sudo udevadm trigger`"
    return (
        "run `sudo systemctl disable --now ModemManager`; where something else needs it, install "
        "systemd/70-hongyan-modems.rules of the source instead"
    )


def _unblock(error: PortBlocked, port: str) -> str:
    """Busy is somebody else's doing; forbidden, though the file's rights allow it, is the system's."""
    if getattr(error.__cause__, "errno", None) in {errno.EPERM, errno.EACCES}:
        return "the system forbids it in spite of the file's rights; is this a container without that device?"
    return f"another program has it open: `sudo fuser -v {port}` names it"


def _wake_up(subject: Subject, ports: Sequence[str]) -> str:
    """What to try with a port that is silent."""
    if subject.stick is None or not subject.stick.is_modem:
        return "; check that the modem has power, that the cable is the right one, and baudrate"
    if len(ports) < len(subject.stick.ttys):
        others = ", ".join(tty.path for tty in subject.stick.ttys if tty.path not in ports)
        return f' at that port; the stick has others ({others}): write usb = "{subject.stick.usb}" instead of port'
    return f" at {' or '.join(ports)}; plug it in again"


def judge(subject: Subject, checkup: Checkup) -> Iterator[Finding]:
    """What a stick that answers has to say about itself."""
    what, modem = subject.what, subject.modem
    troubles = [*_sim_troubles(checkup, modem), *_network_troubles(checkup, modem)]
    for trouble in troubles:
        yield Finding(False, f"{what}: {trouble}")
    storage = checkup.storage
    if storage is not None and storage.n_total and storage.n_used >= storage.n_total:
        advice = "hongyan empties it when it runs: `hongyan serve`"
        yield Finding(False, f"{what}: its storage is full ({storage.n_used} messages); {advice}")
    facts = ", ".join(fact for fact in _facts(checkup) if fact)
    if not troubles:
        use = "in the config" if modem else f"to use it, add [[modems]] with {_address(subject)}"
        yield Finding(True, f"{what}: {facts}: usable, {use}")


def _sim_troubles(checkup: Checkup, modem: ModemSettings | None) -> Iterator[str]:
    match checkup.sim:
        case "READY" | "SIM PIN2" | "SIM PUK2":
            if checkup.has_smsc is False and not (modem and modem.smsc):
                yield 'the SIM knows no service centre; write smsc = "+..." into the config, as its operator says'
        case "SIM PIN":
            if modem is None or modem.pin is None:
                yield 'the SIM asks for its PIN; write pin_file = "..." into the config'
        case "SIM PUK":
            yield "the SIM is locked and asks for its PUK; put it into a telephone and enter the PUK there"
        case None:
            yield "the SIM does not answer; take it out and put it in again"
        case sim if sim == NO_SIM:
            yield "there is no SIM in it; put one in, contacts first"
        case sim if not sim.endswith((" PIN", " PUK")):
            yield f"the SIM is not ready ({sim}); try again in a minute, or take it out and put it in again"
        case sim:
            yield f"the SIM asks for {sim}; the stick is locked to an operator: unlock it or use that operator's SIM"


def _network_troubles(checkup: Checkup, modem: ModemSettings | None) -> Iterator[str]:
    status = checkup.registration
    if checkup.sim != "READY" or status is None:
        return
    if status in ROAMING_STATES and modem and not modem.roaming:
        yield "only a foreign network is there; write roaming = true into the config to use it"
    elif not may_send(status, roaming=True):
        name = REGISTRATION_NAMES.get(status, "unknown")
        yield f"no network ({name}); {_find_network(checkup)}"


def _find_network(checkup: Checkup) -> str:
    """A refusal is the SIM's matter, whatever the antenna; without a signal it is the antenna's."""
    if checkup.registration == _DENIED:
        return "the network refuses this SIM; ask its operator whether it is active and paid for"
    if checkup.signal_dbm is None or checkup.signal_dbm < WEAK_DBM:
        return "there is next to no signal; check the antenna, or move the modem"
    return "the signal is good; wait a minute, then ask the operator whether the SIM is active and paid for"


def _facts(checkup: Checkup) -> Iterator[str | None]:
    yield " ".join(word for word in (checkup.maker, checkup.model) if word)
    yield checkup.operator
    if checkup.signal_dbm is not None:
        yield f"{checkup.signal_dbm} dBm" + " (weak)" * (checkup.signal_dbm < WEAK_DBM)
    yield f"IMEI {checkup.imei}" if checkup.imei else None
    yield f"SIM that ends in {checkup.iccid[-4:]}" if checkup.iccid else None


def _address(subject: Subject) -> str:
    return f'usb = "{subject.stick.usb}"' if subject.stick else f'port = "{subject.port}"'


def _is_of(modem: ModemSettings, stick: Stick) -> bool:
    if modem.port is not None:
        real = os.path.realpath(modem.port)
        return any(tty.path == modem.port or os.path.realpath(tty.path) == real for tty in stick.ttys)
    return modem.usb == stick.usb


def _is_who(modem: ModemSettings, checkup: Checkup) -> bool:
    if modem.imei:
        return (checkup.imei or "")[:14] == modem.imei[:14]
    return modem.iccid is not None and checkup.iccid == modem.iccid


def _unseen(modem: ModemSettings, what: str) -> Finding:
    advice = "it may be one that hongyan itself uses; see `hongyan channels`"
    return Finding(True, f"modem {modem.name} in the config: {what} was not looked for everywhere; {advice}")


def _missing(modem: ModemSettings, what: str, *, silent: bool = False) -> Finding:
    """What is not there; one of those that could not be asked may be it."""
    advice = "mend what is said of the others first: it may be one of them" if silent else "plug it in"
    return Finding(False, f"modem {modem.name} in the config: no stick with {what} was found; {advice}")
