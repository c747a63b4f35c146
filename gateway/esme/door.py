"""The door: whether somebody may bind. A guesser of passwords is slowed down, see `gateway.turnstile`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from drivers.smpp.server import BindRequest
from drivers.smpp.wire.constants import CommandStatus
from gateway.clock import Clock
from gateway.esme.account import EsmeAccount
from gateway.esme.passwords import PasswordHash, verify_password
from gateway.turnstile import Crowded, Turnstile

_log = logging.getLogger(__name__)

_CHECKS_AT_ONCE: Final = 2
"""A check takes a core for tens of milliseconds, and 16 MiB."""
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
        self._turnstile = Turnstile(clock, pause)
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def admit(self, request: BindRequest, count_bound: Callable[[], int]) -> CommandStatus:
        """Whether this bind may be; ROK, or the error to answer.

        Args:
            count_bound: how many binds the account has, asked when the password was found right.
        """
        try:
            account = await self._turnstile.admit(request.peer, lambda: self._find_account(request))
        except Crowded:
            why = "too many binds at once after wrong passwords"
            return self._refuse(request, why, CommandStatus.RINVPASWD)
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
        """The account that the bind names, if its password is right."""
        account = self._accounts.get(request.system_id)
        kept = account.password if account else _NOBODY
        async with self._checks:
            right = await asyncio.to_thread(verify_password, kept, request.password)
        return account if right else None

    def _refuse(self, request: BindRequest, why: str, status: CommandStatus) -> CommandStatus:
        _log.warning("smpp server: bind of %r from %s refused: %s", request.system_id, request.peer, why)
        return status
