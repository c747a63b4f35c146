"""Who is bound to us: admits binds, hands their requests to sessions and deliveries to couriers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from drivers.paced_log import PacedLog
from drivers.smpp.server.listener import BindRequest, ServerBind
from drivers.smpp.session.machine import RequestReceived
from drivers.smpp.wire.constants import CommandStatus
from gateway.esme.allowance import AccountState
from gateway.esme.courier import Courier
from gateway.esme.door import Doorkeeper
from gateway.esme.session import EsmeSession

_log = PacedLog(__name__, most=100)

OpenSession = Callable[[ServerBind, AccountState], EsmeSession]


class EsmeHost:
    """The `drivers.smpp.server.listener.ServerHost` of all our listeners.

    Args:
        door: decides on binds.
        states: by system_id.
        couriers: by system_id.
        open_session: makes the session of a bind.
    """

    def __init__(
        self,
        door: Doorkeeper,
        states: Mapping[str, AccountState],
        couriers: Mapping[str, Courier],
        open_session: OpenSession,
    ) -> None:
        self._door = door
        self._states = states
        self._couriers = couriers
        self._open_session = open_session
        self._sessions: dict[ServerBind, EsmeSession] = {}

    @property
    def n_binds(self) -> dict[str, int]:
        """Open binds by account."""
        bound = Counter(bind.system_id for bind in self._sessions)
        return {system_id: bound[system_id] for system_id in self._states}

    async def admit(self, request: BindRequest) -> CommandStatus:
        """Whether somebody may log in."""
        state = self._states.get(request.system_id)
        return await self._door.admit(request, lambda: state.n_binds if state else 0)

    def bound(self, bind: ServerBind) -> None:
        """A bind was granted."""
        _log.info("smpp server: %s bound as %s from %s", bind.system_id, bind.kind, bind.peer)
        state = self._states[bind.system_id]
        state.n_binds += 1
        self._sessions[bind] = self._open_session(bind, state)
        if bind.receives:
            self._couriers[bind.system_id].add(bind)

    def take(self, bind: ServerBind, request: RequestReceived) -> None:
        """A request."""
        self._sessions[bind].take(request)

    async def finish(self, bind: ServerBind) -> None:
        """Wait until all that it asked is answered; it gets nothing more."""
        self._couriers[bind.system_id].remove(bind)
        if (session := self._sessions.get(bind)) is not None:
            await session.finish()

    def unbound(self, bind: ServerBind) -> None:
        """The connection is gone."""
        _log.info("smpp server: %s left (%s from %s)", bind.system_id, bind.kind, bind.peer)
        self._couriers[bind.system_id].remove(bind)
        self._states[bind.system_id].n_binds -= 1
        if (session := self._sessions.pop(bind, None)) is not None:
            session.close()
