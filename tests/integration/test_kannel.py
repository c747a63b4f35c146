"""Kannel's calls over HTTP: what becomes of messages, and calls to applications that fail, hang, outlive a crash."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from drivers.base import Encoding, FaultKind, InboundPart, ReceiptState
from gateway.errors import StoreFull
from gateway.kannel.caller import GIVE_UP, MAX_PER_HOST
from gateway.model.message import Message, MessageStatus
from gateway.pipeline.verbs import opt_out
from gateway.runtime.kannel_settings import KannelAccountSettings, MoRouteSettings
from gateway.runtime.secrets import Secret
from gateway.store.kannel import count_calls, find_next_due, find_wishes, forget_wishes
from tests.support.application import Application, application
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import PHONE, receipt
from tests.support.kannel_rig import KannelRig, open_kannel_rig

pytestmark = pytest.mark.integration

TO = quote(PHONE)
OTHER = "+8613900139000"
ACCEPTED = (202, "0: Accepted for delivery")


@pytest.fixture
async def app() -> AsyncIterator[Application]:
    async with application() as app:
        yield app


@pytest.fixture
async def kannel(tmp_path: Path) -> AsyncIterator[KannelRig]:
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1")) as kannel:
        yield kannel


async def call(kannel: KannelRig, query: str, **options: Any) -> tuple[int, str]:
    method = "POST" if options else "GET"
    url = URL(f"{kannel.url}?{query}", encoded=True)
    async with aiohttp.request(method, url, **options) as answer:
        return answer.status, await answer.text()


async def send(kannel: KannelRig, query: str, to: str = TO) -> Message:
    assert await call(kannel, f"username=app&password=pw&to={to}&{query}") == ACCEPTED
    return (await kannel.messages())[-1]


def dlr(app: Application, pattern: str = "d=%d", mask: int = 31) -> str:
    return f"text=hi&dlr-mask={mask}&dlr-url={quote(f'{app.url}/?{pattern}', safe='')}"


def text_part(text: str, sender: str = PHONE) -> InboundPart:
    return InboundPart(
        sender=sender, recipient="10690000", encoding=Encoding.UCS2, payload=text.encode("utf-16-be")
    )


# --- sendsms


async def test_a_message_is_what_was_asked_for(kannel: KannelRig):
    message = await send(
        kannel, "text=caf%C3%A9&mclass=0&validity=10&priority=2&account=shop&binfo=b-1&smsc=smsc-1"
    )
    assert (message.recipient, message.text, message.flash) == (PHONE, "café", True)
    assert (message.valid_for_s, message.priority) == (600, 7)
    assert (message.tags, message.reference) == (("shop",), "b-1")
    assert (message.channel, message.queue, message.key_id) == ("smsc-1", "channel:smsc-1", "kannel:app")
    await kannel.driver.until_submitted(1)


async def test_strangers_are_told_so_in_kannels_words_and_the_right_ones_get_in_after_them(kannel: KannelRig):
    refused = (403, "Authorization failed for sendsms")
    assert await call(kannel, f"username=app&password=no&to={TO}&text=hi") == refused
    assert await call(kannel, f"username=nobody&password=pw&to={TO}&text=hi") == refused
    assert await call(kannel, f"to={TO}&text=hi") == refused
    assert await kannel.messages() == []
    await send(kannel, "text=hi")


async def test_deferred_messages_wait(kannel: KannelRig):
    message = await send(kannel, "text=later&deferred=30")
    assert message.status is MessageStatus.SCHEDULED
    assert message.schedule_at == kannel.rig.clock.now().replace(microsecond=589_000) + timedelta(minutes=30)
    await kannel.rig.advance(1_801)
    await kannel.driver.until_submitted(1)


async def test_the_sender_is_the_clients_where_its_account_allows_that(tmp_path: Path):
    account = KannelAccountSettings(
        username="app", password=Secret("pw"), default_sender="1069", senders=("1069*", "Shop")
    )
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        for query in ("from=Shop", "from=10691", "from=Bank", ""):
            await send(kannel, f"text=hi&{query}")
        await kannel.driver.until_submitted(4)
        assert [segment.sender for segment in kannel.driver.submitted] == ["Shop", "10691", None, "1069"]


async def test_several_receivers_get_a_message_each_once(kannel: KannelRig):
    await send(kannel, "text=hi", to="13800138000+%2B8613800138000+8613900139000+nonsense+10086")
    assert [m.recipient for m in await kannel.messages()] == [PHONE, OTHER, "10086"]


async def test_a_long_text_and_many_receivers_fit_into_a_url(kannel: KannelRig):
    await send(kannel, f"text={'%E4%BD%A0' * 2_000}", to="+".join(f"139{n:08}" for n in range(500)))
    assert len(await kannel.messages(limit=1_000)) == 500


async def test_international_numbers_need_no_plus_where_the_account_says_so(tmp_path: Path):
    account = KannelAccountSettings(username="app", password=Secret("pw"), international=True)
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        for number in ("447700900123", "8613800138000", "008613900139000", "10086"):
            await send(kannel, "text=hi", to=number)
        found = [message.recipient for message in await kannel.messages()]
        assert found == ["+447700900123", PHONE, OTHER, "10086"]


@pytest.mark.parametrize(
    ("query", "encoding", "segments"),
    [
        ("text=hi", "gsm7", [b"hi"]),
        ("text=%E4%BD%A0&coding=0", "ucs2", [b"\x4f\x60"]),  # Kannel would send a question mark
        ("text=hi&coding=2&charset=utf-8", "ucs2", [b"\x00h\x00i"]),
        ("text=%00%FF&coding=1", "binary", [b"\x00\xff"]),
        (f"text={'a' * 150}&coding=1", "binary", [b"a" * 134, b"a" * 16]),
        (f"text={'a' * 140}&coding=1&udh=%04%0b%02%00%01", "binary", [b"a" * 130, b"a" * 10]),
    ],
)
async def test_codings_on_the_wire(kannel: KannelRig, query: str, encoding: str, segments: list[bytes]):
    message = await send(kannel, query)
    await kannel.driver.until_submitted(len(segments))
    assert message.encoding == encoding
    assert [segment.payload for segment in kannel.driver.submitted] == segments
    assert all(len(s.udh) + len(s.payload) <= 140 for s in kannel.driver.submitted if encoding == "binary")


@pytest.mark.parametrize("coding", [0, 1, 2])
async def test_a_header_of_the_clients_own_goes_out_as_it_is(kannel: KannelRig, coding: int):
    text = "%4F%60" if coding == 2 else "hi"
    await send(kannel, f"udh=%05%00%03%07%02%01&coding={coding}&text={text}")
    await kannel.driver.until_submitted(1)
    segment = kannel.driver.submitted[0]
    assert segment.udh == b"\x05\x00\x03\x07\x02\x01"
    assert segment.payload == (b"\x4f\x60" if coding == 2 else b"hi")


async def test_a_text_too_long_for_its_header_is_refused(kannel: KannelRig):
    query = f"username=app&password=pw&to={TO}&udh=%05%00%03%07%02%01&coding=0&text={'a' * 154}"
    assert await call(kannel, query) == (400, "Charset or body misformed, rejected")
    assert await kannel.messages() == []


async def test_a_form_is_as_good_as_a_query(kannel: KannelRig):
    form = {"username": "app", "password": "pw", "to": PHONE, "text": "你好"}
    assert await call(kannel, "", data=form) == ACCEPTED
    assert (await kannel.messages())[0].text == "你好"


async def test_a_post_has_its_parameters_in_headers(kannel: KannelRig):
    headers = {
        "X-Kannel-Username": "app",
        "X-Kannel-Password": "pw",
        "X-Kannel-To": PHONE,
        "X-Kannel-UDH": "0605040b8400ff",
        "Content-Type": "application/octet-stream",
    }
    assert await call(kannel, "", data=b"\x01\x02", headers=headers) == ACCEPTED
    message = (await kannel.messages())[0]
    assert (message.data, message.udh) == (b"\x01\x02", bytes.fromhex("0605040b8400ff"))
    headers["X-Kannel-UDH"] = "nonsense"
    assert await call(kannel, "", data=b"", headers=headers) == (400, "UDH field misformed, rejected")


async def test_a_store_that_is_full_is_a_temporal_failure(kannel: KannelRig, monkeypatch):
    async def full(_op: object) -> None:
        raise StoreFull("no room")

    monkeypatch.setattr(kannel.rig.store, "write", full)
    answer = await call(kannel, f"username=app&password=pw&to={TO}&text=hi")
    assert answer == (503, "Temporal failure, try again later.")


async def test_who_opted_out_gets_nothing_and_the_client_hears_it(tmp_path: Path, app: Application):
    account = KannelAccountSettings(username="app", password=Secret("pw"), category="marketing")
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        await opt_out(kannel.rig.store, kannel.rig.clock, PHONE, source="api")
        query = f"username=app&password=pw&to={TO}&{dlr(app)}"
        denied = (400, "Number(s) has/have been denied by white- and/or black-lists.")
        assert await call(kannel, query) == denied
        # Among others it is told by a report.
        both = f"username=app&password=pw&to={TO}+{quote(OTHER)}&{dlr(app, '%d-%p', 16)}"
        assert await call(kannel, both) == ACCEPTED
        await kannel.rig.until(lambda: app.calls)
        assert app.paths == [f"/?16-{quote(PHONE)}"]
        assert kannel.driver.recipients() == [OTHER]


async def test_a_channel_that_no_longer_exists_is_not_routable(tmp_path: Path):
    account = KannelAccountSettings(username="app", password=Secret("pw"), group="gone")
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        answer = await call(kannel, f"username=app&password=pw&to={TO}&text=hi")
        assert answer == (403, "Not routable. Do not try again.")


# --- reports


async def test_reports_come_in_order_with_what_they_say(kannel: KannelRig, app: Application):
    kannel.driver.script.append(accepted("r1"))
    message = await send(kannel, dlr(app, "d=%d&to=%p&from=%P&id=%I&f=%F&i=%i&mine=1") + "&from=106")
    await kannel.rig.until(lambda: app.calls)
    await kannel.driver.report(receipt("r1"))
    await kannel.rig.until(lambda: len(app.calls) == 2)
    rest = f"&to={quote(PHONE)}&from=106&id={message.id}&f=r1&i=smsc-1&mine=1"
    assert app.paths == [f"/?d=8{rest}", f"/?d=1{rest}"]
    await kannel.rig.until(lambda: no_calls(kannel))


@pytest.mark.parametrize(
    ("step", "state", "values"),
    [
        (None, "delivered", ["8", "1"]),
        (None, "undeliverable", ["8", "2"]),
        (None, "expired", ["8", "2"]),
        (refused(FaultKind.PERMANENT), None, ["16"]),
    ],
)
async def test_values(kannel: KannelRig, app: Application, step: Any, state: str | None, values: list[str]):
    kannel.driver.script.append(step or accepted("r1"))
    await send(kannel, dlr(app, "%d"))
    await kannel.rig.until(lambda: app.calls)
    if state:
        await kannel.driver.report(receipt("r1", state=ReceiptState(state)))
    await kannel.rig.until(lambda: len(app.calls) == len(values))
    assert app.paths == [f"/?{value}" for value in values]


@pytest.mark.parametrize(
    ("mask", "values"), [(63, ["8", "4", "1"]), (32 + 1, ["32", "1"]), (1 + 8, ["8", "1"])]
)
async def test_word_on_the_way(kannel: KannelRig, app: Application, mask: int, values: list[str]):
    kannel.driver.script.append(accepted("r1"))
    message = await send(kannel, dlr(app, "%d-%F-%i-%p", mask=mask))
    await kannel.rig.until_status(message, "sent")
    await kannel.driver.report(receipt("r1", state=ReceiptState.ENROUTE))
    await kannel.driver.report(receipt("r1"))
    await kannel.rig.until(lambda: len(app.calls) == len(values))
    assert app.paths == [f"/?{value}-r1-smsc-1-{quote(PHONE)}" for value in values]


async def test_of_what_is_uncertain_nothing_is_told_until_it_is_known(kannel: KannelRig, app: Application):
    kannel.driver.script.append(uncertain())
    message = await send(kannel, dlr(app, "%d"))
    await kannel.rig.until_status(message, "uncertain")
    assert app.calls == []
    await kannel.driver.report(receipt("r9", to=PHONE))
    await kannel.rig.until(lambda: app.calls)
    assert app.paths == ["/?1"]


async def test_the_mask_and_the_url_decide(kannel: KannelRig, app: Application):
    await send(kannel, dlr(app, "only-final", mask=3))
    await send(kannel, "text=hi&dlr-mask=31")  # nobody to call
    await send(kannel, dlr(app, "never", mask=0))
    await send(kannel, dlr(app, "last", mask=8))
    await kannel.rig.until(lambda: app.calls)
    assert app.paths == ["/?last"]


async def test_an_account_may_have_a_url_of_its_own(tmp_path: Path, app: Application):
    account = KannelAccountSettings(username="app", password=Secret("pw"), dlr_url=f"{app.url}/own?%d-%n")
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        await send(kannel, "text=hi&dlr-mask=8")
        await kannel.rig.until(lambda: app.calls)
        assert app.paths == ["/own?8-app"]


async def test_a_call_that_fails_is_made_again_and_later_ones_wait(kannel: KannelRig, app: Application):
    app.answers.extend([web.Response(status=500), web.Response(status=302, headers={"Location": "ftp://x/"})])
    kannel.driver.script.append(accepted("r1"))
    await send(kannel, dlr(app, "%d"))
    await kannel.rig.until(lambda: app.calls)
    await kannel.driver.report(receipt("r1"))
    for n in (2, 3):
        await kannel.rig.until(partial(attempts, kannel, n - 1))
        kannel.rig.clock.advance(60)
        await nudge(kannel)
        await kannel.rig.until(partial(lambda n: len(app.calls) >= n, n))
    await kannel.rig.until(lambda: "/?1" in app.paths)
    assert app.paths == ["/?8", "/?8", "/?8", "/?1"]


async def test_the_pause_is_that_of_the_call_that_the_others_wait_for(kannel: KannelRig, app: Application):
    app.answers.append(web.Response(status=500))
    kannel.driver.script.append(accepted("r1"))
    await send(kannel, dlr(app, "%d"))
    await kannel.rig.until(lambda: attempts(kannel, 1))
    await kannel.driver.report(receipt("r1"))
    await kannel.rig.until(partial(n_calls, kannel, 2))
    find = partial(find_next_due, busy_subjects=[], busy_hosts=[])
    next_due = await kannel.rig.store.read(find)
    assert next_due is not None
    assert 2.5 <= (next_due - kannel.rig.clock.now()).total_seconds() <= 5
    assert app.paths == ["/?8"]


async def test_what_nobody_hears_for_a_day_is_given_up(kannel: KannelRig, app: Application):
    app.answers.extend(web.Response(status=404) for _ in range(2))
    await send(kannel, dlr(app, "%d", mask=8))
    await kannel.rig.until(lambda: attempts(kannel, 1))
    kannel.rig.clock.advance(GIVE_UP.total_seconds())
    await nudge(kannel)
    await kannel.rig.until(lambda: no_calls(kannel))
    assert app.paths.count("/?8") == 2


async def test_an_application_that_hangs_holds_up_only_its_own_calls(kannel: KannelRig, app: Application):
    app.open.clear()
    for _ in range(MAX_PER_HOST + 3):
        await send(kannel, dlr(app, "%d", mask=8))
    async with application() as other:
        await send(kannel, dlr(other, "%d", mask=8))
        await kannel.rig.until(lambda: other.calls)
    assert len(app.calls) <= MAX_PER_HOST
    app.open.set()
    await kannel.rig.until(lambda: len(app.calls) == MAX_PER_HOST + 3)


async def test_calls_outlive_a_restart(tmp_path: Path, app: Application):
    driver = ScriptedDriver("smsc-1")
    async with open_kannel_rig(tmp_path, driver) as kannel:
        driver.script.append(accepted("r1"))
        message = await send(kannel, dlr(app, "%d"))
        await kannel.rig.until(lambda: app.calls)
        app.open.clear()  # the call of the delivery is under way when everything ends
        await driver.report(receipt("r1"))
        await kannel.rig.until(lambda: len(app.calls) == 2)
    app.open.set()
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1")) as kannel:
        await kannel.rig.until(lambda: len(app.calls) == 3)
        await kannel.rig.until(lambda: no_calls(kannel))
        assert app.paths == ["/?8", "/?1", "/?1"]
        assert list(await kannel.rig.store.read(lambda tx: find_wishes(tx, [message.id]))) == [message.id]


async def test_what_happened_while_nobody_called_is_told_after(tmp_path: Path, app: Application):
    driver = ScriptedDriver("smsc-1")
    async with open_kannel_rig(tmp_path, driver) as kannel:
        driver.script.append(accepted("r1"))
        message = await send(kannel, dlr(app, "%d", mask=1))
        await kannel.rig.until_status(message, "sent")
    second = ScriptedDriver("smsc-1")
    async with open_kannel_rig(tmp_path, second, accounts=()) as kannel:  # Kannel's side is switched off
        await second.report(receipt("r1"))
    assert app.calls == []
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1")) as kannel:
        await kannel.rig.until(lambda: app.calls)
    assert app.paths == ["/?1"]


async def test_wishes_are_kept_while_their_message_lives(kannel: KannelRig, app: Application):
    await kannel.driver.go_down()
    query = f"username=app&password=pw&to={TO}&{dlr(app)}"
    assert await call(kannel, query) == (202, "3: Queued for later delivery")
    waiting = (await kannel.messages())[0]
    later = kannel.rig.clock.now() + timedelta(days=30)
    assert await kannel.rig.store.write(lambda tx: forget_wishes(tx, later)) == 0
    await kannel.driver.come_up()
    await kannel.rig.until_status(waiting, "sent")
    await kannel.driver.report(receipt("1"))
    assert await kannel.rig.store.write(lambda tx: forget_wishes(tx, later)) == 1


# --- inbound


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


async def test_an_answer_to_who_cannot_receive_is_dropped(tmp_path: Path, app: Application):
    app.answers.append(web.Response(text="hello"))
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), routes=(votes(app),)) as kannel:
        await kannel.driver.report(text_part("hi", sender="BANK"))
        await kannel.rig.until(lambda: app.calls)
        await kannel.rig.until(lambda: no_calls(kannel))
        assert await kannel.messages() == []


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


# --- waiting


async def attempts(kannel: KannelRig, n: int) -> bool:
    rows = await kannel.rig.store.read(lambda tx: tx.fetch("SELECT max(attempts) FROM kannel_calls"))
    return bool(rows[0][0] is not None and rows[0][0] >= n)


async def n_calls(kannel: KannelRig, n: int) -> bool:
    return await kannel.rig.store.read(count_calls) == n


async def no_calls(kannel: KannelRig) -> bool:
    return await n_calls(kannel, 0)


async def nudge(kannel: KannelRig) -> None:
    """Make the callers look at the clock, which only tests move: another message's report wakes them."""
    async with application() as other:
        await send(kannel, dlr(other, "nudge", mask=8), to=quote(OTHER))
        await kannel.rig.until(lambda: other.calls)
