"""Composition of the API's server: its listener, its limits and its certificate."""

from __future__ import annotations

import ssl
from dataclasses import replace

from aiohttp import web

from gateway.api.server import adopt_limits, build_app, make_runner
from gateway.console.page import Console
from gateway.http.connections import GUARD, Limits
from gateway.http.listener import Listener
from gateway.http.masking import Masking
from gateway.http.product import Product
from gateway.runtime.console import add_console, make_session_limits
from gateway.runtime.descriptors import limit_connections, raise_limit
from gateway.runtime.tls import load_tls, renew_tls
from gateway.settings.console import ConsoleSettings
from gateway.settings.http import HttpSettings

ADOPTED = (
    "http.max_connections",
    "http.max_connections_per_address",
    "http.header_timeout",
    "http.body_timeout",
    "http.max_streams_per_key",
)
"""The keys whose new values hold without a restart."""


class HttpSide:
    """Serves the API and the console from `open` to `close`.

    Attributes:
        port: where it listens; None until it does.
        masking: from whom numbers are hidden.
    """

    def __init__(self, settings: HttpSettings, console: ConsoleSettings, *, mask_numbers: bool) -> None:
        self.masking = Masking(on=mask_numbers)
        self._settings = settings
        self._console_settings = console
        self._console: Console | None = None
        self._app: web.Application | None = None
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._tls: ssl.SSLContext | None = None
        self.port: int | None = None

    def adopt(self, settings: HttpSettings) -> None:
        """Go by other limits, from the next connection on."""
        if self._app is not None:
            adopt_limits(self._app, _limits(settings))

    def adopt_console(self, settings: ConsoleSettings) -> None:
        """Let sessions hold for other times, those that are open included."""
        if self._console is not None:
            self._console.sessions.limits = make_session_limits(settings)

    async def offer_welcome(self) -> str | None:
        """The path of a link that makes the first admin; None without a console, or when there is a user."""
        token = None if self._console is None else await self._console.welcome.offer()
        return token and f"/console/welcome?token={token}"

    def renew(self) -> None:
        """Show the certificate that the files hold now, from the next connection on."""
        if self._tls is not None:
            renew_tls(self._tls, self._settings)

    async def open(self, context: Product) -> None:
        """Listen.

        Raises:
            OSError: the address is taken.
            ValueError: the certificate and its key can't be used.
        """
        http = self._settings
        product = replace(context, masking=self.masking)
        self._app = build_app(product, limits=_limits(http))
        if self._console_settings.enabled:
            self._console = add_console(self._app, product, self._console_settings)
        self._runner = make_runner(self._app)
        await self._runner.setup()
        if http.tls_cert and http.tls_key:
            self._tls = load_tls(http.tls_cert, http.tls_key)
        self._listener = Listener(self._runner, self._app[GUARD], self._tls)
        self.port = await self._listener.open(http.listen.host, http.listen.port)

    async def close(self) -> None:
        """Take nothing more, and answer what has come."""
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()


def _limits(http: HttpSettings) -> Limits:
    return Limits(
        most=limit_connections(http.max_connections, raise_limit()),
        most_of_address=http.max_connections_per_address,
        head_s=http.header_timeout_s,
        body_s=http.body_timeout_s,
        streams_of_key=http.max_streams_per_key,
    )
