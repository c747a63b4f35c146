"""Inbound messages to applications as Kannel calls them, and the answers that come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from drivers.base import Encoding, InboundPart
from gateway.settings.kannel import MoRouteSettings
from tests.support.application import Application
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE
from tests.support.kannel_calls import no_calls
from tests.support.kannel_rig import open_kannel_rig

pytestmark = pytest.mark.integration


def text_part(text: str, sender: str = PHONE) -> InboundPart:
    return InboundPart(
        sender=sender, recipient="10690000", encoding=Encoding.UCS2, payload=text.encode("utf-16-be")
    )


def votes(app: Application, **more: Any) -> MoRouteSettings:
    return MoRouteSettings(name="votes", get_url=f"{app.url}/mo?p=%p&a=%a", charset="UTF-8", **more)


async def test_an_inbound_message_is_answered(tmp_path: Path, app: Application):
    app.answers.append(web.Response(text="谢谢"))
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), routes=(votes(app),)) as kannel:
        await kannel.driver.report(text_part("投票 7"))
        await kannel.driver.until_submitted(1)
        assert app.paths == [f"/mo?p={quote(PHONE)}&a={quote('投票')}+7"]
        answer = (await kannel.messages())[0]
        assert (answer.recipient, answer.text, answer.queue) == (PHONE, "谢谢", "channel:smsc-1")


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (web.Response(text=""), True),
        (web.Response(status=204), True),
        (web.json_response({"ok": True}), True),
        (web.Response(text="no"), False),
    ],
)
async def test_no_text_is_no_answer(tmp_path: Path, app: Application, answer: web.Response, reply: bool):
    app.answers.append(answer)
    route = votes(app, reply=reply)
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), routes=(route,)) as kannel:
        await kannel.driver.report(text_part("hi"))
        await kannel.rig.until(lambda: app.calls)
        await kannel.rig.until(lambda: no_calls(kannel))
        assert await kannel.messages() == []


@pytest.mark.parametrize("sender", ["+13800138000", "13800138000"])
async def test_who_writes_under_a_doubtful_number_is_answered_where_we_wrote_to_him(
    tmp_path: Path, app: Application, sender: str
):
    app.answers += [web.Response(text="who are you?"), web.Response(text="谢谢")]
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), routes=(votes(app),)) as kannel:
        await kannel.rig.until_status(await kannel.rig.send(PHONE), "sent")
        await kannel.driver.report(text_part("投票 7", sender="+13900139000"))  # nobody whom we wrote to
        await kannel.rig.until(lambda: len(app.calls) == 1)
        await kannel.rig.until(lambda: no_calls(kannel))
        await kannel.driver.report(text_part("投票 7", sender=sender))
        await kannel.rig.until(lambda: len(app.calls) == 2)
        await kannel.rig.until(lambda: no_calls(kannel))
        found = [(message.recipient, message.text) for message in await kannel.messages()]
        assert found == [(PHONE, "hello"), (PHONE, "谢谢")]


async def test_an_answer_to_who_cannot_receive_is_dropped(tmp_path: Path, app: Application):
    app.answers.append(web.Response(text="hello"))
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), routes=(votes(app),)) as kannel:
        await kannel.driver.report(text_part("hi", sender="BANK"))
        await kannel.rig.until(lambda: app.calls)
        await kannel.rig.until(lambda: no_calls(kannel))
        assert await kannel.messages() == []


async def test_an_answer_that_nobody_foresaw_is_asked_for_with_pauses(
    tmp_path: Path, app: Application, monkeypatch
):
    def read(*_: object) -> str:
        raise RecursionError

    monkeypatch.setattr("gateway.kannel.caller.read_reply", read)
    monkeypatch.setattr("gateway.outbox.deliver._STORE_PAUSE_S", 0.0)
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), routes=(votes(app),)) as kannel:

        async def is_put_off() -> bool:
            return await kannel.rig.store.read(lambda tx: tx.fetch("SELECT attempts FROM outbox")) == [(1,)]

        await kannel.driver.report(text_part("hi"))
        await kannel.rig.until(is_put_off)
        assert len(app.calls) == 1


async def test_the_first_route_that_fits_takes_it_and_others_are_nobodys(tmp_path: Path, app: Application):
    routes = (
        MoRouteSettings(name="a", get_url=f"{app.url}/a", keywords=("vote",)),
        MoRouteSettings(name="b", post_url=f"{app.url}/b", channels=("smsc-1",), keywords=("vote", "help")),
    )
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), routes=routes) as kannel:
        for text in ("nothing", "VOTE 1", "help me"):
            await kannel.driver.report(text_part(text))
        await kannel.rig.until(lambda: len(app.calls) == 2)
        assert sorted(app.paths) == ["/a", "/b"]
        post = next(seen for seen in app.calls if seen.method == "POST")
        assert post.body.decode("utf-16-be") == "help me"
        assert post.headers["X-Kannel-From"] == PHONE


async def test_a_sender_with_control_characters_is_posted_without_them(tmp_path: Path, app: Application):
    route = MoRouteSettings(name="all", post_url=f"{app.url}/all")
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), routes=(route,)) as kannel:
        await kannel.driver.report(text_part("hi", sender="MY\r\nBANK\x0c\x7f"))
        await kannel.rig.until(lambda: app.calls)
        assert app.calls[0].headers["X-Kannel-From"] == "MY  BANK"
        await kannel.rig.until(lambda: no_calls(kannel))
