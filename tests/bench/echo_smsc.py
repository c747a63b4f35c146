"""An SMSC that does nothing but answer, each PDU after a fixed time: ``python -m tests.bench.echo_smsc SECONDS``.

It costs so little that what is measured is the client. One line on stdout gives its port.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

from drivers.smpp.wire.constants import RESPONSE_BIT, CommandId

_BIND_ANSWER = b"echo\0"


class _Echo(asyncio.Protocol):
    """Answers everything with status 0 and its own sequence number as message id."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is whole, all together, after the fixed time."""
        buffer = self._buffer + data
        answers = []
        offset = 0
        while len(buffer) - offset >= 16:
            length = int.from_bytes(buffer[offset : offset + 4], "big")
            if len(buffer) - offset < length:
                break
            answers.append(_answer(buffer[offset + 4 : offset + 16]))
            offset += length
        self._buffer = buffer[offset:]
        asyncio.get_running_loop().call_later(self._latency_s, self._write, b"".join(answers))

    def _write(self, octets: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(octets)


def _answer(header: bytes) -> bytes:
    command_id = int.from_bytes(header[:4], "big")
    if command_id == CommandId.SUBMIT_SM:
        body = b"%d\0" % int.from_bytes(header[8:], "big")
    else:
        body = _BIND_ANSWER if command_id < CommandId.SUBMIT_SM or command_id == 9 else b""
    length = (16 + len(body)).to_bytes(4, "big")
    return length + (command_id | RESPONSE_BIT).to_bytes(4, "big") + bytes(4) + header[8:] + body


async def _serve(latency_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Echo(latency_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1])))
