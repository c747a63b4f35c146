"""An SMSC that does nothing but answer, each PDU after a fixed time: ``python -m tests.bench.echo_smsc``.

It costs so little that what is measured is the client, and keeps its time to a tenth of a millisecond, where the
timers of an event loop are a whole one late. It serves one client after the other and ends with its parent. One line
on stdout gives its port. With ``--receipt-s`` every submit_sm that asks for a receipt gets one.
"""

from __future__ import annotations

import argparse
import heapq
import select
import socket
import struct
import time
from pathlib import Path
from typing import Final, TextIO

from drivers.smpp.wire.constants import RESPONSE_BIT, CommandId

_BIND_ANSWER: Final = b"echo\0"
_CHUNK: Final = 262_144
_HEADER: Final = struct.Struct(">IIII")
_SUBMIT: Final = int(CommandId.SUBMIT_SM)
_FIRST_ID: Final = 1_000_000_000
_RECEIPT: Final = (
    b"id:%d sub:001 dlvrd:001 submit date:2611300000 done date:2611300000 stat:DELIVRD err:000 text:"
)


class _Smsc:
    """What it owes to its client, by the time that it is due.

    Args:
        latency_s: from a PDU to its answer.
        receipt_s: from a submit_sm to its receipt; None for no receipts.
        times: gets a line for each submit_sm: the machine's monotonic clock in seconds.
    """

    def __init__(self, latency_s: float, receipt_s: float | None, times: TextIO | None) -> None:
        self._latency_s = latency_s
        self._receipt_s = receipt_s
        self._times = times
        self._n_owed = 0
        self._due: list[tuple[float, int, bytes]] = []
        self._last_id = _FIRST_ID
        self._last_number = 0

    def serve(self, client: socket.socket) -> None:
        """Answer until the client is gone."""
        buffer = b""
        self._due.clear()
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            readable, _, _ = select.select([client], [], [], wait_s)
            now = time.monotonic()
            if readable:
                received = client.recv(_CHUNK)
                if not received:
                    return
                buffer = self._take_all(buffer + received, now)
            ready = []
            while self._due and self._due[0][0] <= now:
                ready.append(heapq.heappop(self._due)[2])
            if ready:
                client.sendall(b"".join(ready))

    def _owe(self, at: float, octets: list[bytes]) -> None:
        if octets:
            self._n_owed += 1
            heapq.heappush(self._due, (at, self._n_owed, b"".join(octets)))

    def _take_all(self, buffer: bytes, now: float) -> bytes:
        """Take what is whole; the rest."""
        answers: list[bytes] = []
        receipts: list[bytes] = []
        offset = 0
        while len(buffer) - offset >= 16:
            length, command_id, _, number = _HEADER.unpack_from(buffer, offset)
            if len(buffer) - offset < length:
                break
            if command_id == _SUBMIT:
                self._last_id += 1
                body = b"%d\0" % self._last_id
                if self._times is not None:
                    self._times.write(f"{now:.6f}\n")
                if self._receipt_s is not None:
                    receipts += self._make_receipt(buffer, offset)
            else:
                body = _BIND_ANSWER if command_id in _BINDS else b""
            offset += length
            if not command_id & RESPONSE_BIT:
                answers.append(_HEADER.pack(16 + len(body), command_id | RESPONSE_BIT, 0, number) + body)
        self._owe(now + self._latency_s, answers)
        if self._receipt_s is not None:
            self._owe(now + self._receipt_s, receipts)
        return buffer[offset:]

    def _make_receipt(self, buffer: bytes, offset: int) -> list[bytes]:
        """The deliver_sm that belongs to the submit_sm at ``offset``; none where none is wanted."""
        source = buffer.index(0, offset + 16) + 1
        destination = buffer.index(0, source + 2) + 1
        end = buffer.index(0, destination + 2) + 1
        validity = buffer.index(0, end + 3) + 1
        registered = buffer.index(0, validity) + 1
        if not buffer[registered]:
            return []
        text = _RECEIPT % self._last_id
        body = b"".join(
            (
                b"\0",
                buffer[destination:end],
                buffer[source:destination],
                b"\4\0\0\0\0\0\0\0\0",
                bytes((len(text),)),
                text,
            )
        )
        self._last_number += 1
        return [_HEADER.pack(16 + len(body), CommandId.DELIVER_SM, 0, self._last_number), body]


_BINDS: Final = {CommandId.BIND_RECEIVER, CommandId.BIND_TRANSMITTER, CommandId.BIND_TRANSCEIVER}


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--receipt-s", type=float)
    parser.add_argument("--times", type=Path, help="when each submit_sm came")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    options = parser.parse_args()
    times = None if options.times is None else options.times.open("w", buffering=1)
    smsc = _Smsc(options.latency_s, options.receipt_s, times)
    with socket.create_server(("127.0.0.1", options.port)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            client, _ = server.accept()
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    smsc.serve(client)
                except ConnectionError:
                    continue  # the next one


if __name__ == "__main__":
    _main()
