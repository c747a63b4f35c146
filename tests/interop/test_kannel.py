"""The same asked of Debian's Kannel and of us: answers, escapes in reports, escapes and answers of inbound services."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from drivers.base import Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from tests.support.application import Application, application
from tests.support.fake_driver import ScriptedDriver
from tests.support.kannel import Kannel, find_kannel, running_kannel
from tests.support.kannel_rig import KannelRig, open_kannel_rig
from tests.support.peers import need_peer

pytestmark = pytest.mark.interop

USER = "username=app&password=pw"
MINE = f"{USER}&to=%2B8613800138000"

SAME = [
    "",
    "username=app",
    "username=app&password=no&to=13800138000",
    f"{MINE}&text=hi",
    "user=app&pass=pw&to=13800138000&text=hi",
    f"{USER}&text=hi",
    f"{USER}&to=&text=hi",
    f"{USER}&to=%20&text=hi",
    f"{USER}&to=138x&text=hi",
    f"{USER}&to=13800138000+13900139000+138x&text=hi",
    f"{MINE}&text=hi&username=other",
    f"{MINE}&text=hi&unknown=1",
    f"{MINE}&text=hi&dlr-url=ftp://x/",
    f"{MINE}&text=hi&dlr-url=x",
    f"{MINE}&text=hi&dlr-mask=67",
    f"{MINE}&text=hi&dlr-mask=63",
    f"{MINE}&text=hi&mclass=4",
    f"{MINE}&text=hi&mclass=-1",
    f"{MINE}&text=hi&mclass=0",
    f"{MINE}&text=hi&pid=256",
    f"{MINE}&text=hi&rpi=3",
    f"{MINE}&text=hi&alt-dcs=2",
    f"{MINE}&text=hi&mwi=8",
    f"{MINE}&text=hi&coding=3",
    f"{MINE}&text=hi&coding=abc",
    f"{MINE}&text=hi&compress=2",
    f"{MINE}&text=hi&validity=-2",
    f"{MINE}&text=hi&validity=10",
    f"{MINE}&text=hi&deferred=-2",
    f"{MINE}&text=hi&priority=4",
    f"{MINE}&text=hi&priority=-1",
    f"{MINE}&text=hi&priority=3",
    f"{MINE}&text=hi&charset=nonsense",
    f"{MINE}&text=%E9&charset=iso-8859-1",
    f"{MINE}&text=caf%E9",
    f"{MINE}&text=hi&udh=%05",
    f"{MINE}&text=hi&udh=",
    f"{MINE}&text=hi&udh=%05%00%03%01%02%01",
    f"{MINE}&text=a&udh=%8d{'a' * 141}",
    f"{MINE}&text=%4F%60&coding=2",
    f"{MINE}&text=%E4%BD%A0&coding=2&charset=utf-8",
    f"{MINE}&text=%00%01&coding=1",
    f"{MINE}&text={'a' * 300}&coding=1",
    f"{MINE}&text={'a' * 300}",
    f"{MINE}&text=hi&account=a%5Bb",
    f"{MINE}&text=hi&account={'a' * 65}",
    f"{MINE}&text=hi&account={'a' * 64}",
    f"{MINE}&text=hi&smsc=nowhere",
    f"{MINE}&text=hi&smsc=smsc-1",
    f"{MINE}&from=ABC&text=hi",
]

OURS = {
    # Where we would lose something and Kannel does: it writes question marks, or what the handset takes for another.
    f"{MINE}&text=%FF&charset=utf-8": (202, 400),
    f"{MINE}&text=": (202, 400),
    f"{MINE}&text=hi&pid=127": (202, 400),
    f"{MINE}&text=hi&mwi=0": (202, 400),
}
"""Query -> Kannel's status and ours: what docs/migrate-from-kannel.md lists as different."""

REPORT = (
    "d=%d&p=%p&P=%P&i=%i&n=%n&A=%A&a=%a&b=%b&e=%e&u=%u&c=%c&C=%C&q=%q&Q=%Q&m=%m&M=%M&B=%B&o=%o&O=%O&R=%R&D=%D&v=%v"
    "&V=%V&k=%k&r=%r&s=%s&f=%f&z=%z&own=1%20a"
)
INBOUND = (
    "/mo?a=%a&b=%b&B=%B&c=%c&C=%C&d=%d&D=%D&e=%e&f=%f&F=%F&i=%i&k=%k&m=%m&M=%M&o=%o&O=%O&p=%p&P=%P&q=%q&Q=%Q&s=%s"
    "&s2=%s&S=%S&r=%r&R=%R&u=%u&v=%v&V=%V&z=%z&pc=%%&end=%"
)


@pytest.fixture
async def app() -> AsyncIterator[Application]:
    async with application() as app:
        yield app


@pytest.fixture
async def kannel(tmp_path: Path, app: Application) -> AsyncIterator[Kannel]:
    need_peer("bearerbox", present=find_kannel())
    async with running_kannel(tmp_path / "kannel", f"{app.url}{INBOUND}") as kannel:
        yield kannel


@pytest.fixture
async def ours(tmp_path: Path, app: Application) -> AsyncIterator[KannelRig]:
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), get_url=f"{app.url}{INBOUND}") as rig:
        yield rig


async def ask(url: str, query: str) -> tuple[int, str, str]:
    # As a string of octets: what is percent-encoded goes out as it stands.
    async with aiohttp.request("GET", URL(f"{url}?{query}", encoded=True)) as answer:
        return answer.status, answer.content_type, await answer.text()


async def test_answers_are_kannels_word_for_word(kannel: Kannel, ours: KannelRig):
    differences = {
        query: (theirs, mine)
        for query in SAME
        if (theirs := await ask(kannel.url, query)) != (mine := await ask(ours.url, query))
    }
    assert differences == {}


async def test_the_differences_are_those_that_the_manual_lists(kannel: Kannel, ours: KannelRig):
    for query, statuses in OURS.items():
        answers = (await ask(kannel.url, query))[0], (await ask(ours.url, query))[0]
        assert answers == statuses, query


async def test_without_an_smsc_both_queue_for_later(kannel: Kannel, ours: KannelRig):
    await kannel.disconnect()
    await ours.driver.go_down()

    async def queued() -> bool:
        return (await ask(kannel.url, f"{MINE}&text=hi"))[2].startswith("3")

    await ours.rig.until(queued)
    theirs, mine = await ask(kannel.url, f"{MINE}&text=hi"), await ask(ours.url, f"{MINE}&text=hi")
    assert mine == theirs == (202, "text/html", "3: Queued for later delivery")


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "text/html", "application/json"])
async def test_posts_with_headers_are_answered_alike(kannel: Kannel, ours: KannelRig, kind: str):
    headers = {
        "Content-Type": kind,
        "X-Kannel-Username": "app",
        "X-Kannel-Password": "pw",
        "X-Kannel-To": "13800138000",
    }
    answers = []
    async with aiohttp.ClientSession() as session:
        for url in (kannel.url, ours.url):
            async with session.post(url, data=b"hello", headers=headers) as answer:
                answers.append((answer.status, await answer.text()))
    assert answers[0] == answers[1]


async def test_a_report_of_acceptance_is_the_same_call(kannel: Kannel, ours: KannelRig, app: Application):
    url = quote(f"{app.url}/dlr?{REPORT}", safe="")
    calls = []
    for gateway in (kannel.url, ours.url):
        app.calls.clear()
        await ask(gateway, f"{USER}&to=%2B8613800138000&from=106&text=hi&dlr-mask=8&dlr-url={url}")
        await ours.rig.until(lambda: app.calls)
        calls.append(app.calls[0])
    assert calls[0].method == calls[1].method == "GET"
    assert fields(calls[1].path) == fields(calls[0].path)


@pytest.mark.parametrize("text", ["FOO bar*baz+q qux end of it", "one", "a&b=c%d /?#:~ 'x'"])
async def test_an_inbound_message_is_the_same_call(
    kannel: Kannel, ours: KannelRig, app: Application, text: str
):
    await kannel.receive(f"0086138 10690000 text {text}")
    await ours.rig.until(lambda: app.calls)
    await ours.driver.report(
        InboundPart(sender="0086138", recipient="10690000", encoding=Encoding.GSM7, payload=encode_gsm7(text))
    )
    await ours.rig.until(lambda: len(app.calls) == 2)
    theirs, mine = app.calls
    assert fields(mine.path) == fields(theirs.path)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", "thank you"),
        ("text/plain", "  thank  you\n twice "),
        ("text/html", "<p>thank <b>you</b></p>"),
        ("text/plain", "x" * 200),
    ],
)
async def test_an_answer_is_sent_back_alike(
    kannel: Kannel, ours: KannelRig, app: Application, kind: str, body: str
):
    app.answers.extend(web.Response(text=body, content_type=kind) for _ in range(2))
    await kannel.receive("13800138000 10690000 text hello")
    await ours.rig.until(lambda: kannel.delivered)
    await ours.driver.report(
        InboundPart(
            sender="13800138000", recipient="10690000", encoding=Encoding.GSM7, payload=encode_gsm7("hello")
        )
    )
    await ours.driver.until_submitted(1)
    theirs = re.sub(r"^10690000 13800138000 text ", "", "\n".join(kannel.delivered))
    assert await ours.last_text() == theirs.strip()  # the line end that scripts print is no part of a text


def fields(path: str) -> dict[str, str]:
    """The raw values of a call's parameters."""
    _, _, query = path.partition("?")
    return dict(pair.split("=", 1) for pair in query.split("&"))
