"""The overview: what is going on, at a glance."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.page import Page, Visit


async def show_overview(visit: Visit) -> web.StreamResponse:
    """Throughput, what waits and why, channels, and alarms."""
    return visit.render("overview.html")


PAGES: Final = (Page(path="/", handler=show_overview, permission=Permission.CHANNELS_READ, menu="overview"),)
