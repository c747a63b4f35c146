"""The SMS Server Tools, a gateway of others, run on a simulated modem: out, in, and a report."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from drivers.base import Encoding
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from tests.support.peers import need_peer
from tests.support.programs import has_program, started_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.interop

SIM = "+8613800138000"
PHONE = "+8613900139000"
DEADLINE_S = 60.0
POLL_S = 0.05
_FOLDERS = ("outgoing", "checked", "incoming", "failed", "sent", "report")
_CONFIG = """\
devices = stick
{folders}
stats = {spool}
infofile = {spool}/smsd.working
pidfile = {spool}/smsd.pid
logfile = {spool}/smsd.log
loglevel = 7
delaytime = 1
delaytime_mainprocess = 1
errorsleeptime = 1
autosplit = 3
decode_unicode_text = yes
incoming_utf8 = yes

[stick]
device = {port}
init = AT+CNMI=2,0,0,2,1
incoming = yes
report = yes
baudrate = 115200
memory_start = 0
"""


@asynccontextmanager
async def smsd_on(modem: SimulatedModem, spool: Path) -> AsyncIterator[None]:
    """smsd in the foreground, everything it writes under ``spool``."""
    need_peer("smsd", present=has_program("smsd"))
    for folder in _FOLDERS:
        (spool / folder).mkdir()
    folders = "\n".join(f"{folder} = {spool / folder}" for folder in _FOLDERS)
    (spool / "smsd.conf").write_text(_CONFIG.format(folders=folders, spool=spool, port=modem.port))
    async with started_program("smsd", "-t", f"-c{spool / 'smsd.conf'}"):
        yield


async def test_smsd_sends_receives_and_gets_its_report(tmp_path):
    network = Network()
    phone = network.add_handset(PHONE)
    phone.on_text = lambda _text: "收到,好的"  # smsd 3.1 loses characters from U+8000 on when it decodes
    async with (
        SimulatedModem(network, number=SIM, dialect="huawei", link=tmp_path / "port") as modem,
        smsd_on(modem, tmp_path),
    ):
        order = tmp_path / "checked-by-us"
        order.write_text(f"To: {PHONE}\nAlphabet: UTF-8\nReport: yes\n\n您的订单已发货", encoding="utf-8")
        order.rename(tmp_path / "outgoing" / "order-1")

        async with asyncio.timeout(DEADLINE_S):
            await network.wait_for(lambda: phone.inbox == ["您的订单已发货"])
            reply = await file_in(tmp_path / "incoming", lambda text: "收到,好的" in text)
            report = await file_in(
                tmp_path / "report", lambda text: "Delivered" in text or "Status: 0" in text
            )
    assert f"From: {PHONE[1:]}" in reply
    assert f"From: {PHONE[1:]}" in report
    assert read_files(tmp_path / "sent"), "smsd thinks that it was sent"


async def test_smsd_joins_what_a_handset_sent_in_parts(tmp_path):
    network = Network()
    phone = network.add_handset(PHONE)
    text = "、".join(f"第{n}条" for n in range(40))
    async with (
        SimulatedModem(network, number=SIM, dialect="quectel", link=tmp_path / "port") as modem,
        smsd_on(modem, tmp_path),
    ):
        await phone.send(SIM, text, encoding=Encoding.UCS2)
        async with asyncio.timeout(DEADLINE_S):
            assert await file_in(tmp_path / "incoming", lambda content: text in content)


async def file_in(folder: Path, wanted: Callable[[str], bool]) -> str:
    """The text of a file with the wanted content, as soon as there is one."""
    while True:
        for text in read_files(folder):
            if wanted(text):
                return text
        await asyncio.sleep(POLL_S)


def read_files(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8", errors="replace") for path in folder.iterdir()]
