"""The driver against an SMSC that knows SMPP only through smpplib: none of our wire code on the other side."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import smpplib.smpp

from drivers.base import (
    Accepted,
    Concat,
    Encoding,
    InboundPart,
    OutboundSegment,
    Receipt,
    ReceiptState,
    SegmentId,
)
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from tests.support.recording_sink import RecordingSink

pytestmark = pytest.mark.integration


class SmpplibSmsc:
    """Answers binds, submits and enquire_links; keeps what it read."""

    def __init__(self) -> None:
        self.read: list[Any] = []
        self.changed = asyncio.Event()
        self.writer: asyncio.StreamWriter | None = None

    def send(self, name: str, sequence_number: int, **fields: Any) -> None:
        assert self.writer is not None
        pdu = smpplib.smpp.make_pdu(name, sequence=sequence_number, **fields)
        pdu.sequence = sequence_number
        self.writer.write(pdu.generate())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(4)
                octets = head + await reader.readexactly(int.from_bytes(head, "big") - 4)
                pdu = smpplib.smpp.parse_pdu(octets, sequence=0)
                self.read.append(pdu)
                self.answer(pdu)
                self.changed.set()
        writer.close()

    def answer(self, pdu: Any) -> None:
        match pdu.command:
            case "bind_transceiver":
                self.send("bind_transceiver_resp", pdu.sequence, system_id="smpplib")
            case "submit_sm":
                self.send("submit_sm_resp", pdu.sequence, message_id=f"{pdu.sequence:08X}")
            case "unbind" | "enquire_link":
                self.send(f"{pdu.command}_resp", pdu.sequence)
            case _:
                pass  # an answer to us

    def of(self, command: str) -> list[Any]:
        return [pdu for pdu in self.read if pdu.command == command]

    async def wait_for(self, command: str) -> Any:
        async with asyncio.timeout(60):
            while not self.of(command):
                self.changed.clear()
                await self.changed.wait()
        return self.of(command)[0]


@asynccontextmanager
async def bound_to_smpplib():
    smsc, sink = SmpplibSmsc(), RecordingSink()
    server = await asyncio.start_server(smsc.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    driver = SmppDriver(
        SmppConfig(
            name="a",
            host="127.0.0.1",
            port=port,
            system_id="hongyan",
            password="secret",
            source_address="10690000",
        )
    )
    run = asyncio.ensure_future(driver.run(sink))
    try:
        await sink.wait_until_up()
        yield smsc, sink, driver
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run
        server.close()
    await smsc.wait_for("unbind")


async def test_a_bind_a_long_text_its_receipt_and_a_reply():
    async with bound_to_smpplib() as (smsc, sink, driver):
        await exchange_texts(smsc, sink, driver)


async def exchange_texts(smsc: SmpplibSmsc, sink: RecordingSink, driver: SmppDriver) -> None:
    [bind] = smsc.read
    assert (bind.system_id, bind.password, bind.interface_version) == (b"hongyan", b"secret", 0x34)

    payload = "您已退订".encode("utf-16-be")
    result = await driver.submit(
        OutboundSegment(
            segment_id=SegmentId("s"),
            recipient="+8613800138000",
            encoding=Encoding.UCS2,
            payload=payload,
            udh=bytes.fromhex("050003cc0201"),
            valid_for_s=86400,
        )
    )
    [submit] = smsc.of("submit_sm")
    assert result == Accepted(reference=f"{submit.sequence:08X}")
    assert (submit.source_addr, submit.destination_addr) == (b"10690000", b"8613800138000")
    assert (submit.esm_class, submit.data_coding, submit.registered_delivery) == (0x40, 8, 1)
    assert submit.validity_period == b"000001000000000R"
    assert submit.short_message == bytes.fromhex("050003cc0201") + payload

    text = f"id:{submit.sequence:010} submit date:2401011200 done date:2401011201 stat:DELIVRD err:000"
    smsc.send(
        "deliver_sm",
        1,
        esm_class=4,
        source_addr_ton=1,
        source_addr="8613800138000",
        destination_addr="10690000",
        short_message=text.encode(),
    )
    receipt = await sink.wait_for_event(Receipt)
    assert isinstance(result, Accepted)
    assert result.reference in receipt.references
    assert receipt.state is ReceiptState.DELIVERED

    smsc.send(
        "deliver_sm",
        2,
        esm_class=0x40,
        source_addr_ton=1,
        source_addr="8613800138000",
        destination_addr="10690000",
        data_coding=8,
        short_message=bytes.fromhex("050003aa0202") + "退订".encode("utf-16-be"),
    )
    part = await sink.wait_for_event(InboundPart)
    assert part.concat == Concat(reference=0xAA, total=2, part=2)
    assert part.payload.decode("utf-16-be") == "退订"
    async with asyncio.timeout(60):
        while len(smsc.of("deliver_sm_resp")) < 2:
            smsc.changed.clear()
            await smsc.changed.wait()
    assert [pdu.status for pdu in smsc.of("deliver_sm_resp")] == [0, 0]
