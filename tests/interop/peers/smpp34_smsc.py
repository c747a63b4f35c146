"""An SMSC by other hands (smpp34 of PyPI, Rust) with the manners of tests/interop/node/server.js.

Texts are read and written by aiosmpplib's codec, so that no code of ours judges itself.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from itertools import count
from typing import Any

import smpp34
from aiosmpplib.codec import GSM7BitCodec

DELIVERED = 2
RECEIPTED_MESSAGE_ID, MESSAGE_STATE = 0x001E, 0x0427
RECEIPT, UDHI = 0x04, 0x40
UCS2 = 8


def tell(event: str, **facts: object) -> None:
    """One line to the test."""
    sys.stdout.write(json.dumps({"event": event} | facts) + "\n")
    sys.stdout.flush()


def read_text(octets: bytes, data_coding: int) -> str:
    """As a handset would show it."""
    return octets.decode("utf-16-be") if data_coding == UCS2 else GSM7BitCodec().decode(octets)[0]


def write_text(text: str, data_coding: int) -> bytes:
    """As a handset would send it."""
    return text.encode("utf-16-be") if data_coding == UCS2 else GSM7BitCodec().encode(text)[0]


def tell_submit(submit: Any, message_id: str) -> None:
    """Header and text apart; the header's elements without its length."""
    octets, udh = submit.short_message, []
    if submit.esm_class & UDHI:
        header, octets = octets[1 : octets[0] + 1], octets[octets[0] + 1 :]
        while header:
            udh.append(header[: header[1] + 2].hex())
            header = header[header[1] + 2 :]
    tell(
        "submit",
        id=message_id,
        **{"to": submit.destination_addr, "from": submit.source_addr},
        text=read_text(octets, submit.data_coding),
        udh=udh,
        data_coding=submit.data_coding,
        esm_class=submit.esm_class,
        registered_delivery=submit.registered_delivery,
    )


async def send_receipt(esme: smpp34.Esme, submit: Any, message_id: str) -> None:
    """Delivered, at once."""
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 stat:DELIVRD err:000 text:"
    answer = await esme.deliver_sm(
        submit.source_addr,
        text.encode(),
        source_addr=submit.destination_addr,
        source_addr_ton=submit.dest_addr_ton,
        source_addr_npi=submit.dest_addr_npi,
        esm_class=RECEIPT,
        tlvs=[
            smpp34.Tlv(RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0"),
            smpp34.Tlv(MESSAGE_STATE, bytes([DELIVERED])),
        ],
    )
    tell("receipt_answered", id=message_id, command_status=answer.command_status)


async def send_inbound(esme: smpp34.Esme, order: dict[str, Any]) -> None:
    """What a handset wrote."""
    udh = bytes.fromhex(order["udh"])
    answer = await esme.deliver_sm(
        order["to"],
        udh + write_text(order["text"], order["data_coding"]),
        source_addr=order["from"],
        source_addr_ton=1,
        source_addr_npi=1,
        esm_class=UDHI if udh else 0,
        data_coding=order["data_coding"],
    )
    tell("inbound_answered", command_status=answer.command_status)


class Smsc:
    """The sessions, and what to do about each event of theirs."""

    def __init__(self, server: smpp34.Server) -> None:
        self._server = server
        self._esmes: dict[str, smpp34.Esme] = {}
        self._ids = count(0x1001)
        self._tasks: set[asyncio.Task[None]] = set()
        self._bound = asyncio.Event()

    async def serve(self) -> None:
        """Until cancelled."""
        while True:
            event = await self._server.next()
            if isinstance(event, smpp34.Esme):
                self._esmes[event.session_id] = event
                self._bound.set()
                tell("bind", system_id=event.system_id)
            elif isinstance(event, smpp34.SubmitSmEvent):
                self._take(event)
            else:
                self._esmes.pop(event.session_id, None)
                tell("close")

    def _take(self, submit: smpp34.SubmitSmEvent) -> None:
        message_id = f"{next(self._ids):x}"
        tell_submit(submit, message_id)
        submit.accept(message_id=message_id)
        if submit.registered_delivery:
            self._start(send_receipt(self._esmes[submit.session_id], submit, message_id))

    async def obey(self) -> None:
        """Until the input ends."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            await self._bound.wait()  # it answers a bind before it tells us of it
            for esme in self._esmes.values():
                self._start(send_inbound(esme, json.loads(line)))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def main() -> None:
    """Listen until the input ends."""
    with socket.create_server(("127.0.0.1", 0)) as probe:  # it can't say which port it took
        port = probe.getsockname()[1]
    server = smpp34.Server(host="127.0.0.1", port=port, system_id="other-smsc")
    await server.start()
    smsc = Smsc(server)
    serving = asyncio.create_task(smsc.serve())
    tell("listening", port=port)
    await smsc.obey()
    serving.cancel()
    await server.stop()


asyncio.run(main())
