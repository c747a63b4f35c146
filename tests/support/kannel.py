"""Debian's Kannel with its own `sendsms`, a fake SMSC that the test plays, and one inbound service."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.support.daemon import free_port, until

_SEARCHED = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_STOP_S = 2.0
"""Its boxes end in less, or not at all: now and then one hangs over its own threads."""

_CONFIG = """
group = core
admin-port = {admin}
admin-password = secret
admin-interface = 127.0.0.1
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
log-file = {folder}/bearerbox.log
log-level = 2
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = smsc-1
host = 127.0.0.1
port = {smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-file = {folder}/smsbox.log
log-level = 2

group = sendsms-user
username = app
password = pw
default-sender = 10690000
max-messages = 5
concatenation = true

group = sms-service
name = votes
keyword = default
catch-all = true
max-messages = 1
get-url = "{get_url}"
"""


def find_kannel() -> bool:
    """Whether both of its programs are installed."""
    return all(shutil.which(program, path=_SEARCHED) for program in ("bearerbox", "smsbox"))


@dataclass
class Kannel:
    """A running Kannel.

    Attributes:
        url: of its `sendsms`.
        delivered: lines that its fake SMSC got: sender, receiver, kind, text.
    """

    url: str
    delivered: list[str] = field(default_factory=list)
    writer: asyncio.StreamWriter | None = None

    async def receive(self, line: str) -> None:
        """A message comes in: ``SENDER RECEIVER text TEXT``."""
        assert self.writer is not None
        self.writer.write(f"{line}\n".encode())
        await self.writer.drain()

    async def disconnect(self) -> None:
        """The fake SMSC goes away."""
        assert self.writer is not None
        self.writer.close()


@asynccontextmanager
async def running_kannel(folder: Path, get_url: str) -> AsyncIterator[Kannel]:
    """bearerbox, smsbox and a fake SMSC that is connected."""
    await asyncio.to_thread(folder.mkdir)
    config = folder / "kannel.conf"
    ports = {name: free_port() for name in ("admin", "boxes", "smsc", "sendsms")}
    config.write_text(_CONFIG.format(folder=folder, get_url=get_url, **ports), encoding="utf-8")
    admin = f"http://127.0.0.1:{ports['admin']}/status.xml?password=secret"
    kannel = Kannel(f"http://127.0.0.1:{ports['sendsms']}/cgi-bin/sendsms")
    async with started_box("bearerbox", config):
        await until(lambda: has_status(admin, "<status>running"))
        async with started_box("smsbox", config):
            await until(lambda: has_status(admin, "<type>smsbox", "<status>on-line"))
            reader, kannel.writer = await asyncio.open_connection("127.0.0.1", ports["smsc"])
            listening = asyncio.create_task(_listen(reader, kannel))
            try:
                await until(lambda: has_status(admin, r"<id>smsc-1</id>(.|\n)*<status>online"))
                yield kannel
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                kannel.writer.close()


@asynccontextmanager
async def started_box(program: str, config: Path) -> AsyncIterator[None]:
    """One of Kannel's programs, ended at the end."""
    path = shutil.which(program, path=_SEARCHED)
    assert path is not None
    with (config.parent / f"{program}.err").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            path, "-v", "4", str(config), stdin=asyncio.subprocess.DEVNULL, stdout=errors, stderr=errors
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _listen(reader: asyncio.StreamReader, kannel: Kannel) -> None:
    while line := await reader.readline():
        kannel.delivered.append(line.decode("utf-8", "replace").rstrip("\n"))


async def has_status(url: str, *marks: str) -> bool:
    """Whether bearerbox answers, and its status shows all these marks."""
    try:
        async with aiohttp.request("GET", url) as answer:
            status = await answer.text()
    except aiohttp.ClientError:
        return False
    return all(re.search(mark, status) for mark in marks)
