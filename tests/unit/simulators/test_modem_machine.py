"""The AT state machine without a port: any chunking of the input gives the same output."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest

from drivers.base import Encoding
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.tpdu import SmsSubmit, encode_submit
from simulators.modem.device import Device
from simulators.modem.dialect import DIALECTS
from simulators.modem.machine import MAX_LINE, TABLE, Machine
from simulators.modem.sim_card import SimCard
from simulators.network import Network

pytestmark = pytest.mark.unit

PHONE = "+8613900139000"


class Rig:
    """A machine, what it wrote, and its network."""

    def __init__(self, dialect: str = "huawei", *, pin: str | None = None) -> None:
        self.network = Network()
        self.device = Device(
            name="rig", network=self.network, sim=SimCard("+8613800138000", pin=pin), dialect=DIALECTS[dialect],
            network_time_s=0.0, acknowledge_time_s=5.0, services={},
        )  # fmt: skip
        self.network.attach(self.device.sim.number, self.device)
        self.written = b""
        self.machine = Machine(self.device, self._write)

    def _write(self, octets: bytes) -> None:
        self.written += octets

    async def until_idle(self) -> bytes:
        for _ in range(20):
            await asyncio.sleep(0)
        return self.written


def pdu_input() -> bytes:
    tpdu = encode_submit(SmsSubmit(tp_da=PHONE, encoding=Encoding.GSM7, payload=encode_gsm7("hi")))
    pdu = (b"\x00" + tpdu).hex().upper().encode()
    return b"ATE0\rAT+CMGF=0\rAT+CMGS=%d\r%s\x1aAT+CSQ\r" % (len(tpdu), pdu)


@pytest.mark.parametrize("n_octets", [1, 2, 7, 1_000])
async def test_any_chunking_of_the_input_gives_the_same_answers(n_octets):
    rig = Rig()
    octets = pdu_input()
    for start in range(0, len(octets), n_octets):
        rig.machine.feed(octets[start : start + n_octets])
    assert await rig.until_idle() == (
        b"ATE0\r\r\nOK\r\n\r\nOK\r\n\r\n> \r\n+CMGS: 0\r\n\r\nOK\r\n\r\n+CSQ: 20,99\r\n\r\nOK\r\n"
    )
    assert [message.text for message in rig.network.accepted] == ["hi"]


async def test_unsolicited_lines_wait_for_the_end_of_an_answer():
    rig = Rig()
    rig.machine.feed(b"ATE0\rAT+CMGS=20\r")
    rig.written = b""
    rig.machine.notify(["^RSSI:3"])
    assert rig.written == b""
    rig.machine.feed(b"\x1b")
    assert rig.written == b"\r\nOK\r\n\r\n^RSSI:3\r\n"


async def test_typed_text_is_echoed_with_a_prompt_for_each_line():
    rig = Rig()
    rig.machine.feed(b"AT+CMGF=1\r")
    rig.written = b""
    rig.machine.feed(b'AT+CMGS="10086"\rone\rtwo\x1a')
    assert await rig.until_idle() == (
        b'AT+CMGS="10086"\r\r\n> one\r\n> two\r\n+CMGS: 0\r\n\r\nOK\r\n'
    )  # fmt: skip
    assert rig.network.accepted[0].text == "one\ntwo"


async def test_an_endless_line_keeps_only_its_end():
    rig = Rig()
    rig.machine.feed(b"ATE0\r" + b"x" * 3 * MAX_LINE + b"AT+CSQ\r")
    assert rig.written.endswith(b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n")


async def test_text_mode_in_ucs2_speaks_hex():
    rig = Rig()
    phone = rig.network.add_handset(PHONE)
    rig.machine.feed(b'ATE0\rAT+CMGF=1\rAT+CSCS="UCS2"\rAT+CSMP=49,167,0,8\r')
    number = PHONE.encode("utf-16-be").hex().upper().encode()
    rig.machine.feed(b'AT+CMGS="' + number + b'"\r' + "你好".encode("utf-16-be").hex().encode() + b"\x1a")
    await rig.until_idle()
    assert phone.inbox == ["你好"]
    assert rig.network.accepted[0].report
    await phone.send(rig.device.sim.number, "ok")
    await rig.until_idle()
    rig.written = b""
    rig.machine.feed(b'AT+CMGL="ALL"\r')
    assert rig.written.startswith(b'\r\n+CMGL: 0,"REC UNREAD","' + number + b'",,"')
    assert b"\r\n006F006B\r\n" in rig.written


async def test_a_stored_message_is_sent_later():
    rig = Rig()
    rig.machine.feed(pdu_input().replace(b"+CMGS", b"+CMGW"))
    assert b"\r\n+CMGW: 0\r\n\r\nOK\r\n" in await rig.until_idle()
    rig.written = b""
    rig.machine.feed(b"AT+CMSS=0\rAT+CMGL=3\r")
    answer = await rig.until_idle()
    assert answer.startswith(b"\r\n+CMSS: 0\r\n\r\nOK\r\n\r\n+CMGL: 0,3,,")
    assert [message.text for message in rig.network.accepted] == ["hi"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_dialect_answers_what_programs_ask_at_start(dialect):
    rig = Rig(dialect)
    rig.machine.feed(b"ATE0\r")
    for line in (b"ATI", b"AT+CMEE=1", b"AT+CGMR", b"AT+CGSN=1", b"AT+CIMI", b"AT+COPS?", b"AT+CSCA?", b"AT+CSMS=1",
                 b"AT+CPMS=?", b"AT+CNMI=?", b"AT+CNMI=2,1,0,1,0", b"AT+CNUM", b"AT+CPBS?", b"AT+CPBR=?",
                 b"AT+CMMS=2", b"AT+CLIP=1", b"AT+CSDH=1", b"AT+CFUN?", b"AT+CFUN=1,1", b"AT&F", b"ATZ"):  # fmt: skip
        rig.written = b""
        rig.machine.feed(line + b"\r")
        assert b"\r\nOK\r\n" in rig.written, line


async def test_flight_mode_stops_sending_and_receiving():
    rig = Rig()
    phone = rig.network.add_handset(PHONE)
    rig.machine.feed(b"ATE0\rAT+CREG=1\rAT+CNMI=2,1\rAT+CFUN=4\r")
    await phone.send(rig.device.sim.number, "later")
    await rig.until_idle()
    rig.written = b""
    rig.machine.feed(b"AT+CMGS=20\r")
    assert rig.written == b"\r\n+CMS ERROR: 331\r\n"
    rig.written = b""
    rig.machine.feed(b"AT+CFUN=1\r")
    assert (await rig.until_idle()).startswith(b'\r\nOK\r\n\r\n+CREG: 1\r\n\r\n+CMTI: "SM",0\r\n')


@pytest.mark.parametrize(
    ("flag", "left"), [(1, [0, 3, 4]), (2, [0, 4]), (3, [0]), (4, [])]
)  # fmt: skip
async def test_deleting_by_flag(flag, left):
    rig = Rig()
    phone = rig.network.add_handset(PHONE)
    rig.machine.feed(b"ATE0\r")
    for _ in range(3):
        await phone.send(rig.device.sim.number, "hi")
    await rig.until_idle()
    rig.machine.feed(b"AT+CMGR=1\rAT+CMGR=2\r" + pdu_input().replace(b"+CMGS", b"+CMGW"))
    await rig.until_idle()
    rig.machine.feed(b"AT+CMSS=3\r" + pdu_input().replace(b"+CMGS", b"+CMGW"))
    await rig.until_idle()
    rig.machine.feed(b"AT+CMGD=1,%d\r" % flag)
    assert sorted(rig.device.storages["SM"].slots) == left


async def test_text_mode_shows_headers_and_reports():
    rig = Rig("quectel")
    phone = rig.network.add_handset(PHONE)
    rig.machine.feed(b"ATE0\rAT+CMGF=1;+CSDH=1;+CSMP=49,167,0,0;+CNMI=2,1,0,1\r")
    await phone.send(rig.device.sim.number, "[ok]", encoding=Encoding.GSM7)
    await rig.until_idle()
    rig.written = b""
    rig.machine.feed(b"AT+CMGR=0\r")
    head, text = rig.written.split(b"\r\n")[1:3]
    assert head.startswith(b'+CMGR: "REC UNREAD","+8613900139000",,"')
    assert head.endswith(b'+32",145,4,0,0,"+8613800210500",145,6')
    assert text == b"\x1b<ok\x1b>", "in the charset GSM the codes themselves"
    rig.written = b""
    rig.machine.feed(b'AT+CMGS="+8613900139000"\rhi\x1a')
    answer = await rig.until_idle()
    assert b'\r\n+CDS: 6,0,"+8613900139000",145,"' in answer
    assert answer.endswith(b'+32",0\r\n')


async def test_a_stored_draft_is_shown_in_text_mode():
    rig = Rig()
    rig.machine.feed(b'ATE0\rAT+CMGF=1\rAT+CMGW="10086"\rdraft\x1a')
    await rig.until_idle()
    rig.written = b""
    rig.machine.feed(b"AT+CMGR=0\r")
    assert rig.written == b'\r\n+CMGR: "STO UNSENT","10086",\r\ndraft\r\n\r\nOK\r\n'


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"AT+CMGL=5", b"+CMS ERROR: 302"),
        (b"AT+CMGR=9", b"+CMS ERROR: 321"),
        (b"AT+CMGD=9", b"+CMS ERROR: 321"),
        (b'AT+CPMS="XX"', b"+CMS ERROR: 302"),
        (b"AT+CNMI=2,9", b"+CMS ERROR: 303"),
        (b'AT+CSCS="KLINGON"', b"+CMS ERROR: 303"),
        (b"AT+CMGS=", b"+CMS ERROR: 304"),
        (b"AT+CMGF=2", b"+CME ERROR: 50"),
        (b'AT+CPIN="1234"', b"+CME ERROR: 3"),
        (b"AT+QCCID", b"ERROR"),
    ],
)
async def test_what_a_stick_does_not_take(line, error):
    rig = Rig("huawei")
    rig.machine.feed(b"ATE0+CMEE=1\r")
    rig.written = b""
    rig.machine.feed(line + b"\r")
    assert rig.written == b"\r\n" + error + b"\r\n"


@pytest.mark.parametrize("pin", [None, "1234"])
@pytest.mark.parametrize("text_mode", [0, 1])
@pytest.mark.parametrize(
    "tail", ["", "?", "=?", "=", "=,", "=1", "=-1", '="x"', "=0,1", '=1,"00",15', "=9,9,9,9,9,9,9"]
)
async def test_every_command_in_every_form_ends_with_a_result_or_a_prompt(pin, text_mode, tail):
    for name in TABLE:
        rig = Rig(pin=pin)
        rig.machine.feed(b"ATE0+CMGF=%d\r" % text_mode)
        rig.written = b""
        rig.machine.feed(f"AT{name}{tail}\r".encode())
        await rig.until_idle()
        assert re.search(rb"\r\n(OK|ERROR|\+CM[ES] ERROR: \d+)\r\n|\r\n> $", rig.written), name


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"AT+CMEE=?", b"+CMEE: (0-2)"),
        (b"AT+CNMI=?", b"+CNMI: (0,1,2,3),(0,1,2,3),(0,2),(0,1),(0,1)"),
        (b"AT+CPMS=?", b'+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")'),
        (b"AT+CSCS=?", b'+CSCS: ("IRA","GSM","UCS2")'),
        (b"AT+CMGD=?", b"+CMGD: (),(0-4)"),
    ],
)
async def test_asking_what_is_possible_changes_nothing(line, answer):
    rig = Rig("simcom")
    rig.machine.feed(b"ATE0+CMEE=1\r")
    before = replace(rig.device.settings)
    rig.written = b""
    rig.machine.feed(line + b"\r")
    assert rig.written == b"\r\n" + answer + b"\r\n\r\nOK\r\n"
    assert rig.device.settings == before
