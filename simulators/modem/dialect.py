"""How sticks of different makers spell the same things: data, no behaviour.

The values follow what such sticks print; serial numbers are made up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One family of sticks.

    Args:
        manufacturer: answer to AT+CGMI.
        model: answer to AT+CGMM.
        revision: answer to AT+CGMR.
        identification: lines of ATI; ``{manufacturer}``, ``{model}``, ``{revision}`` and ``{imei}`` are filled in.
        tac: first eight digits of its IMEIs.
        iccid_command: the vendor's way to ask for the SIM's serial number.
        iccid_prefix: what stands before the number in that answer.
        echo: whether it echoes when it is switched on.
        prompt: bytes that ask for the text of a message.
        memories: message storages and how many messages each holds, the preferred one first.
        report_memory: where status reports are stored; None for where messages are.
        first_index: of the slots in a storage.
        cnmi: allowed values of the five parameters of AT+CNMI.
        charsets: of AT+CSCS, the default first.
        boot: unsolicited lines after switching on.
        noise: unsolicited lines that keep coming by themselves.
        full_notice: unsolicited line when an inbound message finds no slot; None if the stick keeps silent.
        flash_routed: messages of class 0 are handed over (+CMT) also where others are stored; else they are stored too.
        ussd_packed: USSD codes and answers travel as packed septets in hex.
    """

    manufacturer: str
    model: str
    revision: str
    identification: tuple[str, ...]
    tac: str
    iccid_command: str
    iccid_prefix: str
    echo: bool
    prompt: bytes
    memories: tuple[tuple[str, int], ...]
    report_memory: str | None
    first_index: int
    cnmi: tuple[tuple[int, ...], ...]
    charsets: tuple[str, ...]
    boot: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    full_notice: str | None = None
    flash_routed: bool = False
    ussd_packed: bool = False


DIALECTS: dict[str, Dialect] = {
    "huawei": Dialect(
        manufacturer="huawei",
        model="E173",
        revision="11.126.16.04.00",
        identification=(
            "Manufacturer: {manufacturer}",
            "Model: {model}",
            "Revision: {revision}",
            "IMEI: {imei}",
            "+GCAP: +CGSM,+DS,+ES",
        ),
        tac="86169600",
        iccid_command="^ICCID",
        iccid_prefix="^ICCID: ",
        echo=True,
        prompt=b"\r\n> ",
        memories=(("SM", 20), ("ME", 100)),
        report_memory=None,
        first_index=0,
        cnmi=((0, 1, 2), (0, 1, 2, 3), (0, 2, 3), (0, 1, 2), (0, 1)),
        charsets=("IRA", "GSM", "UCS2"),
        noise=("^RSSI:20", "^BOOT:20952548,0,0,0,75"),
        full_notice='^SMMEMFULL: "{memory}"',
        ussd_packed=True,
    ),
    "quectel": Dialect(
        manufacturer="Quectel",
        model="EC25",
        revision="EC25EFAR06A03M4G",
        identification=("{manufacturer}", "{model}", "Revision: {revision}"),
        tac="86610703",
        iccid_command="+QCCID",
        iccid_prefix="+QCCID: ",
        echo=True,
        prompt=b"\r\n> ",
        memories=(("ME", 255), ("SM", 50), ("SR", 20)),
        report_memory="SR",
        first_index=0,
        cnmi=((0, 1, 2), (0, 1, 2, 3), (0, 2), (0, 1, 2), (0, 1)),
        charsets=("GSM", "IRA", "UCS2"),
        boot=("RDY", "+CFUN: 1", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE"),
        full_notice='+QIND: "smsfull","{memory}"',
        flash_routed=True,
    ),
    "simcom": Dialect(
        manufacturer="SIMCOM_Ltd",
        model="SIMCOM_SIM800L",
        revision="Revision:1418B05SIM800L24",
        identification=("SIM800 R14.18",),
        tac="86571802",
        iccid_command="+CCID",
        iccid_prefix="",
        echo=True,
        prompt=b"> ",
        memories=(("SM", 30), ("ME", 10)),
        report_memory=None,
        first_index=1,
        cnmi=((0, 1, 2, 3), (0, 1, 2, 3), (0, 2), (0, 1), (0, 1)),
        charsets=("IRA", "GSM", "UCS2"),
        boot=("RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"),
        flash_routed=True,
    ),
}
"""By the name that scenario files and tests use."""
