"""Kannel's reports over HTTP: calls to applications that fail, hang, outlive a crash."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from drivers.base import FaultKind, ReceiptState
from gateway.kannel.follow import DOOR, GIVE_UP
from gateway.outbox.deliver import AtOnce
from gateway.settings.kannel import KannelAccountSettings
from gateway.settings.secrets import Secret
from gateway.store.kannel import find_wishes, forget_wishes
from gateway.store.outbox import Busy, find_due
from gateway.store.ports import Tx
from tests.support.application import Application, application
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import PHONE, receipt
from tests.support.kannel_calls import TO, attempts, call, dlr, n_calls, no_calls, nudge, send
from tests.support.kannel_rig import KannelRig, open_kannel_rig

pytestmark = pytest.mark.integration


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
    now = kannel.rig.clock.now()
    due = await kannel.rig.store.read(
        lambda tx: find_due(tx, DOOR, now, Busy({}), limit=9, of_owner=9, of_host=9)
    )
    assert due.rows == []
    assert due.next_at is not None
    assert 2.5 <= (due.next_at - kannel.rig.clock.now()).total_seconds() <= 5
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
    for _ in range(AtOnce().of_host + 3):
        await send(kannel, dlr(app, "%d", mask=8))
    async with application() as other:
        await send(kannel, dlr(other, "%d", mask=8))
        await kannel.rig.until(lambda: other.calls)
    assert len(app.calls) <= AtOnce().of_host
    app.open.set()
    await kannel.rig.until(lambda: len(app.calls) == AtOnce().of_host + 3)


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
    assert await kannel.rig.store.write(lambda tx: forget_wishes(tx, later, "", 10)) == (0, waiting.id)
    await kannel.driver.come_up()
    await kannel.rig.until_status(waiting, "sent")
    kannel.rig.clock.advance(10 * 86_400)
    await kannel.driver.report(receipt("1"))
    soon = kannel.rig.clock.now() - timedelta(days=1)
    # Its last report may be under way.
    assert await kannel.rig.store.write(lambda tx: forget_wishes(tx, soon, "", 10)) == (0, waiting.id)
    assert await kannel.rig.store.write(lambda tx: forget_wishes(tx, later, "", 10)) == (1, waiting.id)


async def test_a_report_on_which_we_fail_does_not_hold_up_others(kannel: KannelRig, app: Application):
    kannel.driver.script.extend([accepted("r1"), accepted("r2")])
    for _ in range(2):
        await send(kannel, dlr(app, "d=%d&id=%I"))
    await kannel.rig.until(lambda: len(app.calls) == 2)
    damaged, good = await kannel.messages()

    async def damage(tx: Tx) -> None:
        await tx.execute("UPDATE kannel_wishes SET wish = ? WHERE message_id = ?", (b"\xff", damaged.id))

    await kannel.rig.store.write(damage)
    await kannel.driver.report(receipt("r1"))
    await kannel.driver.report(receipt("r2"))
    await kannel.rig.until(lambda: len(app.calls) == 3)
    assert app.paths[-1] == f"/?d=1&id={good.id}"
