"""The menu: which pages there are, for whom. A family of pages adds its entry here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.access.permissions import Permission
from gateway.access.principal import Principal
from gateway.console.words import mark


class Entry(NamedTuple):
    """One page that the menu leads to.

    Args:
        name: which `gateway.console.page.Page.menu` marks it.
        label: in English; said in the visitor's language.
        path: below ``/console``.
        permission: for whom, in any brand.
    """

    name: str
    label: str
    path: str
    permission: Permission


class Section(NamedTuple):
    """Entries under a heading."""

    label: str
    entries: tuple[Entry, ...]


_P = Permission
MENU: Final = (
    Section(
        mark("Now"),
        (
            Entry("overview", mark("Overview"), "/", _P.CHANNELS_READ),
            Entry("messages", mark("Messages"), "/messages", _P.MESSAGES_READ),
            Entry("send", mark("Send"), "/send", _P.MESSAGES_SEND),
            Entry("inbound", mark("Inbound"), "/inbound", _P.INBOUND_READ),
            Entry("reviews", mark("Reviews"), "/reviews", _P.REVIEWS_READ),
        ),
    ),
    Section(
        mark("Network"),
        (
            Entry("channels", mark("Channels"), "/channels", _P.CHANNELS_READ),
            Entry("routes", mark("Routes"), "/routes", _P.ROUTES_READ),
            Entry("alarms", mark("Alarms"), "/alarms", _P.ALARMS_READ),
            Entry("webhooks", mark("Webhooks"), "/webhooks", _P.WEBHOOKS_READ),
        ),
    ),
    Section(
        mark("People reached"),
        (
            Entry("suppressions", mark("Opt-outs"), "/suppressions", _P.SUPPRESSIONS_READ),
            Entry("consents", mark("Consents"), "/consents", _P.CONSENTS_READ),
        ),
    ),
    Section(
        mark("Gateway"),
        (
            Entry("users", mark("Users"), "/users", _P.USERS_MANAGE),
            Entry("keys", mark("API keys"), "/keys", _P.KEYS_MANAGE),
            Entry("audit", mark("Audit trail"), "/audit", _P.AUDIT_READ),
        ),
    ),
)


def choose_menu(principal: Principal) -> Sequence[Section]:
    """What somebody may open; sections of nothing are left out."""
    chosen = [
        Section(
            section.label, tuple(one for one in section.entries if principal.may_somewhere(one.permission))
        )
        for section in MENU
    ]
    return [section for section in chosen if section.entries]
