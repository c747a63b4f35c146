"""The door: whether somebody may bind, and how a guesser of passwords is slowed down.

Wrong passwords are counted by address and forgiven with time. From an address with too many of them binds are
looked at one by one, each after a pause that doubles; whoever knows the password gets in all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from drivers.smpp.server import BindRequest
from drivers.smpp.wire.constants import CommandStatus
from gateway.clock import Clock
from gateway.esme.account import EsmeAccount
from gateway.esme.passwords import PasswordHash, verify_password

_log = logging.getLogger(__name__)

_FREE_ERRORS: Final = 3
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 8.0
"""Below the time that a connection has for its bind."""
_FORGIVEN_AFTER_S: Final = 60.0
"""One wrong password is forgotten after so long."""
_MOST_IN_LINE: Final = 4
_MOST_ADDRESSES: Final = 10_000
_CHECKS_AT_ONCE: Final = 2
"""A check takes a core for tens of milliseconds, and 16 MiB."""
_NOBODY: Final = PasswordHash(14, 8, 1, b"\0" * 16, b"\0" * 32)
"""Checked for accounts that are not there, so that time tells nothing."""


@dataclass(slots=True)
class _Visitor:
    """An address that gave wrong passwords."""

    errors: float = 0.0
    counted_at: float = 0.0
    n_in_line: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


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
        self._clock = clock
        self._pause = pause
        self._visitors: OrderedDict[str, _Visitor] = OrderedDict()
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def admit(self, request: BindRequest, count_bound: Callable[[], int]) -> CommandStatus:
        """Whether this bind may be; ROK, or the error to answer.

        Args:
            count_bound: how many binds the account has, asked when the password was found right.
        """
        account = self._accounts.get(request.system_id)
        if not await self._knows_password(account, request):
            return CommandStatus.RINVPASWD
        assert account is not None
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

    async def _knows_password(self, account: EsmeAccount | None, request: BindRequest) -> bool:
        visitor = self._visitors.get(request.peer)
        if visitor is None:
            return await self._check(account, request)
        if visitor.n_in_line >= _MOST_IN_LINE:
            self._refuse(request, "too many binds at once after wrong passwords", CommandStatus.RINVPASWD)
            return False
        visitor.n_in_line += 1
        try:
            async with visitor.turn:
                pause_s = self._pause_s(visitor)
                if pause_s:
                    await self._pause(pause_s)
                return await self._check(account, request)
        finally:
            visitor.n_in_line -= 1

    async def _check(self, account: EsmeAccount | None, request: BindRequest) -> bool:
        kept = account.password if account else _NOBODY
        async with self._checks:
            right = await asyncio.to_thread(verify_password, kept, request.password)
        if right and account is not None:
            return True
        self._note_error(request.peer)
        self._refuse(request, "wrong system_id or password", CommandStatus.RINVPASWD)
        return False

    def _pause_s(self, visitor: _Visitor) -> float:
        over = self._errors_now(visitor) - _FREE_ERRORS
        return min(_FIRST_PAUSE_S * 2**over, _LONGEST_PAUSE_S) if over >= 0 else 0.0

    def _errors_now(self, visitor: _Visitor) -> float:
        forgiven = (self._clock.monotonic() - visitor.counted_at) / _FORGIVEN_AFTER_S
        return max(0.0, visitor.errors - forgiven)

    def _note_error(self, peer: str) -> None:
        visitor = self._visitors.setdefault(peer, _Visitor())
        visitor.errors = self._errors_now(visitor) + 1
        visitor.counted_at = self._clock.monotonic()
        self._visitors.move_to_end(peer)
        if len(self._visitors) > _MOST_ADDRESSES:
            self._visitors.popitem(last=False)

    def _refuse(self, request: BindRequest, why: str, status: CommandStatus) -> CommandStatus:
        _log.warning("smpp server: bind of %r from %s refused: %s", request.system_id, request.peer, why)
        return status
