"""Signing in and out."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.access.sign_in import Admitted, Refusal
from gateway.console.page import ROOT, Page, Visit
from gateway.console.server import COOKIE, read_next
from gateway.http.product import name_origin

_DEVICE: Final = "hongyan_device"
_DEVICE_S: Final = 180 * 86_400


async def show_sign_in(visit: Visit) -> web.StreamResponse:
    """The form."""
    return visit.render("sign_in.html")


async def sign_in(visit: Visit) -> web.StreamResponse:
    """Open a session for whoever knows a name and its password."""
    request = visit.request
    found = await visit.console.sign_in.attempt(
        visit.form.text("name"),
        visit.form.raw("password"),
        address=request.remote or "unknown",
        origin=name_origin(request),
        agent=request.headers.get("User-Agent", ""),
        device=request.cookies.get(_DEVICE, ""),
    )
    if isinstance(found, Refusal):
        said = {
            Refusal.WRONG: visit.t("The name or the password is wrong."),
            Refusal.CROWDED: visit.t("Too many are signing in from here; try again in a minute."),
        }
        visit.form.faults["password"] = said[found]
        return visit.render("sign_in.html", 403)
    return admit(visit, found, read_next(visit.query.get("next", "")))


def admit(visit: Visit, found: Admitted, address: str) -> web.Response:
    """Lead somebody who got in to a page, with the cookies of the session and of the browser."""
    response = web.Response(status=303, headers={"Location": address})
    for name, value, age in ((COOKIE, found.token, None), (_DEVICE, found.device, _DEVICE_S)):
        response.set_cookie(
            name, value, path=ROOT, httponly=True, samesite="Lax", secure=visit.is_secure, max_age=age
        )
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
