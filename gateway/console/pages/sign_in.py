"""Signing in and out."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from aiohttp import web

from gateway.access.passwords import verify_login
from gateway.console.page import ROOT, Page, Visit
from gateway.console.server import COOKIE, read_next
from gateway.http.product import name_origin
from gateway.store.users import find_user


async def show_sign_in(visit: Visit) -> web.StreamResponse:
    """The form."""
    return visit.render("sign_in.html")


async def sign_in(visit: Visit) -> web.StreamResponse:
    """Open a session for whoever knows a name and its password."""
    name, password = visit.form.text("name").lower(), visit.form.raw("password")
    user = await visit.product.store.read(partial(find_user, id_or_name=name))
    hashed = user.password if user is not None and user.disabled_at is None else None
    if user is None or hashed is None or not await asyncio.to_thread(verify_login, hashed, password):
        visit.form.faults["password"] = visit.t("The name or the password is wrong.")
        return visit.render("sign_in.html", 403)
    token, _ = await visit.console.sessions.open(
        user, name_origin(visit.request), visit.request.headers.get("User-Agent", "")
    )
    response = web.Response(status=303, headers={"Location": read_next(visit.query.get("next", ""))})
    response.set_cookie(COOKIE, token, path=ROOT, httponly=True, samesite="Lax", secure=visit.is_secure)
    return response


async def sign_out(visit: Visit) -> web.StreamResponse:
    """End this session."""
    assert visit.signed_in is not None
    await visit.console.sessions.end(visit.signed_in.session.id)
    response = visit.go("/sign-in")
    response.del_cookie(COOKIE, path=ROOT)
    return response


PAGES: Final = (
    Page(path="/sign-in", handler=show_sign_in, is_open=True),
    Page(method="POST", path="/sign-in", handler=sign_in, is_open=True),
    Page(method="POST", path="/sign-out", handler=sign_out),
)
