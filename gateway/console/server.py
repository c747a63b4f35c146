"""The pages on the application: who may see which, forms that are ours alone, refusals as pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.access.principal import Principal, principal_of_user
from gateway.access.sessions import SignedIn, is_csrf
from gateway.console.forms import read_form
from gateway.console.page import ROOT, Console, NotAllowed, Page, Visit
from gateway.console.render import SECURITY
from gateway.console.words import Translator, choose_language
from gateway.errors import GatewayError
from gateway.http.bodies import HELD
from gateway.http.body import defer_continue
from gateway.http.connections import Connection
from gateway.http.problem import note_unexpected
from gateway.http.product import name_origin
from gateway.model.actor import Actor, ActorKind

COOKIE: Final = "hongyan_session"
LIVE_HEADER: Final = "X-Hongyan-Live"
"""On requests that a page makes by itself: they keep no session alive."""
_FOREVER: Final = "public, max-age=31536000, immutable"
_MOST_NEXT_CHARS: Final = 500


class ForgedForm(NotAllowed):
    """A form that was not sent by one of our pages, or by one of an earlier session."""

    code = "forged_form"


def serve_console(app: web.Application, console: Console, pages: Sequence[Page]) -> None:
    """Add the pages, and the files they load, to an application that is not served yet."""
    for page in pages:
        resource = app.router.add_resource(ROOT + page.path)
        handler = _endpoint(console, page)
        resource.add_route(page.method, handler, expect_handler=defer_continue)
    app.router.add_get("/console/static/{name}", _serve_assets(console))
    for path in ("/", ROOT):
        app.router.add_get(path, _go_to_console)

    async def end_live(_app: web.Application) -> None:
        console.live.close()

    app.on_shutdown.append(end_live)
    missing = Page(path="/{tail:.*}", handler=_show_missing)
    app.router.add_get(ROOT + missing.path, _endpoint(console, missing))


def _endpoint(console: Console, page: Page) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        signed_in = await console.sessions.find(
            request.cookies.get(COOKIE, ""), quiet=LIVE_HEADER in request.headers
        )
        visit = _make_visit(request, console, page, signed_in)
        try:
            if page.method == hdrs.METH_POST:
                _check_origin(visit)
            if signed_in is None and not page.is_open:
                return _ask_to_sign_in(visit)
            _admit(visit)
            if page.method == hdrs.METH_POST:
                visit.form = await read_form(request)
                _check_form(visit)
            return await page.handler(visit)
        except GatewayError as error:
            return show_refusal(visit, error)
        except (web.HTTPException, ConnectionError, web.RequestPayloadError):
            raise
        except Exception as error:  # noqa: BLE001 - the supervisor of the console
            return _show_broken(visit, error)

    return serve


def _make_visit(request: web.Request, console: Console, page: Page, signed_in: SignedIn | None) -> Visit:
    origin = f"console {name_origin(request)}"
    if signed_in is None:
        principal = Principal(Actor(ActorKind.STRANGER, "", origin), "", ())
    else:
        principal = principal_of_user(signed_in.user, origin)
        request[HELD].owner = signed_in.user.id
        if isinstance(request.protocol, Connection):
            request.protocol.known = True
    wanted = request.cookies.get("hongyan_language", "") or (signed_in.user.language if signed_in else "")
    t = Translator(choose_language(wanted, request.headers.get(hdrs.ACCEPT_LANGUAGE, "")))
    return Visit(request=request, console=console, page=page, signed_in=signed_in, principal=principal, t=t)


def _admit(visit: Visit) -> None:
    """Let those in who may see the page.

    Raises:
        NotAllowed: they may not.
    """
    permission = visit.page.permission
    if permission is None:
        return
    allowed = visit.principal.may_somewhere if visit.page.of_brand else visit.principal.may
    if not allowed(permission):
        raise NotAllowed(visit.t("Your roles do not allow this ({permission}).", permission=permission.value))


def _check_origin(visit: Visit) -> None:
    """Refuse what another site had a browser send; a form's token is checked as well, where there is a session.

    Raises:
        ForgedForm: it was sent from elsewhere.
    """
    headers = visit.request.headers
    site, origin = headers.get("Sec-Fetch-Site"), headers.get(hdrs.ORIGIN)
    if site in {"same-origin", "none"} or (site is None and origin is None):
        return
    ours = {visit.request.host, urlsplit(visit.console.terms.public_url).netloc} - {""}
    if site is not None or origin is None or urlsplit(origin).netloc not in ours:
        raise ForgedForm(
            "this form came from another site; if a proxy stands before the gateway, set console.public_url"
        )


def _check_form(visit: Visit) -> None:
    token = visit.request.cookies.get(COOKIE, "")
    if visit.signed_in is not None and not is_csrf(token, visit.form.raw("csrf")):
        raise ForgedForm("this form is of an earlier session; open the page again")


def _ask_to_sign_in(visit: Visit) -> web.Response:
    request = visit.request
    wanted = request.rel_url.path_qs if request.method == hdrs.METH_GET else ""
    query = f"?next={quote(wanted, safe='')}" if 0 < len(wanted) <= _MOST_NEXT_CHARS else ""
    return web.Response(status=303, headers={"Location": f"{ROOT}/sign-in{query}"})


def read_next(wanted: str) -> str:
    """Where to go after signing in: a page of ours, whatever the address says.

    >>> read_next("/console/messages?status=failed"), read_next("https://elsewhere.example"), read_next("//x")
    ('/console/messages?status=failed', '/console/', '/console/')
    """
    safe = wanted.startswith("/console/") and wanted.isprintable() and "\\" not in wanted
    return wanted if safe and len(wanted) <= _MOST_NEXT_CHARS else f"{ROOT}/"


def show_refusal(visit: Visit, error: GatewayError) -> web.Response:
    """A page that says what is wrong, and what to do."""
    return visit.render("refused.html", error.http_status, code=error.code, detail=str(error))


def _show_broken(visit: Visit, error: Exception) -> web.Response:
    route = getattr(visit.request.match_info.route.resource, "canonical", None)
    incident = note_unexpected(error, method=visit.request.method, route=route)
    return visit.render("broken.html", 500, incident=incident)


async def _show_missing(visit: Visit) -> web.StreamResponse:
    detail = visit.t("There is no such page.")
    return visit.render("refused.html", 404, code="not_found", detail=detail)


async def _go_to_console(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=303, headers={"Location": f"{ROOT}/"})


def _serve_assets(console: Console) -> Handler:
    assets = console.renderer.assets

    async def serve(request: web.Request) -> web.StreamResponse:
        asset = assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        is_current = request.query.get("v") == asset.version
        headers = {**SECURITY, "Cache-Control": _FOREVER if is_current else "no-cache"}
        return web.Response(
            body=asset.octets, content_type=asset.content_type, charset="utf-8", headers=headers
        )

    return serve


async def follow(visit: Visit) -> web.StreamResponse:
    """Tell an open page when to look again, as server-sent events."""
    topics = frozenset(word for word in visit.query.get("topics", "")[:200].split(",") if word)
    signed_in, live = visit.signed_in, visit.console.live
    assert signed_in is not None
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    token = visit.request.cookies.get(COOKIE, "")
    with live.listening(signed_in.session.id, topics) as listener:
        await response.prepare(visit.request)
        await response.write(b"retry: 3000\n\n")
        while await visit.console.sessions.find(token, quiet=True) is not None:
            if not await listener.wait(live.pause_s):
                break
            await response.write(b"event: changed\ndata: \n\n")
    return response


LIVE: Final = Page(path="/live", handler=follow)
