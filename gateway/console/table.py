"""All pages of the console. A family of pages is one file in `gateway.console.pages`, and one line here."""

from __future__ import annotations

from typing import Final

from gateway.console.page import Page
from gateway.console.pages import (
    account,
    alarms,
    audit,
    channels,
    components,
    consents,
    inbound,
    keys,
    messages,
    overview,
    reviews,
    routes,
    send,
    sign_in,
    suppressions,
    users,
    webhooks,
    welcome,
)
from gateway.console.server import LIVE

PAGES: Final[tuple[Page, ...]] = (
    LIVE,
    *sign_in.PAGES,
    *welcome.PAGES,
    *account.PAGES,
    *users.PAGES,
    *overview.PAGES,
    *messages.PAGES,
    *send.PAGES,
    *inbound.PAGES,
    *reviews.PAGES,
    *channels.PAGES,
    *alarms.PAGES,
    *routes.PAGES,
    *webhooks.PAGES,
    *suppressions.PAGES,
    *consents.PAGES,
    *keys.PAGES,
    *audit.PAGES,
    *components.PAGES,
)
