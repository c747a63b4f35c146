"""The door: whether somebody may bind. A guesser of passwords is slowed down, see `gateway.access.turnstile`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from drivers.paced_log import PacedLog
from drivers.smpp.server.listener import BindRequest
from drivers.smpp.wire.constants import CommandStatus
from gateway.access.passwords import PasswordHash, verify_password
from gateway.access.turnstile import Crowded, Turnstile
from gateway.clock import Clock
from gateway.esme.account import EsmeAccount

_NOBODY: Final = PasswordHash(14, 8, 1, b"\0" * 16, b"\0" * 32)
"""Checked for accounts that are not there, so that time tells nothing."""


class Doorkeeper:
    """Decides on binds.

    Args:
        accounts: by system_id.
        clock: the time.
        pause: waits; a test's own does not.
    """

    def __init__(
        self,
        accounts: Mapping[str, EsmeAccount],
        clock: Clock,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._accounts = accounts
        self._log = PacedLog(__name__)
        self._turnstile = Turnstile(clock, pause)

    async def admit(self, request: BindRequest, count_bound: Callable[[], int]) -> CommandStatus:
        """Whether this bind may be; ROK, or the error to answer.

        Args:
            count_bound: how many binds the account has, asked when the password was found right.
        """
        named = self._accounts.get(request.system_id)
        try:
            account = await self._turnstile.admit(
                request.peer,
                named.system_id if named else None,
                lambda: self._find_account(request),
                expected=named is not None and bool(named.addresses) and named.may_come_from(request.peer),
            )
        except Crowded:
            # Not RINVPASWD, after which many programs never try again.
            return self._refuse(request, "too many binds at once from there", CommandStatus.RBINDFAIL)
        if account is None:
            return self._refuse(request, "wrong system_id or password", CommandStatus.RINVPASWD)
        if not account.may_come_from(request.peer):
            return self._refuse(
                request, "the account may not come from this address", CommandStatus.RBINDFAIL
            )
        if request.kind not in account.binds:
            return self._refuse(
                request, f"the account may not bind as {request.kind}", CommandStatus.RBINDFAIL
            )
        if count_bound() >= account.max_binds:
            why = f"the account has {account.max_binds} binds already"
            return self._refuse(request, why, CommandStatus.RALYBND)
        return CommandStatus.ROK

    async def _find_account(self, request: BindRequest) -> EsmeAccount | None:
        """The account that the bind names, if its password is right; takes a core for tens of milliseconds."""
        account = self._accounts.get(request.system_id)
        kept = account.password if account else _NOBODY
        right = await asyncio.to_thread(verify_password, kept, request.password)
        return account if right else None

    def _refuse(self, request: BindRequest, why: str, status: CommandStatus) -> CommandStatus:
        # A name that is not ours is not logged: somebody may have typed his password there.
        known = request.system_id in self._accounts
        who = repr(request.system_id) if known else "an unknown system_id"
        self._log.warning("smpp server: bind of %s from %s refused: %s", who, request.peer, why)
        return status
