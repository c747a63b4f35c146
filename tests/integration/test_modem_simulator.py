"""What a program sees on the port of a simulated modem: plain bytes, no driver of ours."""

from __future__ import annotations

import re

import pytest

from drivers.codec.address import split_sca
from drivers.codec.gsm7 import encode_gsm7, unpack_septets
from drivers.codec.tpdu import decode_deliver, decode_status_report
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.traffic import RefusalCause
from tests.support.simulated_modem import PHONE, SIM, modem_at, submit_tpdu, wait_for
from tests.support.terminal import open_terminal

pytestmark = pytest.mark.integration


async def test_echo_is_on_until_it_is_switched_off():
    async with SimulatedModem(Network(), number=SIM, noise_every_s=0.0) as modem:
        with open_terminal(modem.port) as terminal:
            assert await terminal.ask("AT") == "AT\r\r\nOK\r\n"
            assert await terminal.ask("ATE0") == "ATE0\r\r\nOK\r\n"
            assert await terminal.ask("AT") == "\r\nOK\r\n"


async def test_noise_before_at_is_overlooked_and_unknown_commands_fail():
    async with modem_at(Network()) as (_, terminal):
        assert await terminal.ask("\x1b\x1a\x00xxAT+CSQ") == "\r\n+CSQ: 20,99\r\n\r\nOK\r\n"
        assert await terminal.ask("AT+NOSUCH=1") == "\r\nERROR\r\n"
        assert await terminal.ask("AT+CSQ;+NOSUCH") == "\r\n+CSQ: 20,99\r\n\r\nERROR\r\n"


@pytest.mark.parametrize(
    ("dialect", "manufacturer", "iccid_command", "prompt"),
    [
        ("huawei", "huawei", "AT^ICCID?", "\r\n> "),
        ("quectel", "Quectel", "AT+QCCID", "\r\n> "),
        ("simcom", "SIMCOM_Ltd", "AT+CCID", "> "),
    ],
)
async def test_dialects_differ_as_sticks_do(dialect, manufacturer, iccid_command, prompt):
    async with modem_at(Network(), dialect=dialect) as (modem, terminal):
        assert manufacturer in await terminal.ask("AT+CGMI")
        assert modem.device.sim.iccid in await terminal.ask(iccid_command)
        terminal.type("AT+CMGS=20\r")
        await terminal.expect("> ")
        terminal.type("\x1b")
        assert terminal.seen == ""
        await terminal.expect("OK\r\n")


async def test_the_prompt_comes_as_the_dialect_spells_it():
    async with modem_at(Network(), dialect="simcom") as (_, terminal):
        terminal.type("AT+CMGS=20\r")
        assert (await terminal.expect("(?s).*> "))[0] == "> "
    async with modem_at(Network(), dialect="huawei") as (_, terminal):
        terminal.type("AT+CMGS=20\r")
        assert (await terminal.expect("(?s).*> "))[0] == "\r\n> "


async def test_a_pdu_reaches_the_handset():
    network = Network()
    phone = network.add_handset(PHONE)
    async with modem_at(network) as (_, terminal):
        assert await terminal.send_pdu(submit_tpdu("hi @ €")) == "\r\n+CMGS: 0\r\n\r\nOK\r\n"
        await wait_for(network, lambda: phone.inbox == ["hi @ €"])
    assert phone.texts[0].sender == SIM


async def test_escape_cancels_and_nothing_is_sent():
    network = Network()
    async with modem_at(network) as (_, terminal):
        terminal.type("AT+CMGS=20\r")
        await terminal.expect("> ")
        terminal.type("0011000B91\x1b")
        await terminal.expect("\r\nOK\r\n")
        await terminal.ask("AT")
    assert network.accepted == []


async def test_a_wrong_length_or_a_garbled_pdu_is_cms_304():
    network = Network()
    tpdu = submit_tpdu()
    async with modem_at(network) as (_, terminal):
        assert "+CMS ERROR: 304" in await terminal.send_pdu(tpdu, len(tpdu) + 1)
        assert "+CMS ERROR: 304" in await terminal.send_pdu(tpdu[:-3], len(tpdu) - 3)
        assert "+CMS ERROR: 304" in await terminal.send_pdu(b"\x02" + tpdu[1:])
        terminal.type("AT+CMGS=4\r")
        await terminal.expect("> ")
        terminal.type("not hex\x1a")
        await terminal.expect(r"\+CMS ERROR: 304")
    assert network.accepted == []


async def test_the_network_refuses_with_its_cause():
    network = Network()
    network.refuse(PHONE, RefusalCause.CONGESTION)
    async with modem_at(network) as (_, terminal):
        assert "+CMS ERROR: 42" in await terminal.send_pdu(submit_tpdu())
        network.refuse(PHONE, None)
        assert "+CMGS: 0" in await terminal.send_pdu(submit_tpdu())


async def test_three_wrong_pins_ask_for_the_puk():
    async with modem_at(Network(), pin="1234") as (modem, terminal):
        assert "+CPIN: SIM PIN" in await terminal.ask("AT+CPIN?")
        assert "+CMS ERROR: 311" in await terminal.ask("AT+CMGS=20")
        assert "+CREG: 0,0" in await terminal.ask("AT+CREG?")
        assert "+CME ERROR: 16" in await terminal.ask('AT+CPIN="0000"')
        assert "+CME ERROR: 16" in await terminal.ask('AT+CPIN="0001"')
        assert "+CME ERROR: 12" in await terminal.ask('AT+CPIN="0002"')
        assert "+CPIN: SIM PUK" in await terminal.ask("AT+CPIN?")
        assert "+CME ERROR: 12" in await terminal.ask('AT+CPIN="1234"')
        assert "OK" in await terminal.ask('AT+CPIN="12345678","4321"')
        assert "+CPIN: READY" in await terminal.ask("AT+CPIN?")
        await terminal.ask("AT+CFUN=1,1")
        assert modem.device.sim.pin_attempts_left == 3
        assert "OK" in await terminal.ask('AT+CPIN="4321"')
        assert "+CREG: 0,1" in await terminal.ask("AT+CREG?")


async def test_an_inbound_message_is_told_read_and_deleted():
    network = Network()
    phone = network.add_handset(PHONE)
    async with modem_at(network) as (_, terminal):
        await terminal.ask("AT+CNMI=2,1,0,1,0")
        await phone.send(SIM, "你好")
        index = (await terminal.expect(r'\r\n\+CMTI: "SM",(\d+)\r\n'))[1]
        answer = await terminal.ask(f"AT+CMGR={index}")
        status, n_octets, pdu = answer_pdu(answer, r"\+CMGR: (\d),,(\d+)\r\n([0-9A-F]+)")
        assert (status, n_octets) == (0, len(pdu))
        deliver = decode_deliver(pdu)
        assert (deliver.tp_oa, deliver.payload.decode("utf-16-be")) == (PHONE, "你好")
        assert "+CMGR: 1,," in await terminal.ask(f"AT+CMGR={index}"), "read is no longer unread"
        assert "\r\nOK" in await terminal.ask(f"AT+CMGD={index}")
        assert "+CMS ERROR: 321" in await terminal.ask(f"AT+CMGR={index}")
        assert await terminal.ask("AT+CMGL=4") == "\r\nOK\r\n"


async def test_text_mode_shows_and_sends_texts():
    network = Network()
    phone = network.add_handset(PHONE)
    async with modem_at(network) as (_, terminal):
        await terminal.ask('AT+CMGF=1;+CSCS="IRA";+CNMI=2,2,0,0,0')
        await phone.send(SIM, "how are you?")
        await terminal.expect(rf'\+CMT: "\{PHONE}",,"[^"]+\+32"\r\nhow are you\?\r\n')
        terminal.type(f'AT+CMGS="{PHONE}"\r')
        await terminal.expect("> ")
        terminal.type("fine\rthanks\x1a")
        await terminal.expect(r"\+CMGS: 0\r\n\r\nOK")
        await wait_for(network, lambda: phone.inbox == ["fine\nthanks"])


async def test_a_status_report_is_handed_over_or_stored():
    network = Network()
    network.set_unreachable("+8613900139001")
    async with modem_at(network, dialect="quectel") as (_, terminal):
        await terminal.ask("AT+CNMI=2,1,0,1,0")
        assert "+CMGS: 0" in await terminal.send_pdu(submit_tpdu(report=True))
        match = await terminal.expect(r"\+CDS: (\d+)\r\n([0-9A-F]+)\r\n")
        report = decode_status_report(split_sca(bytes.fromhex(match[2]))[1])
        assert (report.tp_mr, report.tp_ra, report.tp_st) == (0, PHONE, 0)

        await terminal.ask("AT+CNMI=2,1,0,2,0")
        assert "+CMGS: 1" in await terminal.send_pdu(submit_tpdu(to="+8613900139001", report=True))
        index = (await terminal.expect(r'\+CDSI: "SR",(\d+)\r\n'))[1]
        await terminal.ask('AT+CPMS="SR"')
        answer = await terminal.ask(f"AT+CMGR={index}")
        report = decode_status_report(answer_pdu(answer, r"\+CMGR: (\d),,(\d+)\r\n([0-9A-F]+)")[2])
        assert (report.tp_mr, report.tp_st) == (1, 0x43)


async def test_no_status_report_without_asking():
    network = Network()
    phone = network.add_handset(PHONE)
    async with modem_at(network) as (_, terminal):
        await terminal.ask("AT+CNMI=2,1,0,1,0")
        await terminal.send_pdu(submit_tpdu(report=False))
        await wait_for(network, lambda: len(phone.inbox) == 1)
        assert await terminal.ask("AT") == "\r\nOK\r\n"


async def test_a_full_storage_loses_nothing():
    network = Network()
    phone = network.add_handset(PHONE)
    async with modem_at(network) as (modem, terminal):
        await terminal.ask("AT+CNMI=2,1,0,0,0")
        capacity = modem.device.storages["SM"].capacity
        for n in range(capacity + 2):
            await phone.send(SIM, f"text {n}")
        await terminal.expect(rf'\+CMTI: "SM",{capacity - 1}\r\n')
        await terminal.expect(r'\^SMMEMFULL: "SM"')
        assert f'"SM",{capacity},{capacity}' in await terminal.ask("AT+CPMS?")
        assert network.n_waiting(SIM) == 2
        await terminal.ask("AT+CMGD=3")
        await terminal.expect(r'\+CMTI: "SM",3\r\n')
        await terminal.ask("AT+CMGD=1,4")
        await terminal.expect(r'\+CMTI: "SM",0\r\n')
        answer = await terminal.ask("AT+CMGR=0")
        deliver = decode_deliver(answer_pdu(answer, r"\+CMGR: (\d),,(\d+)\r\n([0-9A-F]+)")[2])
        assert deliver.payload == encode_gsm7(f"text {capacity + 1}"), "the last one, and in order"
        await wait_for(network, lambda: len(phone.receipts) == capacity + 2)


async def test_the_message_reference_wraps():
    network = Network()
    async with modem_at(network) as (modem, terminal):
        modem.device.next_mr = 255
        assert "+CMGS: 255\r\n" in await terminal.send_pdu(submit_tpdu())
        assert "+CMGS: 0\r\n" in await terminal.send_pdu(submit_tpdu())


async def test_a_routed_message_wants_its_acknowledgement():
    network = Network()
    phone = network.add_handset(PHONE)
    async with modem_at(network) as (_, terminal):
        await terminal.ask("AT+CSMS=1;+CNMI=2,2,0,0,0")
        await phone.send(SIM, "one")
        await phone.send(SIM, "two")
        await terminal.expect(r"\+CMT: ,\d+\r\n[0-9A-F]+\r\n")
        assert await terminal.ask("AT") == "\r\nOK\r\n", (
            "the second waits for the acknowledgement of the first"
        )
        await terminal.ask("AT+CNMA")
        await terminal.expect(r"\+CMT: ,\d+\r\n[0-9A-F]+\r\n")
        assert len(phone.receipts) == 1
        await terminal.ask("AT+CNMA=1")
        assert "+CMS ERROR: 340" in await terminal.ask("AT+CNMA")
        await wait_for(network, lambda: len(phone.receipts) == 2)


async def test_a_refused_message_comes_again_into_the_storage():
    network = Network()
    phone = network.add_handset(PHONE)
    async with modem_at(network, acknowledge_time_s=0.01) as (modem, terminal):
        await terminal.ask("AT+CSMS=1;+CNMI=2,2,0,0,0")
        await phone.send(SIM, "one")
        await terminal.expect(r"\+CMT: ")
        await wait_for(network, lambda: len(phone.receipts) == 1)
        assert "+CNMI: 2,0,0,0,0" in await terminal.ask("AT+CNMI?")
        assert len(modem.device.storages["SM"].slots) == 1


async def test_a_full_storage_is_listed_whole():
    network = Network()
    phone = network.add_handset(PHONE)
    async with modem_at(network, dialect="quectel") as (modem, terminal):
        for _ in range(modem.device.storages["ME"].capacity):
            await phone.send(SIM, "长" * 70)
        await wait_for(network, lambda: len(phone.receipts) == 255)
        answer = await terminal.ask("AT+CMGL=4")
    assert re.findall(r"\+CMGL: (\d+),", answer) == [str(index) for index in range(255)]
    assert answer.count("957F" * 70 + "\r\n") == 255


async def test_unsolicited_lines_come_by_themselves_but_not_into_a_prompt():
    async with SimulatedModem(Network(), number=SIM, noise_every_s=0.01) as modem:
        with open_terminal(modem.port) as terminal:
            await terminal.expect(r"\r\n\^RSSI:\d+\r\n")
            terminal.type("ATE0\r")
            terminal.type("AT+CMGS=20\r")
            await terminal.expect("> ")
            terminal.type("\x1b")
            assert (await terminal.expect(r"(?s).*?OK"))[0] == "\r\nOK"
            await terminal.expect(r"\r\n\^BOOT:")


async def test_ussd_is_answered_in_the_dialect():
    reply = b"Balance 42.00 CNY"
    async with modem_at(Network(), dialect="quectel") as (_, terminal):
        terminal.type('AT+CUSD=1,"*100#",15\r')
        await terminal.expect(r'OK\r\n\r\n\+CUSD: 0,"Balance 42\.00 CNY",15\r\n')
    async with modem_at(Network(), dialect="huawei") as (_, terminal):
        terminal.type('AT+CUSD=1,"AA180C3602",15\r')
        match = await terminal.expect(r'OK\r\n\r\n\+CUSD: 0,"([0-9A-F]+)",15\r\n')
        assert unpack_septets(bytes.fromhex(match[1]), len(reply)) == reply
        terminal.type('AT+CUSD=1,"AA180C3601",15\r')
        await terminal.expect(r"OK\r\n\r\n\+CUSD: 4\r\n")


def answer_pdu(answer: str, pattern: str) -> tuple[int, int, bytes]:
    """Status, announced length and TPDU of an answer to AT+CMGR."""
    match = re.search(pattern, answer)
    assert match, answer
    return int(match[1]), int(match[2]), split_sca(bytes.fromhex(match[3]))[1]
