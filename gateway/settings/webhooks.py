"""The settings of ``[webhooks]``: where we may connect to, and for how long we try."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

import msgspec

from gateway.settings.forms import BadValue, Duration, Form, list_of, parse_filled, show
from gateway.webhooks.terms import Terms

_LONGEST_CALL_S = 60.0
_LONGEST_RETRY_S = 30 * 86_400.0


def parse_targets(value: object) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks."""
    texts = list_of(parse_filled)(value)
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError:
        raise BadValue(
            f'{show(value)}: one is neither an address nor a network; write such as "127.0.0.1" or "10.0.0.0/8",'
            " not names: a name may come to mean another address"
        ) from None


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[webhooks]``: calls to applications whose addresses came with a request, not from this file.

    Args:
        allow_targets: addresses and networks that may be called though they are private, loopback or link-local.
            Public addresses may always be called.
        timeout_s: of a call as a whole.
        retry_for_s: how long an event is tried before it is given up.
        disable_after_s: how long all calls of a webhook may fail before it is disabled.
        keep_s: how long it is remembered which events a receiver has heard of, or was given up on.
    """

    allow_targets: Annotated[tuple[IPv4Network | IPv6Network, ...], Form(parse_targets)] = ()
    timeout_s: Duration = msgspec.field(default=15.0, name="timeout")
    retry_for_s: Duration = msgspec.field(default=3 * 86_400.0, name="retry_for")
    disable_after_s: Duration = msgspec.field(default=5 * 86_400.0, name="disable_after")
    keep_s: Duration = msgspec.field(default=7 * 86_400.0, name="keep")

    def faults(self) -> Iterator[tuple[str, str]]:
        """A call must end before it is made again."""
        if self.timeout_s > _LONGEST_CALL_S:
            yield "timeout", 'is too long for a call; write "60s" or less'
        if self.retry_for_s > _LONGEST_RETRY_S:
            yield "retry_for", 'is too long; write "30d" or less'

    def terms(self) -> Terms:
        """The same as calls take it."""
        return Terms(
            timeout_s=self.timeout_s,
            retry_for=timedelta(seconds=self.retry_for_s),
            disable_after=timedelta(seconds=self.disable_after_s),
        )
