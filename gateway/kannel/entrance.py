"""Who comes in by `sendsms`: a guesser of passwords is slowed down, an application that is known is not.

Many applications may call from one address, and each call brings its password. So an account that has called from an
address with the right one is known there, as is one whose config names the address: it does not stand in the line that
somebody's wrong ones have made.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.paced_log import PacedLog
from gateway.access.turnstile import Crowded, Turnstile
from gateway.kannel.accounts import KannelAccount, KannelAccounts
from gateway.kannel.parameters import read_text


class Entrance:
    """Decides on calls.

    Args:
        turnstile: of this door alone: what is wrong here slows nobody down elsewhere.
    """

    def __init__(self, accounts: KannelAccounts, turnstile: Turnstile) -> None:
        self._accounts = accounts
        self._log = PacedLog(__name__)
        self._turnstile = turnstile

    async def admit(self, given: Mapping[str, bytes], address: str | None) -> KannelAccount | None:
        """The account that calls; None for a stranger, perhaps after a while. Cancel: it leaves the line."""
        address = address or ""
        account = self._accounts.find(given, address)
        if account is not None and (account.allowed_ips or self._turnstile.knows(address, account.username)):
            return account

        async def look() -> KannelAccount | None:
            return account

        name = read_text(given, "username") or ""
        known_name = name if name in self._accounts else None
        try:
            admitted = await self._turnstile.admit(address, known_name, look)
        except Crowded:
            return None
        if admitted is None:
            # A name that is not ours is not logged: somebody may have typed his password there.
            who = "an unknown username" if known_name is None else repr(name)
            self._log.warning(
                "sendsms of %s from %s refused: wrong username, password or address", who, address
            )
        return admitted
