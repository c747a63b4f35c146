"""Calls as Kannel's clients make them, and waiting for those that go out to applications."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from gateway.model.message import Message
from gateway.store.outbox_gone import NO_DEBTS, count_owed
from tests.support.application import Application, application
from tests.support.gateway import PHONE
from tests.support.kannel_rig import KannelRig

TO = quote(PHONE)
OTHER = "+8613900139000"
ACCEPTED = (202, "0: Accepted for delivery")


async def call(kannel: KannelRig, query: str, **options: Any) -> tuple[int, str]:
    """Status and words of an answer; with options it is a POST."""
    method = "POST" if options else "GET"
    url = URL(f"{kannel.url}?{query}", encoded=True)
    async with aiohttp.request(method, url, **options) as answer:
        return answer.status, await answer.text()


async def send(kannel: KannelRig, query: str, to: str = TO) -> Message:
    """The newest message after a call that was accepted."""
    assert await call(kannel, f"username=app&password=pw&to={to}&{query}") == ACCEPTED
    return (await kannel.messages())[-1]


def dlr(app: Application, pattern: str = "d=%d", mask: int = 31) -> str:
    """The part of a query that asks for reports."""
    return f"text=hi&dlr-mask={mask}&dlr-url={quote(f'{app.url}/?{pattern}', safe='')}"


async def attempts(kannel: KannelRig, n: int) -> bool:
    """Whether some call was tried that often."""
    rows = await kannel.rig.store.read(lambda tx: tx.fetch("SELECT max(attempts) FROM outbox"))
    return bool(rows[0][0] is not None and rows[0][0] >= n)


async def n_calls(kannel: KannelRig, n: int) -> bool:
    """Whether that many calls are owed."""
    debts = await kannel.rig.store.read(count_owed)
    return debts.get("kannel", NO_DEBTS).pending == n


async def no_calls(kannel: KannelRig) -> bool:
    """Whether no call is owed any more."""
    return await n_calls(kannel, 0)


async def nudge(kannel: KannelRig) -> None:
    """Make the callers look at the clock, which only tests move: another message's report wakes them."""
    async with application() as other:
        await send(kannel, dlr(other, "nudge", mask=8), to=quote(OTHER))
        await kannel.rig.until(lambda: other.calls)
