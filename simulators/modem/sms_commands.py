"""AT commands about messages: functions, and the table that finds them.

Spec: 3GPP TS 27.005 3 (text mode and common commands), 4 (PDU mode).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.base import Encoding
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.tpdu import SmsSubmit, decode_submit, encode_submit
from drivers.errors import CodecError
from simulators.modem.commands import Handler, Prompt, accept, check_sim, from_charset, one_of, says
from simulators.modem.device import split_pdu
from simulators.modem.render import STATUS_NAMES, address_type, format_listed, format_read, format_string
from simulators.modem.sim_card import SlotStatus, StoredMessage
from simulators.modem.syntax import (
    CMS_INVALID_INDEX,
    CMS_INVALID_PDU,
    CMS_INVALID_TEXT,
    CMS_MEMORY_FULL,
    CMS_NO_CNMA_EXPECTED,
    CMS_NOT_ALLOWED,
    CMS_NOT_SUPPORTED,
    Command,
    Failed,
    Form,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulators.modem.device import Device
    from simulators.modem.sim_card import Storage

_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_FO_STATUS_REPORT = 0x20


def _mode(device: Device, command: Command) -> list[str]:
    if command.form is Form.READ:
        return [f"+CMGF: {int(device.settings.text_mode)}"]
    device.settings.text_mode = one_of(command.number(0, 0), (0, 1)) == 1
    return []


def _charset(device: Device, command: Command) -> list[str]:
    charsets = device.dialect.charsets
    if command.form is Form.READ:
        return [f'+CSCS: "{device.settings.charset}"']
    if command.text(0) not in charsets:
        raise Failed.cms(CMS_NOT_SUPPORTED)
    device.settings.charset = command.text(0)
    return []


def _charsets(device: Device, _command: Command) -> list[str]:
    return ["+CSCS: ({})".format(",".join(f'"{name}"' for name in device.dialect.charsets))]


def _service(device: Device, command: Command) -> list[str]:
    if command.form is Form.READ:
        return [f"+CSMS: {device.settings.csms},1,1,1"]
    device.settings.csms = one_of(command.number(0), (0, 1))
    return ["+CSMS: 1,1,1"]


def _service_centre(device: Device, command: Command) -> list[str]:
    check_sim(device)
    if command.form is Form.SET:
        device.sim.service_centre = command.text(0)
        return []
    centre = device.sim.service_centre
    return [f"+CSCA: {format_string(device.settings, centre)},{address_type(centre)}"]


def _memories(device: Device, command: Command) -> list[str]:
    settings = device.settings
    check_sim(device)
    if command.form is Form.SET:
        if not all(name in device.storages for name in command.args) or len(command.args) > 3:
            raise Failed.cms(CMS_NOT_ALLOWED)
        settings.memories[: len(command.args)] = command.args
    used = [device.storages[name] for name in settings.memories]
    named = command.form is Form.READ
    return [
        "+CPMS: "
        + ",".join((f'"{box.name}",' if named else "") + f"{len(box.slots)},{box.capacity}" for box in used)
    ]


def _memory_names(device: Device, _command: Command) -> list[str]:
    names = ",".join(f'"{name}"' for name in device.storages)
    return [f"+CPMS: ({names}),({names}),({names})"]


def _indications(device: Device, command: Command) -> list[str]:
    allowed = device.dialect.cnmi
    if command.form is Form.READ:
        return [f"+CNMI: {','.join(map(str, device.settings.cnmi))}"]
    given = tuple(command.number(place, 0) for place in range(len(command.args)))
    if len(given) > len(allowed) or any(v not in values for v, values in zip(given, allowed, strict=False)):
        raise Failed.cms(CMS_NOT_SUPPORTED)
    device.settings.cnmi = given + device.settings.cnmi[len(given) :]
    return []


def _indication_values(device: Device, _command: Command) -> list[str]:
    return ["+CNMI: " + ",".join(f"({','.join(map(str, values))})" for values in device.dialect.cnmi)]


def _text_parameters(device: Device, command: Command) -> list[str]:
    if command.form is Form.READ:
        return [f"+CSMP: {','.join(map(str, device.settings.csmp))}"]
    if command.form is Form.SET:
        fo, vp, pid, dcs = (command.number(place, old) for place, old in enumerate(device.settings.csmp))
        device.settings.csmp = (fo, vp, pid, dcs)
    return []


def _show_header(device: Device, command: Command) -> list[str]:
    if command.form is Form.READ:
        return [f"+CSDH: {device.settings.csdh}"]
    if command.form is Form.SET:
        device.settings.csdh = one_of(command.number(0, 0), (0, 1))
    return []


def _send(device: Device, command: Command) -> list[str] | Prompt:
    device.check_service()
    read = _reader(device, command)

    async def finish(data: bytes) -> list[str]:
        return [f"+CMGS: {await device.submit(read(data))}"]

    return Prompt(finish)


def _write(device: Device, command: Command) -> list[str] | Prompt:
    check_sim(device)
    read = _reader(device, command)

    async def finish(data: bytes) -> list[str]:
        tpdu = read(data)
        try:
            decode_submit(tpdu)
        except CodecError:
            raise Failed.cms(CMS_INVALID_PDU) from None
        index = _box(device, 1).add(StoredMessage(SlotStatus.STO_UNSENT, tpdu))
        if index is None:
            raise Failed.cms(CMS_MEMORY_FULL)
        return [f"+CMGW: {index}"]

    return Prompt(finish)


def _send_stored(device: Device, command: Command) -> Awaitable[list[str]]:
    device.check_service()
    stored = _stored(_box(device, 1), command.number(0))
    if stored.status not in (SlotStatus.STO_UNSENT, SlotStatus.STO_SENT):
        raise Failed.cms(CMS_NOT_ALLOWED)

    async def finish() -> list[str]:
        mr = await device.submit(stored.tpdu)
        stored.status = SlotStatus.STO_SENT
        return [f"+CMSS: {mr}"]

    return finish()


def _reader(device: Device, command: Command) -> Callable[[bytes], bytes]:
    """What turns the data after a prompt into an SMS-SUBMIT, by the mode of the moment."""
    if device.settings.text_mode:
        recipient = from_charset(device, command.args[0]) if command.args else ""
        return lambda data: _submit_from_text(device, recipient, data)
    try:
        n_octets = command.number(0)
    except Failed:
        raise Failed.cms(CMS_INVALID_PDU) from None
    return lambda data: _submit_from_pdu(n_octets, data)


def _submit_from_pdu(n_octets: int, data: bytes) -> bytes:
    digits = data.strip()
    if not _HEX.fullmatch(digits):
        raise Failed.cms(CMS_INVALID_PDU)
    tpdu = split_pdu(bytes.fromhex(digits.decode("ascii")))
    if len(tpdu) != n_octets:
        raise Failed.cms(CMS_INVALID_PDU)
    return tpdu


def _submit_from_text(device: Device, recipient: str, data: bytes) -> bytes:
    fo, _vp, pid, dcs = device.settings.csmp
    text = data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    try:
        if dcs & 0x0C == 0x08:
            encoding, payload = Encoding.UCS2, bytes.fromhex(text)
        elif device.settings.charset == "GSM":
            encoding, payload = Encoding.GSM7, bytes(ord(char) & 0x7F for char in text)
        else:
            encoding, payload = Encoding.GSM7, encode_gsm7(from_charset(device, text))
        return encode_submit(
            SmsSubmit(
                tp_da=recipient, encoding=encoding, payload=payload, tp_pid=pid, flash=dcs & 0x13 == 0x10,
                tp_srr=bool(fo & _FO_STATUS_REPORT),
            )
        )  # fmt: skip
    except (CodecError, ValueError, Failed):
        raise Failed.cms(CMS_INVALID_TEXT) from None


def _list(device: Device, command: Command) -> list[str]:
    check_sim(device)
    wanted = _wanted_status(device, command.args[0] if command.args else "")
    lines: list[str] = []
    for index, stored in sorted(_box(device, 0).slots.items()):
        if wanted is None or stored.status is wanted:
            lines += format_listed(device.settings, device.sim.service_centre, index, stored)
            _mark_read(stored)
    return lines


def _wanted_status(device: Device, text: str) -> SlotStatus | None:
    """None means all of them."""
    if device.settings.text_mode:
        names = {name: status for status, name in STATUS_NAMES.items()}
        if text == "ALL":
            return None
        if text and text not in names:
            raise Failed.cms(CMS_NOT_ALLOWED)
        return names.get(text, SlotStatus.REC_UNREAD)
    if text == "4":
        return None
    if text and text not in ("0", "1", "2", "3"):
        raise Failed.cms(CMS_NOT_ALLOWED)
    return SlotStatus(int(text or 0))


def _read(device: Device, command: Command) -> list[str]:
    check_sim(device)
    stored = _stored(_box(device, 0), command.number(0))
    lines = format_read(device.settings, device.sim.service_centre, stored)
    _mark_read(stored)
    return lines


def _delete(device: Device, command: Command) -> list[str]:
    box = _box(device, 0)
    check_sim(device)
    flag = one_of(command.number(1, 0), (0, 1, 2, 3, 4))
    if flag == 0:
        _stored(box, command.number(0))
        del box.slots[command.number(0)]
    else:
        keep = _KEPT_BY_FLAG[flag]
        box.slots = {index: stored for index, stored in box.slots.items() if stored.status in keep}
    device.slots_freed()
    return []


def _occupied(device: Device, _command: Command) -> list[str]:
    return [f"+CMGD: ({','.join(map(str, sorted(_box(device, 0).slots)))}),(0-4)"]


def _acknowledge(device: Device, command: Command) -> list[str]:
    positive = one_of(command.number(0, 0), (0, 1, 2)) != 2
    if not device.acknowledge(positive=positive):
        raise Failed.cms(CMS_NO_CNMA_EXPECTED)
    return []


def _box(device: Device, place: int) -> Storage:
    return device.storages[device.settings.memories[place]]


def _stored(box: Storage, index: int) -> StoredMessage:
    if index not in box.slots:
        raise Failed.cms(CMS_INVALID_INDEX)
    return box.slots[index]


def _mark_read(stored: StoredMessage) -> None:
    if stored.status is SlotStatus.REC_UNREAD:
        stored.status = SlotStatus.REC_READ


_KEPT_BY_FLAG = {
    1: {SlotStatus.REC_UNREAD, SlotStatus.STO_UNSENT, SlotStatus.STO_SENT},
    2: {SlotStatus.REC_UNREAD, SlotStatus.STO_UNSENT},
    3: {SlotStatus.REC_UNREAD},
    4: set[SlotStatus](),
}
"""What AT+CMGD leaves by its second parameter (27.005 3.5.4)."""

SMS_COMMANDS: dict[str, Handler] = {
    "+CMGF": _mode,
    "+CSCS": _charset,
    "+CSMS": _service,
    "+CSCA": _service_centre,
    "+CPMS": _memories,
    "+CNMI": _indications,
    "+CSMP": _text_parameters,
    "+CSDH": _show_header,
    "+CMGS": _send,
    "+CMGW": _write,
    "+CMSS": _send_stored,
    "+CMGL": _list,
    "+CMGR": _read,
    "+CMGD": _delete,
    "+CNMA": _acknowledge,
    "+CMMS": accept,
}
"""Handlers by name, for every form but the test form."""

SMS_TESTS: dict[str, Handler] = {
    "+CMGF": says("+CMGF: (0,1)"),
    "+CSCS": _charsets,
    "+CSMS": says("+CSMS: (0,1)"),
    "+CPMS": _memory_names,
    "+CNMI": _indication_values,
    "+CSDH": says("+CSDH: (0,1)"),
    "+CMGL": says("+CMGL: (0-4)"),
    "+CMGD": _occupied,
    "+CNMA": says("+CNMA: (0-2)"),
    "+CMMS": says("+CMMS: (0-2)"),
}
"""Answers to ``=?`` by name."""
