"""AT commands about the stick, its SIM and its registration: functions, and the table that finds them.

A handler takes the device and the parsed command and returns information lines; OK is added by the machine.
One that needs more input returns a `Prompt`, one that waits for the network an awaitable. What is not in
the table ends with ERROR.

Spec: ITU-T V.250, 3GPP TS 27.007.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.codec.gsm7 import decode_gsm7, encode_gsm7, pack_septets, unpack_septets
from simulators.modem.render import address_type, format_string
from simulators.modem.settings import factory_settings
from simulators.modem.sim_card import Lock
from simulators.modem.syntax import (
    CME_INCORRECT_PARAMETERS,
    CME_INCORRECT_PASSWORD,
    CME_NOT_ALLOWED,
    CME_SIM_FAILURE,
    CME_SIM_PIN,
    CME_SIM_PUK,
    Command,
    Failed,
    Form,
)

if TYPE_CHECKING:
    from simulators.modem.device import Device


@dataclass(frozen=True, slots=True)
class Prompt:
    """The command wants data up to 0x1A.

    Args:
        finish: takes the data, returns information lines or raises `Failed`.
    """

    finish: Callable[[bytes], Awaitable[list[str]]]


Answer = list[str] | Prompt | Awaitable[list[str]]
Handler = Callable[["Device", Command], Answer]
OPERATOR = "CHINA MOBILE"
_LOCK_ERRORS = {Lock.PIN: CME_SIM_PIN, Lock.PUK: CME_SIM_PUK, Lock.DEAD: CME_SIM_FAILURE}
_CANCEL_USSD = 2
_REGISTRATION = ("+CREG", "+CGREG", "+CEREG")


def accept(_device: Device, _command: Command) -> list[str]:
    """For commands whose effect nobody can see."""
    return []


def check_sim(device: Device) -> None:
    """Raise the `Failed` of a command that needs an open SIM."""
    if device.sim.lock is not Lock.READY:
        raise Failed.cme(_LOCK_ERRORS[device.sim.lock])


def _identify(device: Device, _command: Command) -> list[str]:
    dialect = device.dialect
    facts = {
        "manufacturer": dialect.manufacturer,
        "model": dialect.model,
        "revision": dialect.revision,
        "imei": device.imei,
    }
    return [line.format_map(facts) for line in dialect.identification]


def _imei(device: Device, command: Command) -> list[str]:
    return [f'+CGSN: "{device.imei}"'] if command.args == ("1",) else [device.imei]


def _iccid(device: Device, command: Command) -> list[str]:
    if command.name != device.dialect.iccid_command:
        raise Failed
    return [device.dialect.iccid_prefix + device.sim.iccid]


def _imsi(device: Device, _command: Command) -> list[str]:
    check_sim(device)
    return [device.sim.imsi]


def _echo(device: Device, command: Command) -> list[str]:
    device.settings.echo = command.number(0, 0) == 1
    return []


def _factory(device: Device, _command: Command) -> list[str]:
    device.settings = factory_settings(device.dialect)
    return []


def _cmee(device: Device, command: Command) -> list[str]:
    if command.form is Form.READ:
        return [f"+CMEE: {device.settings.cmee}"]
    device.settings.cmee = one_of(command.number(0, 0), (0, 1, 2))
    return []


def one_of(value: int, allowed: tuple[int, ...]) -> int:
    """The value, if it is allowed.

    Raises:
        Failed: it is not.
    """
    if value not in allowed:
        raise Failed.cme(CME_INCORRECT_PARAMETERS)
    return value


def _pin(device: Device, command: Command) -> list[str]:
    sim = device.sim
    if command.form is Form.READ:
        if sim.lock is Lock.DEAD:
            raise Failed.cme(CME_SIM_FAILURE)
        return [f"+CPIN: {sim.lock}"]
    if sim.lock is Lock.PIN:
        opened = sim.enter_pin(command.text(0))
    elif sim.lock is Lock.PUK and len(command.args) == 2:
        opened = sim.enter_puk(command.args[0], command.args[1])
    elif sim.lock is Lock.READY:
        raise Failed.cme(CME_NOT_ALLOWED)
    else:
        raise Failed.cme(_LOCK_ERRORS[sim.lock])
    if not opened:
        raise Failed.cme(CME_INCORRECT_PASSWORD if sim.lock is Lock.PIN else _LOCK_ERRORS[sim.lock])
    device.service_changed()
    return []


def _pin_attempts(device: Device, _command: Command) -> list[str]:
    sim = device.sim
    return [f"^CPIN: {sim.lock},,{sim.puk_attempts_left},{sim.pin_attempts_left},10,3"]


def _registration(device: Device, command: Command) -> list[str]:
    reports = device.settings.reports
    if command.form is Form.SET:
        reports[command.name] = one_of(command.number(0), (0, 1, 2))
        return []
    return [f"{command.name}: {reports.get(command.name, 0)},{int(device.registered)}"]


def _operator(device: Device, command: Command) -> list[str]:
    if command.form is Form.SET:
        device.settings.reports["+COPS format"] = command.number(1, 0)
        return []
    if not device.registered:
        return ["+COPS: 0"]
    numeric = device.settings.reports.get("+COPS format", 0) == 2
    return [f'+COPS: 0,{2 if numeric else 0},"{"46000" if numeric else OPERATOR}",2']


def _signal(device: Device, _command: Command) -> list[str]:
    return [f"+CSQ: {20 if device.radio_on else 99},99"]


def _functionality(device: Device, command: Command) -> list[str]:
    if command.form is Form.READ:
        return [f"+CFUN: {int(device.radio_on)}"]
    level = one_of(command.number(0), (0, 1, 4))
    if command.number(1, 0) == 1:
        device.restart()
    else:
        device.radio_on = level == 1
        device.service_changed()
    return []


def _noise(device: Device, command: Command) -> list[str]:
    if not device.dialect.noise:
        raise Failed
    if command.form is Form.SET:
        device.settings.noise = one_of(command.number(0), (0, 1, 2)) != 0
    return []


def _noise_port(device: Device, _command: Command) -> list[str]:
    """There is only one port here."""
    if not device.dialect.noise:
        raise Failed
    return []


def _own_number(device: Device, _command: Command) -> list[str]:
    check_sim(device)
    number = device.sim.number
    return [f'+CNUM: "",{format_string(device.settings, number)},{address_type(number)}']


def _phone_book(_device: Device, command: Command) -> list[str]:
    return ['+CPBS: "SM",0,250'] if command.form is Form.READ else []


def _clock(_device: Device, command: Command) -> list[str]:
    return ['+CCLK: "24/01/01,12:00:00+32"'] if command.form is Form.READ else []


def _ussd(device: Device, command: Command) -> list[str]:
    """Answers at once; a menu stays open until it is answered or cancelled."""
    if command.form is Form.READ:
        return ["+CUSD: 0"]
    if command.number(0, 0) == _CANCEL_USSD:
        device.ussd.cancel()
    if len(command.args) < 2:
        return []
    check_sim(device)
    status, text = device.ussd.ask(_ussd_code(device, command.args[1]))
    if text is None:
        device.notify([f"+CUSD: {status}"])
    elif device.dialect.ussd_packed:
        device.notify([f'+CUSD: {status},"{pack_septets(encode_gsm7(text)).hex().upper()}",15'])
    else:
        device.notify([f"+CUSD: {status},{format_string(device.settings, text)},15"])
    return []


def _ussd_code(device: Device, text: str) -> str:
    if not device.dialect.ussd_packed:
        return from_charset(device, text)
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        raise Failed.cme(CME_INCORRECT_PARAMETERS) from None
    codes = unpack_septets(octets, len(octets) * 8 // 7)
    # A code of 7 characters leaves seven spare bits, which read as one more "@" or, by 23.038 6.1.2.3.1, as CR.
    return decode_gsm7(codes).rstrip("\r@")


def from_charset(device: Device, text: str) -> str:
    """What a parameter says, read in the charset of AT+CSCS.

    Raises:
        Failed: it is not hex where it has to be.
    """
    if device.settings.charset != "UCS2":
        return text
    try:
        return bytes.fromhex(text).decode("utf-16-be")
    except ValueError:
        raise Failed.cme(CME_INCORRECT_PARAMETERS) from None


def says(*lines: str) -> Handler:
    """A handler whose answer is always the same."""
    return lambda _device, _command: list(lines)


def _tells(fact: Callable[[Device], str]) -> Handler:
    return lambda device, _command: [fact(device)]


COMMANDS: dict[str, Handler] = {
    "E": _echo,
    "I": _identify,
    "Z": _factory,
    "&F": _factory,
    "+CGMI": _tells(lambda device: device.dialect.manufacturer),
    "+GMI": _tells(lambda device: device.dialect.manufacturer),
    "+CGMM": _tells(lambda device: device.dialect.model),
    "+GMM": _tells(lambda device: device.dialect.model),
    "+CGMR": _tells(lambda device: device.dialect.revision),
    "+GMR": _tells(lambda device: device.dialect.revision),
    "+CGSN": _imei,
    "+GSN": _imei,
    "+CIMI": _imsi,
    "+CCID": _iccid,
    "+QCCID": _iccid,
    "^ICCID": _iccid,
    "+CMEE": _cmee,
    "+CPIN": _pin,
    "^CPIN": _pin_attempts,
    "^CURC": _noise,
    "^PORTSEL": _noise_port,
    "+CREG": _registration,
    "+CGREG": _registration,
    "+CEREG": _registration,
    "+COPS": _operator,
    "+CSQ": _signal,
    "+CFUN": _functionality,
    "+CNUM": _own_number,
    "+CPBS": _phone_book,
    "+CPBR": accept,
    "+CCLK": _clock,
    "+CUSD": _ussd,
} | dict.fromkeys(
    ("V", "Q", "X", "S0", "S3", "S4", "S5", "&C", "&D", "&W", "+CLIP", "+CSCB", "+IFC", "+IPR"), accept
)
"""Handlers by name, for every form but the test form. Forms that a handler does not tell apart are answered alike."""

TESTS: dict[str, Handler] = {
    "+CMEE": says("+CMEE: (0-2)"),
    "+CREG": says("+CREG: (0-2)"),
    "+CGREG": says("+CGREG: (0-2)"),
    "+CEREG": says("+CEREG: (0-2)"),
    "+COPS": says(f'+COPS: (2,"{OPERATOR}","CMCC","46000"),,(0-4),(0-2)'),
    "+CSQ": says("+CSQ: (0-31,99),(99)"),
    "+CFUN": says("+CFUN: (0,1,4),(0,1)"),
    "+CPBS": says('+CPBS: ("SM")'),
    "+CPBR": says("+CPBR: (1-250),40,14"),
    "+CUSD": says("+CUSD: (0-2)"),
    "+CCID": _iccid,
    "+QCCID": _iccid,
    "^ICCID": _iccid,
    "^CURC": _noise_port,
    "^PORTSEL": _noise_port,
}
"""Answers to ``=?`` by name; every other known command just has it."""
