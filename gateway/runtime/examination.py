"""What `hongyan doctor` finds: which modems are there and what stops them from working, with what mends it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from drivers.at.responses import REGISTRATION_NAMES, ROAMING_STATES
from drivers.at.transport import PortBlocked
from drivers.errors import WireError
from drivers.modem.bringup import may_send
from drivers.modem.checkup import NO_SIM, Checkup, check_up
from drivers.modem.profile import GENERIC
from drivers.modem.usb import Stick
from gateway.runtime.obstacles import find_holder, modem_manager_meddles, why_closed
from gateway.runtime.settings import ModemSettings
from gateway.runtime.sticks import describe_stick, likely_port, profile_of

WEAK_DBM = -105
_DEFAULT_BAUDRATE = 115_200
_RULES = (
    "`sudo cp systemd/70-hongyan-modems.rules /etc/udev/rules.d/ && sudo udevadm control --reload "
    "&& sudo udevadm trigger`"
)


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
    for modem in modems:
        what = f"IMEI {modem.imei}" if modem.imei else f"a SIM that ends in {(modem.iccid or '')[-4:]}"
        if (modem.imei or modem.iccid) and not any(_is_who(modem, checkup) for checkup in checkups):
            findings.append(_unseen(modem, what) if hidden else _missing(modem, what))
        if modem.usb and not any(stick.usb == modem.usb for stick in sticks):
            findings.append(_missing(modem, f"USB socket {modem.usb}"))
    return findings


def examine_machine(sticks: Sequence[Stick], modems: Sequence[ModemSettings]) -> Iterator[Finding]:
    """What is plugged in and can't be used as it is, and who else may take it."""
    if not sticks and not any(modem.port for modem in modems):
        yield Finding(
            False, "no USB serial device is plugged in, as far as /sys/bus/usb/devices says; plug a modem in"
        )
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
        yield Finding(False, f"ModemManager runs and talks between our commands; run {_RULES}")


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
        advice = f"held by {holder.name} (process {holder.pid}); end it: `sudo kill {holder.pid}`"
        return [Finding(False, f"{what}: {advice}")], None
    profile = profile_of(subject.stick) if subject.stick else GENERIC
    baudrate = modem.baudrate if modem else _DEFAULT_BAUDRATE
    try:
        while ports and (checkup := await check_up(port := ports.pop(0), baudrate, profile)) is None:
            pass
    except PortBlocked as error:
        return [
            Finding(False, f"{what}: {error}; end the program that has it open: `sudo fuser -v {port}`")
        ], None
    except WireError as error:
        return [Finding(False, f"{what}: {error}; plug it in again")], None
    if checkup is None:
        advice = "nothing answers AT; check port and baudrate, or plug it in again"
        return [Finding(False, f"{what}: {advice}")], None
    named = next((modem for modem in modems if _is_who(modem, checkup)), None)
    found = subject._replace(what=what.replace(subject.port, port), port=port, modem=modem or named)
    return list(judge(found, checkup)), checkup


def _ports_of(subject: Subject) -> list[str]:
    """Where it may take AT commands, likeliest first; the one that the config names, if it names one."""
    if subject.stick is None or (subject.modem is not None and subject.modem.port is not None):
        return [subject.port]
    return [subject.port, *(tty.path for tty in subject.stick.ttys if tty.path != subject.port)]


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
        yield f"no network ({name}); check antenna and signal, and that the SIM is active and paid for"


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


def _missing(modem: ModemSettings, what: str) -> Finding:
    return Finding(False, f"modem {modem.name} in the config: no stick with {what} was found; plug it in")
