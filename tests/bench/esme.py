"""Applications over SMPP: what one bind with a window of 100 gets accepted, and all the way to its receipts.

The application costs next to nothing: its PDUs are made beforehand, and of ours it reads the headers.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.constants import CommandId
from drivers.smpp.wire.pdus import BindTransceiver, DeliverSmResp, SubmitSm
from gateway.access.passwords import hash_password
from tests.bench.daemons import running
from tests.bench.figures import Figure
from tests.bench.load import make_message
from tests.bench.processes import Meter, operator
from tests.support.daemon import free_port, smpp_toml

WINDOW: Final = 100
SYSTEM_ID, PASSWORD = "bench", "secret"
STUCK_S = 120.0
_HEADER: Final = struct.Struct(">IIII")


async def esme(folder: Path, n: int) -> list[Figure]:
    """Accepting alone, while the carrier is down; then the whole way."""
    return [*await _accept(_place(folder, "accept"), n), *await _whole(_place(folder, "whole"), n)]


def _place(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    return place


async def _accept(folder: Path, n: int) -> list[Figure]:
    port = free_port()
    async with running(folder, _toml(free_port(), port), n_up=0) as (_, pid):
        application = await _connect(port)
        meter = Meter(pid)
        took_s = await application.submit_all(_submits(n, report=False))
        return [
            Figure("esme", f"{n:,} submits accepted, one bind, window {WINDOW}", n / took_s, "msg/s"),
            Figure("esme", "CPU of the daemon to accept", meter.used_s * 1e3 / n, "ms/msg"),
        ]


async def _whole(folder: Path, n: int) -> list[Figure]:
    port = free_port()
    async with (
        operator("smsc", folder) as (_, smsc_port),
        running(folder, _toml(smsc_port, port)) as (_, pid),
    ):
        application = await _connect(port)
        meter = Meter(pid)
        started = time.perf_counter()
        await application.submit_all(_submits(n, report=True))
        await application.wait_receipts(n)
        return [
            Figure(
                "esme", "until the last receipt is acknowledged", n / (time.perf_counter() - started), "msg/s"
            ),
            Figure("esme", "CPU of the daemon, receipts included", meter.used_s * 1e3 / n, "ms/msg"),
        ]


def _toml(smsc_port: int, port: int) -> str:
    return (
        smpp_toml("smsc", smsc_port, window=str(WINDOW))
        + f'[[smpp_server]]\nlisten = "127.0.0.1:{port}"\n'
        + f'[[smpp_accounts]]\nsystem_id = "{SYSTEM_ID}"\npassword_hash = "{hash_password(PASSWORD)}"\n'
        + f"window = {WINDOW}\nmax_queued = 10000000\n"
    )


def _submits(n: int, *, report: bool) -> Iterator[bytes]:
    for i in range(n):
        message = make_message(i)
        body = SubmitSm(
            source_addr="10690000",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=message["to"].removeprefix("+"),
            registered_delivery=int(report),
            short_message=message["text"].encode("ascii"),
        )
        yield encode_pdu(body, i + 1)


class _Application(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""
        self._submits: Iterator[bytes] = iter(())
        self._outstanding = 0
        self._receipts = 0
        self._wanted = -1
        self.bound: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answered = asyncio.Event()
        self._all_receipts = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(encode_pdu(BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD), 1))

    def data_received(self, data: bytes) -> None:
        received = self._received + data
        offset, answers, acknowledgements = 0, 0, []
        while len(received) - offset >= _HEADER.size:
            length, command_id, status, number = _HEADER.unpack_from(received, offset)
            if len(received) - offset < length:
                break
            offset += length
            if command_id == CommandId.SUBMIT_SM_RESP:
                assert status == 0, f"submit refused with {status:#x}"
                answers += 1
            elif command_id == CommandId.DELIVER_SM:
                acknowledgements.append(encode_pdu(DeliverSmResp(), number))
            elif command_id == CommandId.BIND_TRANSCEIVER_RESP:
                assert status == 0, f"bind refused with {status:#x}"
                self.bound.set_result(None)
        self._received = received[offset:]
        self._receipts += len(acknowledgements)
        self._outstanding -= answers
        self._transport.write(b"".join(acknowledgements) + self._next())
        if not self._outstanding:
            self._answered.set()
        if self._receipts == self._wanted:
            self._all_receipts.set()

    def _next(self) -> bytes:
        batch = [pdu for _, pdu in zip(range(WINDOW - self._outstanding), self._submits, strict=False)]
        self._outstanding += len(batch)
        return b"".join(batch)

    async def submit_all(self, submits: Iterator[bytes]) -> float:
        """Seconds until all are answered."""
        ready = list(submits)
        started = time.perf_counter()
        self._submits = iter(ready)
        self._answered.clear()
        self._transport.write(self._next())
        async with asyncio.timeout(STUCK_S):
            await self._answered.wait()
        return time.perf_counter() - started

    async def wait_receipts(self, n: int) -> None:
        """Until so many have come."""
        self._wanted = n
        if self._receipts < n:
            async with asyncio.timeout(STUCK_S):
                await self._all_receipts.wait()


async def _connect(port: int) -> _Application:
    _, application = await asyncio.get_running_loop().create_connection(_Application, "127.0.0.1", port)
    await application.bound
    return application
