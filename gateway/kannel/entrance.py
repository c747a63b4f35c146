"""Who comes in by `sendsms`: a guesser of passwords is slowed down, an application that is known is not.

Many applications may call from one address, and each call brings its password. So an account that has called from an
address with the right one is known there: it does not stand in the line that somebody's wrong ones have made.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from gateway.kannel.accounts import KannelAccount, KannelAccounts
from gateway.kannel.parameters import read_text
from gateway.turnstile import Crowded, Turnstile

_MOST_KNOWN: Final = 10_000
_MOST_LOGGED_CHARS: Final = 64

_log = logging.getLogger(__name__)


class Entrance:
    """Decides on calls.

    Args:
        turnstile: of this door alone: what is wrong here slows nobody down elsewhere.
    """

    def __init__(self, accounts: KannelAccounts, turnstile: Turnstile) -> None:
        self._accounts = accounts
        self._turnstile = turnstile
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Account and address; only right passwords bring an entry."""

    async def admit(self, given: Mapping[str, bytes], address: str | None) -> KannelAccount | None:
        """The account that calls; None for a stranger, perhaps after a while. Cancel: it leaves the line."""
        account = self._accounts.find(given, address)
        if account is not None and (account.username, address or "") in self._known:
            return account

        async def look() -> KannelAccount | None:
            return account

        try:
            admitted = await self._turnstile.admit(address or "", look)
        except Crowded:
            return None
        if admitted is None:
            name = (read_text(given, "username") or "")[:_MOST_LOGGED_CHARS]
            _log.warning("sendsms of %r from %s refused: wrong username, password or address", name, address)
            return None
        self._remember(admitted.username, address or "")
        return admitted

    def _remember(self, username: str, address: str) -> None:
        self._known[username, address] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
