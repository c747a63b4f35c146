"""A peer in the same run: Debian's Kannel on the same simulated SMSC, with its spool on the same disk.

Its spool is a file a message without fsync; ours is a durable commit. Receipts are asked for and matched, and
neither side calls anybody when they come (Kannel's complaint that it has nobody to call is switched off).
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import aiohttp

from tests.bench.figures import Figure
from tests.bench.load import make_message, send_all
from tests.bench.operator import PASSWORD, SYSTEM_ID
from tests.bench.processes import START_S, Meter, operator, started
from tests.bench.smpp import N_CONNECTIONS, WINDOW
from tests.support.daemon import free_port

PROGRAMS = ("bearerbox", "smsbox")
DLR_MASK = 31
DLRS_EACH = 2
"""With this mask: one when the SMSC took the message, one when it was delivered."""
POLL_S = 0.05
STUCK_S = 60.0
_DLR = re.compile(r"<dlr>\s*<received>\s*<total>(\d+)")

_CONFIG = """
group = core
admin-port = {admin}
admin-password = bench
admin-interface = 127.0.0.1
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
log-file = {folder}/bearerbox.log
log-level = 2
access-log = {folder}/access.log
store-type = spool
store-location = {folder}/spool
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = {system_id}
smsc-password = {password}
system-type = bench
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-file = {folder}/smsbox.log
log-level = 4

group = sendsms-user
username = bench
password = bench
default-sender = 10690000
"""


class Ports(NamedTuple):
    """Where Kannel listens."""

    admin: int
    boxes: int
    sendsms: int


async def peer_kannel(folder: Path, n: int) -> list[Figure]:
    """The same work as `smpp-single`; nothing where Kannel is not installed."""
    if not is_installed():
        return []
    async with operator("smsc", folder) as (_, smsc_port), kannel(folder, smsc_port) as (ports, pids):
        requests = list(sendsms_requests(n))
        meter = Meter(*pids)
        began = time.perf_counter()
        accept_s, ended = await asyncio.gather(
            send_all(ports.sendsms, requests, N_CONNECTIONS), wait_receipts(ports, n * DLRS_EACH)
        )
        return [
            Figure("peer-kannel", f"{n:,} messages, until the last receipt", n / (ended - began), "msg/s"),
            Figure("peer-kannel", "until the last is accepted", n / accept_s, "msg/s"),
            Figure("peer-kannel", "CPU of bearerbox and smsbox", meter.used_s * 1e3 / n, "ms/msg"),
        ]


def is_installed() -> bool:
    """Whether Kannel is here; says so if not."""
    missing = [program for program in PROGRAMS if _find(program) is None]
    if missing:
        print(f"Kannel is left out: {' and '.join(missing)} not installed (apt install kannel)", flush=True)
    return not missing


def _find(program: str) -> str | None:
    return shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def sendsms_requests(n: int) -> Iterator[bytes]:
    """One message a request, as Kannel takes it."""
    for i in range(n):
        message = make_message(i)
        query = (
            f"username=bench&password=bench&to={quote(message['to'], safe='')}&text={quote(message['text'])}"
        )
        yield f"GET /cgi-bin/sendsms?{query}&dlr-mask={DLR_MASK} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@asynccontextmanager
async def kannel(folder: Path, smsc_port: int) -> AsyncIterator[tuple[Ports, list[int]]]:
    """Both of its programs, ready: their ports and pids."""
    (folder / "spool").mkdir()
    config = folder / "kannel.conf"
    ports = Ports(free_port(), free_port(), free_port())
    config.write_text(
        _CONFIG.format(
            folder=folder,
            smsc=smsc_port,
            window=WINDOW,
            system_id=SYSTEM_ID,
            password=PASSWORD,
            **ports._asdict(),
        ),
        encoding="utf-8",
    )
    # -v 4: only what ends them goes to their stderr; their logs are in the folder.
    async with started([_find("bearerbox"), "-v", "4", config], folder / "bearerbox.err") as bearerbox:
        await _wait_status(ports, "<status>running")
        async with started([_find("smsbox"), "-v", "4", config], folder / "smsbox.err") as smsbox:
            await _wait_status(ports, "<type>smsbox", "<status>online")
            yield ports, [bearerbox.pid, smsbox.pid]


async def _wait_status(ports: Ports, *marks: str) -> None:
    async with asyncio.timeout(START_S):
        while True:
            status = await _read_status(ports)
            if all(mark in status for mark in marks):
                return
            await asyncio.sleep(POLL_S)


async def wait_receipts(ports: Ports, n: int) -> float:
    """Wait until bearerbox has counted ``n`` receipts; the instant (`time.perf_counter`)."""
    before, progress_at = -1, time.perf_counter()
    while (found := int((_DLR.search(await _read_status(ports)) or ["", "0"])[1])) < n:
        if found != before:
            before, progress_at = found, time.perf_counter()
        elif time.perf_counter() - progress_at > STUCK_S:
            raise TimeoutError(f"{found} of {n} receipts and no more")
        await asyncio.sleep(POLL_S)
    return time.perf_counter()


async def _read_status(ports: Ports) -> str:
    """What bearerbox says of itself; nothing while it does not listen."""
    url = f"http://127.0.0.1:{ports.admin}/status.xml?password=bench"
    try:
        async with aiohttp.request("GET", url) as answer:
            return await answer.text()
    except aiohttp.ClientError:
        return ""
