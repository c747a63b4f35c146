"""The pages of messages: the list finds them, one tells its story, and its buttons do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.ids import InboundId, make_id
from gateway.model.message import NEAR_OPT_OUT, InboundMessage, MessageStatus
from gateway.model.user import Role
from gateway.store.inbound import save_inbound
from gateway.store.ports import Tx
from tests.support.console import ConsoleRig, open_console

NUMBER = "+8613800138000"
OTHER = "+8613900139000"


async def _set_status(rig: ConsoleRig, message_id: str, status: MessageStatus) -> None:
    async def op(tx: Tx) -> None:
        await tx.execute("UPDATE messages SET status = ? WHERE id = ?", (status.value, message_id))
        await tx.execute("UPDATE segments SET status = ? WHERE message_id = ?", (status.value, message_id))

    await rig.api.store.write(op)


async def test_the_list_is_narrowed_by_every_filter_and_can_be_taken_out(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        await rig.api.send(NUMBER, "your parcel is here", reference="order-7", tags=["shop"])
        await rig.api.send(OTHER, "another one")
        page = (await visitor.get("/messages")).text
        assert "your parcel is here" in page
        assert "another one" in page
        for query in (
            "to=13800138000",
            "tag=shop",
            "reference=order-7",
            f"to={NUMBER.replace('+', '%2B')}&status=queued&since=2020-01-01T00:00&until=2099-01-01T00:00",
        ):
            page = (await visitor.get(f"/messages?{query}")).text
            assert "your parcel is here" in page, query
            assert "another one" not in page, query
        for query in ("status=failed", "channel=sim-9", "batch=none", "since=2099-01-01T00:00"):
            assert "Nothing matches." in (await visitor.get(f"/messages?{query}")).text, query
        for query in ("to=hello", "status=nonsense", "since=yesterday"):
            assert 'role="alert"' in (await visitor.get(f"/messages?{query}")).text, query
        file = (await visitor.get("/messages?format=csv")).text
        assert "your parcel is here" in file
        assert NUMBER in file


async def test_long_lists_go_by_pages(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        for i in range(51):
            await rig.api.send(NUMBER, f"text number {i}.")
        first = (await visitor.get("/messages?status=queued")).text
        assert "text number 50." in first
        assert "text number 0." not in first
        following = first.split('rel="next" href="/console')[1].split('"')[0].replace("&amp;", "&")
        second = (await visitor.get(following)).text
        assert "text number 0." in second
        assert "text number 50." not in second


async def test_one_message_tells_why_it_waits_and_is_taken_back(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        sent = await rig.api.send(NUMBER, "<b>hello</b>")
        path = f"/messages/{sent['id']}"
        page = (await visitor.get(path)).text
        for words in ("&lt;b&gt;hello", "It was accepted.", "Why it waits", "Take this message back?"):
            assert words in page
        assert (await visitor.post(f"{path}/cancel")).location == f"/console{path}"
        page = (await visitor.get(path)).text
        for words in ("The message is canceled.", "It was taken back.", "by user:admin"):
            assert words in page
        assert "Take this message back?" not in page
        await visitor.post(f"{path}/cancel")
        assert "only a scheduled or queued one can be canceled" in (await visitor.get(path)).text
        for missing in ("/messages/none", f"/messages/{'0' * len(sent['id'])}"):
            assert (await visitor.get(missing)).status == 404


@pytest.mark.parametrize(
    ("status", "warning"),
    [
        (MessageStatus.UNCERTAIN, "the person gets it twice, and it is paid for twice"),
        (MessageStatus.FAILED, "Where the network was wrong, the person gets it twice"),
    ],
)
async def test_sending_again_says_that_it_may_arrive_twice(
    tmp_path: Path, status: MessageStatus, warning: str
) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        sent = await rig.api.send(NUMBER, "hello")
        path = f"/messages/{sent['id']}"
        assert f"{path}/resend" not in (await visitor.get(path)).text
        await _set_status(rig, sent["id"], status)
        assert warning in (await visitor.get(path)).text
        await visitor.post(f"{path}/resend")
        page = (await visitor.get(path)).text
        for words in ("The message is sent again.", "to be sent again by a person", "by user:admin"):
            assert words in page
        await visitor.post(f"{path}/resend")
        assert "only these can be resent" in (await visitor.get(path)).text


async def test_who_only_looks_has_no_buttons_and_sees_numbers_in_part(tmp_path: Path) -> None:
    async with open_console(tmp_path, masks=True) as rig:
        await rig.add_user("viewer", Role.VIEWER)
        sent = await rig.api.send(NUMBER, "hello")
        path = f"/messages/{sent['id']}"
        async with rig.visitor("viewer") as visitor:
            for page in ((await visitor.get("/messages")).text, (await visitor.get(path)).text):
                assert NUMBER not in page
                assert "+861******8000" in page
            assert f"{path}/cancel" not in (await visitor.get(path)).text
            for deed in ("cancel", "resend"):
                assert (await visitor.post(f"{path}/{deed}")).status == 403


async def test_the_pages_speak_chinese(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin", "zh") as visitor:
        sent = await rig.api.send(NUMBER, "hello")
        assert "已接收" in (await visitor.get(f"/messages/{sent['id']}")).text


def _once(page: str) -> str:
    return page.split('name="once" value="')[1].split('"', maxsplit=1)[0]


async def _texts(rig: ConsoleRig) -> list[str]:
    _, page = await rig.api.call("GET", "/v1/messages")
    return [one["text"] for one in page["items"]]


async def test_a_preview_shows_the_phone_the_segments_and_the_rules_and_sends_nothing(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        once = _once((await visitor.get("/send?to=13800138000")).text)
        fields = {"once": once, "to": NUMBER, "text": "您好 t.cn/abc <b>" + "字" * 80, "category": "otp"}
        page = (await visitor.post("/send/preview", fields)).text
        for words in ("<mark>t.cn/abc</mark>", "&lt;b&gt;", "ucs2", "What rules would say", "<dd>2</dd>"):
            assert words in page, words
        assert _once(page) == once
        assert "Write a number to see" in (await visitor.post("/send/preview", {"text": "hello"})).text
        wrong = await visitor.post("/send/preview", {"to": "hello", "text": "hello"})
        assert wrong.status == 422
        assert 'id="fault-to"' in wrong.text
        assert not await _texts(rig)


async def test_a_double_press_sends_once_and_the_story_names_who_sent(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        fields = {"once": _once((await visitor.get("/send")).text), "to": NUMBER, "text": "hello"}
        first, second = await visitor.post("/send", fields), await visitor.post("/send", fields)
        assert first.location == second.location
        assert "by user:admin" in (await visitor.get(first.location.removeprefix("/console"))).text
        assert await _texts(rig) == ["hello"]
        other = await visitor.post("/send", fields | {"text": "something else"})
        assert other.status == 409
        assert "something else" in other.text
        again = fields | {"text": "something else", "once": _once(other.text)}
        assert (await visitor.post("/send", again)).status == 303
        assert sorted(await _texts(rig)) == ["hello", "something else"]


async def test_what_would_be_refused_stays_in_the_form(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        for fields, words in (
            ({"to": "hello", "text": "my long text"}, "my long text"),
            ({"to": NUMBER, "text": ""}, "write a text"),
            ({"to": NUMBER, "text": "hello", "channel": "sim-9"}, 'role="alert"'),
            ({"to": NUMBER, "text": "hello", "category": "nonsense"}, 'role="alert"'),
        ):
            answer = await visitor.post("/send", fields)
            assert answer.status == 422
            assert words in answer.text
        assert not await _texts(rig)
        await rig.add_user("viewer", Role.VIEWER)
        async with rig.visitor("viewer") as viewer:
            assert (await viewer.get("/send")).status == 403
            assert (await viewer.post("/send", {"to": NUMBER, "text": "hello"})).status == 403


async def _receive(rig: ConsoleRig, text: str, sender: str = NUMBER, flag: str | None = None) -> None:
    inbound = InboundMessage(
        id=InboundId(make_id()),
        sender=sender,
        recipient="10690001",
        channel="sim-1",
        text=text,
        encoding="gsm7",
        parts=1,
        complete=True,
        received_at=rig.api.clock.now(),
        flag=flag,
    )
    await rig.api.store.write(lambda tx: save_inbound(tx, inbound))


async def test_what_people_wrote_is_listed_and_what_sounds_like_no_goes_on_the_list(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "Nobody has written yet." in (await visitor.get("/inbound")).text
        await _receive(rig, "where is my parcel?")
        await _receive(rig, "please no more of this", OTHER, NEAR_OPT_OUT)
        page = (await visitor.get("/inbound")).text
        for words in ("where is my parcel?", "please no more", "sounds like no", "/suppressions/add"):
            assert words in page
        for query in ("flag=near_opt_out", "from=13900139000", "to=10690001&from=%2B8613900139000"):
            page = (await visitor.get(f"/inbound?{query}")).text
            assert "please no more" in page, query
            assert "where is my parcel?" not in page, query
        assert "Nothing matches." in (await visitor.get("/inbound?since=2099-01-01T00:00")).text
        assert 'role="alert"' in (await visitor.get("/inbound?flag=nonsense")).text
        assert "where is my parcel?" in (await visitor.get("/inbound?format=csv")).text


async def test_a_conversation_has_both_ways_newest_first_and_is_answered_once(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        await rig.api.send(NUMBER, "your parcel is here")
        await _receive(rig, "which door?")
        await _receive(rig, "somebody else", OTHER)
        path = "/conversations/%2B8613800138000"
        page = (await visitor.get(path)).text
        assert page.index("which door?") < page.index("your parcel is here")
        assert "somebody else" not in page
        assert '<option value="sim-1" selected>' in page
        fields = {"once": _once(page), "text": "the red one", "channel": "sim-1"}
        assert (await visitor.post(path, fields)).location == f"/console{path}"
        await visitor.post(path, fields)
        page = (await visitor.get(path)).text
        assert page.count("the red one") == 1
        assert page.index("the red one") < page.index("which door?")
        empty = await visitor.post(path, {"text": ""})
        assert empty.status == 422
        assert "write a text" in empty.text


async def test_a_long_conversation_goes_by_pages_without_loss(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        for i in range(20):
            await rig.api.send(NUMBER, f"ours {i}.")
            await _receive(rig, f"theirs {i}.")
        path = "/conversations/%2B8613800138000"
        first = (await visitor.get(path)).text
        following = first.split('rel="next" href="')[1].split('"', maxsplit=1)[0]
        second = (await visitor.get(path + following)).text
        for words in [f"{who} {i}." for who in ("ours", "theirs") for i in range(20)]:
            assert (f">{words}<" in first) != (f">{words}<" in second), words


async def test_who_sees_numbers_in_part_reads_no_whole_one_in_what_came(tmp_path: Path) -> None:
    async with open_console(tmp_path, masks=True) as rig:
        await rig.add_user("viewer", Role.VIEWER)
        await _receive(rig, "which door?")
        async with rig.visitor("viewer") as visitor:
            page = (await visitor.get("/inbound")).text
            assert "which door?" in page
            assert "13800138000" not in page
            path = "/conversations/%2B8613800138000"
            assert "Answer" not in (await visitor.get(path)).text
            assert (await visitor.post(path, {"text": "hello"})).status == 403
