"""What a page of the console is, and a visit to one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.access.principal import Principal
from gateway.access.sessions import Sessions, SignedIn
from gateway.access.sign_in import SignIn
from gateway.access.welcome import Welcome
from gateway.console.forms import Form
from gateway.console.glance import Glance
from gateway.console.live import Live
from gateway.console.menu import Section, choose_menu
from gateway.console.render import SECURITY, Renderer
from gateway.console.said import COOKIE, Said, say_next, take_said
from gateway.console.words import Translator
from gateway.errors import RequestError
from gateway.http.product import Product
from gateway.model.actor import Actor
from gateway.model.audit import NO_DETAILS, Details
from gateway.store.audit import record_audit

ROOT = "/console"


class NotAllowed(RequestError):
    """Whoever asks is known, and may not do this."""

    code = "forbidden"
    http_status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleTerms:
    """``[console]``, as the pages need it.

    Args:
        public_url: where people reach the gateway, such as ``https://sms.example.com``; empty for where they came.
        develops: also show what developers need: the page of components.
    """

    public_url: str = ""
    develops: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What all visits stand on."""

    product: Product
    sessions: Sessions
    sign_in: SignIn
    welcome: Welcome
    renderer: Renderer
    live: Live
    glance: Glance
    terms: ConsoleTerms = field(default_factory=ConsoleTerms)


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request for a page.

    Args:
        signed_in: None on the pages that need no session.
        principal: who it is, and what they may do; of nobody where nobody is signed in.
        t: says words in the visitor's language.
        form: what was posted; empty on a GET.
    """

    request: web.Request
    console: Console
    page: Page
    signed_in: SignedIn | None
    principal: Principal
    t: Translator
    form: Form = field(default_factory=Form)

    @property
    def product(self) -> Product:
        """The product behind the pages."""
        return self.console.product

    @property
    def actor(self) -> Actor:
        """Who acts, for the timeline and the audit trail."""
        return self.principal.actor

    @property
    def query(self) -> Mapping[str, str]:
        """The address's parameters; the first of each name."""
        return self.request.query

    @property
    def menu(self) -> Sequence[Section]:
        """What the visitor may open."""
        return choose_menu(self.principal)

    @property
    def theme(self) -> str:
        """`light`, `dark`, or empty for what the visitor's system prefers."""
        theme = self.request.cookies.get("hongyan_theme", "")
        return theme if theme in {"light", "dark"} else ""

    @property
    def is_secure(self) -> bool:
        """Whether the visitor's browser speaks TLS, to us or to the proxy that ``public_url`` names."""
        return self.request.secure or self.console.terms.public_url.startswith("https:")

    def may(self, permission: Permission, brand: str | None = None) -> bool:
        """Whether the visitor may do something; see `gateway.access.principal.Principal.may`."""
        return self.principal.may(permission, brand)

    def brands(self, permission: Permission | None = None) -> frozenset[str] | None:
        """The brands whose things this page may show; None for all."""
        asked = permission or self.page.permission
        return None if asked is None else self.principal.brands(asked)

    def render(self, template: str, status: int = 200, **values: Any) -> web.Response:
        """The page, as ``templates/TEMPLATE``."""
        said = take_said(self.request)
        text = self.console.renderer.render(template, self.t, visit=self, said=said, **values)
        response = web.Response(text=text, status=status, content_type="text/html", headers=SECURITY)
        if said is not None:
            response.del_cookie(COOKIE, path=ROOT)
        return response

    def go(self, path: str, said: str = "", *, failed: bool = False, **query: str) -> web.Response:
        """Show another page next (303), with a sentence on it about what was done.

        Args:
            path: below ``/console``.
            said: in the visitor's language.
            failed: it is about what was not done.
        """
        address = ROOT + path + (f"?{urlencode(query)}" if query else "")
        response = web.Response(status=303, headers={"Location": address})
        if said:
            say_next(response, Said(said, failed), secure=self.is_secure)
        return response

    def address(self, **changes: str | None) -> str:
        """This page's address with other parameters; None takes one out."""
        query = {**self.request.query, **changes}
        kept = {name: value for name, value in query.items() if value}
        return self.request.path + (f"?{urlencode(kept)}" if kept else "")

    async def audit(self, action: str, subject: str, details: Details = NO_DETAILS) -> None:
        """Put on record what has its effect outside the store; before it is done."""
        by, now = self.actor, self.product.clock.now()
        await self.product.store.write(lambda tx: record_audit(tx, by, action, subject, details, at=now))


Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page, or one form that is posted.

    Args:
        path: below ``/console``.
        permission: what the visitor must be allowed; None for whoever is signed in.
        of_brand: what it shows belongs to brands, so a permission for one brand is enough; the handler keeps to
            `Visit.brands`.
        is_open: for visitors who are not signed in.
        menu: which entry of the menu is marked; see `gateway.console.menu`.
    """

    method: str = "GET"
    path: str
    handler: Handler
    permission: Permission | None = None
    of_brand: bool = False
    is_open: bool = False
    menu: str = ""


def make_deeds(
    path: str, deeds: Mapping[str, Handler], *, permission: Permission, menu: str
) -> tuple[Page, ...]:
    """The forms of a page's buttons: each is posted to a path of its own.

    Args:
        path: of what they are done to.
        deeds: the last part of each path -> what it does.
    """
    return tuple(
        Page(method="POST", path=f"{path}/{name}", handler=handler, permission=permission, menu=menu)
        for name, handler in deeds.items()
    )
