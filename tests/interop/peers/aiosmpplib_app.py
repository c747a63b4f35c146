"""An application by other hands (aiosmpplib of PyPI) with the manners of tests/interop/node/client.js.

``python aiosmpplib_app.py PORT SYSTEM_ID PASSWORD``; orders are ``{"text": …, "to": …, "long": "udh" | "payload"}``.
It ends when stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from aiosmpplib import ESME, PhoneNumber, SubmitSm
from aiosmpplib.codec import GSM7BitCodec
from aiosmpplib.hook import AbstractHook
from aiosmpplib.protocol import DeliverSm, SubmitSmResp
from aiosmpplib.state import NPI, TON, SmppError

UDHI = 0x40


def tell(event: str, **facts: object) -> None:
    """One line to the test."""
    sys.stdout.write(json.dumps({"event": event} | facts) + "\n")
    sys.stdout.flush()


class Watch(AbstractHook):  # type: ignore[misc]
    """Tells what comes in, as aiosmpplib understands it."""

    async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        """Nothing to tell."""

    async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        """Parts of one message are joined before they are told."""
        if isinstance(smpp_message, DeliverSm):
            receipt = {key: str(value) for key, value in smpp_message.parse_receipt().items()}
            tell(
                "delivery",
                **{"from": smpp_message.source.number, "to": smpp_message.destination.number},
                text=smpp_message.short_message,
                log_id=smpp_message.log_id,
                receipt=receipt,
            )
        elif isinstance(smpp_message, SubmitSmResp):
            status = int(smpp_message.command_status)
            tell("submitted", command_status=status, id=smpp_message.message_id, log_id=smpp_message.log_id)

    async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:
        """It could not build or write it."""
        tell("error", code=repr(error))


def make_submit(number: int, order: dict[str, str]) -> Any:
    """Its own cutting into parts, or one long parameter."""
    text = order["text"]
    return SubmitSm(
        short_message=text,
        source=PhoneNumber("10690000"),
        destination=PhoneNumber(order["to"], TON.INTERNATIONAL, NPI.ISDN),
        encoding="gsm0338" if GSM7BitCodec.is_gsm_text(text) else "ucs2",
        esm_class=UDHI if order["long"] == "udh" else 0,
        auto_message_payload=order["long"] == "payload",
        log_id=f"order-{number}",
    )


async def main(port: str, system_id: str, password: str) -> None:
    """Bind, obey, leave."""
    esme = ESME(
        smsc_host="127.0.0.1",
        smsc_port=int(port),
        system_id=system_id,
        password=password,
        hook=Watch(),
        log_level=logging.CRITICAL,
    )
    try:
        await esme.connect()
    except SmppError as refused:
        tell("bound", command_status=int(refused.command_status))
        return
    running = asyncio.create_task(esme.start())
    tell("bound", command_status=0)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    number = 0
    while line := await reader.readline():
        number += 1
        await esme.broker.enqueue(make_submit(number, json.loads(line)))
    await esme.stop()
    await running


asyncio.run(main(*sys.argv[1:]))
