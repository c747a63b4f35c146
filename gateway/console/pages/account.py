"""What somebody may do to themselves: their password, their sessions, the language and the colours of their pages."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import msgspec
from aiohttp import web

from gateway.access.passwords import hash_login
from gateway.access.people import (
    check_password,
    end_one_session,
    set_password,
    show_grants,
)
from gateway.access.sessions import MOST_OF_USER
from gateway.console.page import ROOT, Page, Visit
from gateway.console.words import LANGUAGES
from gateway.errors import InvalidRequest
from gateway.model.user import User
from gateway.store.ports import Tx
from gateway.store.users import change_user, find_user, list_sessions

_THEMES: Final = ("light", "dark")
_KEPT_S: Final = 365 * 86_400


async def show_account(visit: Visit) -> web.StreamResponse:
    """Who one is here."""
    return await _show(visit)


async def change_password(visit: Visit) -> web.StreamResponse:
    """Another password for oneself; other sessions end."""
    form, user = visit.form, _user(visit)
    word = form.raw("password")
    try:
        check_password(word, user.name)
    except InvalidRequest as error:
        form.blame(error)
        return await _show(visit, 422)
    address = visit.request.remote or "unknown"
    if not await visit.console.sign_in.confirm(user, form.raw("old"), address=address):
        form.faults["old"] = visit.t("This is not your password.")
        return await _show(visit, 403)
    assert visit.signed_in is not None
    kept = await asyncio.to_thread(hash_login, word)
    by, now, stays = visit.actor, visit.product.clock.now(), visit.signed_in.session.id
    await visit.product.store.write(lambda tx: set_password(tx, user.id, kept, by, now, stays))
    visit.console.sessions.forget()
    return visit.go("/account", visit.t("You have another password; your other sessions are over."))


async def end_session(visit: Visit) -> web.StreamResponse:
    """End one of one's own sessions."""
    user, session_id, by = _user(visit), visit.form.text("id"), visit.actor
    now = visit.product.clock.now()
    await visit.product.store.write(lambda tx: end_one_session(tx, user.id, session_id, by, now))
    visit.console.sessions.forget()
    return visit.go("/account", visit.t("The session is over."))


async def choose_looks(visit: Visit) -> web.StreamResponse:
    """The language, wherever one signs in; the colours, in this browser."""
    user, language, theme = _user(visit), visit.form.text("language"), visit.form.text("theme")
    chosen = language if language in LANGUAGES else ""

    async def op(tx: Tx) -> None:
        if (now := await find_user(tx, user.id)) is not None:
            await change_user(tx, msgspec.structs.replace(now, language=chosen))

    await visit.product.store.write(op)
    visit.console.sessions.forget()
    response = visit.go("/account")
    response.del_cookie("hongyan_language", path=ROOT)
    kept = theme if theme in _THEMES else ""
    response.set_cookie(
        "hongyan_theme",
        kept,
        path=ROOT,
        httponly=True,
        samesite="Lax",
        secure=visit.is_secure,
        max_age=_KEPT_S,
    )
    return response


async def _show(visit: Visit, status: int = 200) -> web.StreamResponse:
    user, t = _user(visit), visit.t
    sessions = await visit.product.store.read(partial(list_sessions, user_id=user.id, limit=MOST_OF_USER))
    return visit.render(
        "account.html",
        status,
        user=user,
        roles=show_grants(user.grants),
        sessions=sessions,
        languages=[("", t("as the browser asks")), ("en", "English"), ("zh", "中文")],
        themes=[("", t("as the system has it")), ("light", t("light")), ("dark", t("dark"))],
    )


def _user(visit: Visit) -> User:
    assert visit.signed_in is not None
    return visit.signed_in.user


PAGES: Final = (
    Page(path="/account", handler=show_account),
    Page(method="POST", path="/account/password", handler=change_password),
    Page(method="POST", path="/account/end", handler=end_session),
    Page(method="POST", path="/account/looks", handler=choose_looks),
)
