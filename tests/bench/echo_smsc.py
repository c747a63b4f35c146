"""An SMSC that does nothing but answer, each PDU after a fixed time: ``python -m tests.bench.echo_smsc SECONDS``.

It costs so little that what is measured is the client, and keeps its time to a tenth of a millisecond, where the
timers of an event loop are a whole one late. It serves one client and ends with it. One line on stdout gives
its port.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections import deque

from drivers.smpp.wire.constants import RESPONSE_BIT, CommandId

_BIND_ANSWER = b"echo\0"
_CHUNK = 65536


def _serve(client: socket.socket, latency_s: float) -> None:
    """Answer until the client is gone."""
    buffer = b""
    due: deque[tuple[float, bytes]] = deque()
    while True:
        wait_s = max(0.0, due[0][0] - time.monotonic()) if due else None
        readable, _, _ = select.select([client], [], [], wait_s)
        now = time.monotonic()
        if readable:
            received = client.recv(_CHUNK)
            if not received:
                return
            answers, buffer = _answer_all(buffer + received)
            due.append((now + latency_s, answers))
        while due and due[0][0] <= now:
            client.sendall(due.popleft()[1])


def _answer_all(buffer: bytes) -> tuple[bytes, bytes]:
    """The answers to what is whole, and the rest."""
    answers = []
    offset = 0
    while len(buffer) - offset >= 16:
        length = int.from_bytes(buffer[offset : offset + 4], "big")
        if len(buffer) - offset < length:
            break
        answers.append(_answer(buffer[offset + 4 : offset + 16]))
        offset += length
    return b"".join(answers), buffer[offset:]


def _answer(header: bytes) -> bytes:
    """Status 0, and for a submit_sm its own sequence number as message id."""
    command_id = int.from_bytes(header[:4], "big")
    if command_id == CommandId.SUBMIT_SM:
        body = b"%d\0" % int.from_bytes(header[8:], "big")
    else:
        body = _BIND_ANSWER if command_id < CommandId.SUBMIT_SM or command_id == 9 else b""
    length = (16 + len(body)).to_bytes(4, "big")
    return length + (command_id | RESPONSE_BIT).to_bytes(4, "big") + bytes(4) + header[8:] + body


def _main(latency_s: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        client, _ = server.accept()
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _serve(client, latency_s)


if __name__ == "__main__":
    _main(float(sys.argv[1]))
