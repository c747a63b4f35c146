"""Debian's Kannel as an application that binds to an SMSC: bearerbox with ``smsc = smpp``, fed through its smsbox."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp

from tests.support.daemon import free_port, until
from tests.support.kannel import has_status, started_box

_AT_ONCE = 20
_FINAL_DLRS = 3
"""dlr-mask: delivered or not; nothing about the submit itself."""

_CONFIG = """
group = core
admin-port = {admin}
admin-password = secret
admin-interface = 127.0.0.1
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
log-file = {folder}/bearerbox.log
log-level = 1
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = hongyan
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = {system_id}
smsc-password = {password}
system-type = ""
max-pending-submits = 50
{extra}

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
max-messages = 10
concatenation = true
"""


class Bearerbox:
    """A running one."""

    def __init__(self, folder: Path, admin: int, sendsms: int) -> None:
        self._folder = folder
        self._admin = admin
        self._sendsms = sendsms

    async def send_all(self, messages: list[tuple[str, str]]) -> None:
        """Send texts, each ``(number, text)``, and ask for their final receipts."""
        waiting = iter(messages)
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._send(http, waiting))

    async def _send(self, http: aiohttp.ClientSession, waiting: object) -> None:
        for to, text in waiting:  # type: ignore[attr-defined]
            url = (
                f"http://127.0.0.1:{self._sendsms}/cgi-bin/sendsms?username=app&password=pw&to={quote(to)}"
                f"&text={quote(text)}&charset=UTF-8&coding={0 if text.isascii() else 2}&dlr-mask={_FINAL_DLRS}"
                f"&dlr-url={quote('http://127.0.0.1:9/')}"
            )
            async with http.get(url) as answer:
                body = await answer.text()
                assert answer.status == 202, body

    async def counts(self) -> tuple[int, int]:
        """``(submits that were acknowledged, receipts)`` as bearerbox counts them."""
        try:
            url = f"http://127.0.0.1:{self._admin}/status.xml?password=secret"
            async with aiohttp.request("GET", url) as answer:
                status = await answer.text()
        except aiohttp.ClientError:
            return -1, -1
        sent = re.search(r"<sms>.*?<sent>\s*<total>(\d+)", status, re.DOTALL)
        receipts = re.search(r"<dlr>\s*<received>\s*<total>(\d+)", status)
        return int(sent[1]) if sent else -1, int(receipts[1]) if receipts else -1

    def log(self) -> str:
        """What bearerbox wrote down."""
        return (self._folder / "bearerbox.log").read_text("utf-8", "replace")


@asynccontextmanager
async def running_bearerbox(
    folder: Path, smsc: int, *, system_id: str, password: str, extra: str = ""
) -> AsyncIterator[Bearerbox]:
    """Kannel, bound to the SMSC at this port."""
    folder.mkdir()  # noqa: ASYNC240 - a test's own folder
    admin, boxes, sendsms = free_port(), free_port(), free_port()
    config = folder / "kannel.conf"
    config.write_text(
        _CONFIG.format(
            admin=admin,
            boxes=boxes,
            sendsms=sendsms,
            smsc=smsc,
            folder=folder,
            system_id=system_id,
            password=password,
            extra=extra,
        ),
        encoding="utf-8",
    )
    status = f"http://127.0.0.1:{admin}/status.xml?password=secret"
    async with started_box("bearerbox", config):
        await until(lambda: has_status(status))  # smsbox ends when it finds nobody
        async with started_box("smsbox", config):
            await until(lambda: has_status(status, "<type>smsbox", "<status>online"))
            yield Bearerbox(folder, admin, sendsms)
