"""The first admin, made by whoever has the link that `hongyan serve` printed."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from gateway.access.passwords import hash_login
from gateway.access.people import check_password, read_user_name
from gateway.console.page import NotAllowed, Page, Visit
from gateway.errors import InvalidRequest


async def show_welcome(visit: Visit) -> web.StreamResponse:
    """The form."""
    _check_link(visit)
    return visit.render("welcome.html")


async def welcome(visit: Visit) -> web.StreamResponse:
    """Make the first admin, who signs in next."""
    _check_link(visit)
    word = visit.form.raw("password")
    try:
        name = read_user_name(visit.form.text("name"))
        check_password(word, name)
    except InvalidRequest as error:
        visit.form.blame(error)
        return visit.render("welcome.html", 422)
    kept = await asyncio.to_thread(hash_login, word)
    _check_link(visit)
    await visit.console.welcome.take(name, kept, visit.actor)
    return visit.go("/sign-in", visit.t("You are the first admin. Sign in."))


def _check_link(visit: Visit) -> None:
    if not visit.console.welcome.holds(visit.query.get("token", "")[:200]):
        raise NotAllowed(
            visit.t(
                "This link does not hold any more. While there is no user, `hongyan serve` prints another one."
            )
        )


PAGES: Final = (
    Page(path="/welcome", handler=show_welcome, is_open=True),
    Page(method="POST", path="/welcome", handler=welcome, is_open=True),
)
