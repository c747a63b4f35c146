"""Composition of the console: its pages on the application that serves the API."""

from __future__ import annotations

from aiohttp import web

from gateway.access.sessions import SessionLimits, Sessions
from gateway.access.sign_in import SignIn
from gateway.access.welcome import Welcome
from gateway.console.glance import Glance
from gateway.console.live import Live
from gateway.console.page import Console, ConsoleTerms
from gateway.console.render import Renderer
from gateway.console.server import serve_console
from gateway.console.table import PAGES
from gateway.http.product import Product
from gateway.settings.console import ConsoleSettings

ADOPTED = ("console.idle", "console.session")
"""The keys whose new values hold without a restart."""


def make_session_limits(settings: ConsoleSettings) -> SessionLimits:
    """How long a session holds."""
    return SessionLimits(settings.idle_s, settings.session_s)


def add_console(app: web.Application, product: Product, settings: ConsoleSettings) -> Console:
    """Have an application serve the console, too."""
    sessions = Sessions(product.store, product.clock, make_session_limits(settings))
    console = Console(
        product=product,
        sessions=sessions,
        sign_in=SignIn(product.store, product.clock, sessions),
        welcome=Welcome(product.store, product.clock),
        renderer=Renderer(),
        live=Live(product.store),
        glance=Glance(product),
        terms=ConsoleTerms(public_url=settings.public_url, develops=settings.develops),
    )
    serve_console(app, console, PAGES)
    return console
