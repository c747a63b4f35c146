"""The simulated SMSC as a whole: a TCP server with accounts, in front of a simulated operator."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from simulators.control import ControlPort
from simulators.fault_plan import FaultDesk, FaultPlan
from simulators.faults import SmscFault
from simulators.network import Network
from simulators.scenario import Scenario, arm
from simulators.smsc.account import Account
from simulators.smsc.behaviour import DEFAULT_TIMERS, SmscBehaviour
from simulators.smsc.misbehaviour import Mood
from simulators.smsc.receipts import MessageIds
from simulators.smsc.session import SmscSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from drivers.smpp.session.machine import SessionTimers

DEFAULT_ACCOUNTS: Final[Mapping[str, str]] = MappingProxyType({"hongyan": "secret"})
_CLOSING_S: Final = 1.0
"""For an ESME that does not read what it is still sent."""
_FLOOD_SENDER: Final = 8_613_910_000_000
_KEPT_MESSAGES: Final = 1_000
"""What the operator behind a stand-alone SMSC remembers."""


class SimulatedSmsc:
    """An SMSC of SMPP 3.4 that takes any number of binds of any kind.

    Args:
        network: the operator behind it.
        host: address to listen on.
        port: 0 for any free one; afterwards `port` says which.
        accounts: password by system_id.
        number: the first account's; each further account has it with 1, 2, ... appended.
        latency_s, message_ids, deliver_window, resend_s, timers: see `SmscBehaviour`.
        name: for faults that name it.
        desk: where faults for it are handed in, by its name; without one, use `plan`.

    Attributes:
        plan: its faults.
        port: where it listens, once started; the same again after a stop.
    """

    def __init__(
        self,
        network: Network,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        accounts: Mapping[str, str] = DEFAULT_ACCOUNTS,
        number: str = "10690000",
        latency_s: float = 0.0,
        message_ids: MessageIds = MessageIds.DECIMAL,
        deliver_window: int = 100,
        resend_s: float = 1.0,
        timers: SessionTimers = DEFAULT_TIMERS,
        name: str = "smsc",
        desk: FaultDesk | None = None,
    ) -> None:
        kinds = frozenset(SmscFault)
        self.plan = desk.plan(name, kinds) if desk else FaultPlan(name, kinds)
        self._mood = Mood(self.plan)
        self._flood = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = port
        self._network = network
        self._host = host
        self._behaviour = SmscBehaviour(
            latency_s=latency_s,
            message_ids=message_ids,
            deliver_window=deliver_window,
            resend_s=resend_s,
            timers=timers,
        )
        self._sessions: set[SmscSession] = set()
        self._server: asyncio.Server | None = None
        self._accounts = {
            system_id: Account(
                system_id=system_id,
                password=password,
                number=f"{number}{index or ''}",
                message_ids=self._behaviour.message_ids,
                resend_s=self._behaviour.resend_s,
                network=network,
                mood=self._mood,
            )
            for index, (system_id, password) in enumerate(accounts.items())
        }
        for account in self._accounts.values():
            network.attach(account.number, account)

    @property
    def n_binds(self) -> int:
        """ESMEs that are logged in."""
        return sum(session.bound for session in self._sessions)

    @property
    def n_unanswered(self) -> int:
        """Requests of ESMEs that wait for their answer."""
        return sum(session.n_unanswered for session in self._sessions)

    @property
    def n_owed(self) -> int:
        """Inbound messages and receipts that no ESME has acknowledged."""
        return sum(account.n_owed for account in self._accounts.values())

    def number_of(self, system_id: str) -> str:
        """What handsets write to in order to reach this account."""
        return self._accounts[system_id].number

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.get_running_loop().create_server(
            self._make_session, self._host, self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._mood.start(self)

    async def stop(self) -> None:
        """Listen no more and close all connections, without unbind; what is owed stays owed."""
        if self._server is None:
            return
        self._mood.stop()
        self._server.close()
        self._server = None
        for task in list(self._tasks):
            task.cancel()
        for session in list(self._sessions):
            session.close()
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self._network.wait_for(lambda: not self._sessions)
        except TimeoutError:
            for session in list(self._sessions):
                session.abort()

    def hang_up(self) -> None:
        """`Victim`: close all connections, without unbind."""
        for session in list(self._sessions):
            session.abort()

    def unbind(self) -> None:
        """`Victim`: ask all ESMEs to go."""
        for session in list(self._sessions):
            session.unbind()

    def flood(self, n: int) -> None:
        """`Victim`: so many messages from phones to the first account, all at once."""
        number = next(iter(self._accounts.values())).number
        for place in itertools.islice(self._flood, n):
            handset = self._network.add_handset(f"+{_FLOOD_SENDER + place % 1_000}")
            task = asyncio.get_running_loop().create_task(handset.send(number, f"flood {place}"))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _make_session(self) -> SmscSession:
        return SmscSession(
            behaviour=self._behaviour,
            network=self._network,
            accounts=self._accounts,
            sessions=self._sessions,
            mood=self._mood,
        )


async def run_smsc(
    *,
    host: str,
    port: int,
    accounts: Mapping[str, str],
    latency_s: float,
    scenario: Scenario | None = None,
    control_port: int | None = None,
    announce: Callable[[str], None],
) -> None:
    """An SMSC with an operator of its own, until cancelled.

    Args:
        scenario: what goes wrong with it.
        control_port: where faults are taken while it runs, 0 for any free port; None for nowhere.
        announce: called with lines for people: where it listens, and for whom.

    Cancel: connections are closed.
    """
    async with AsyncExitStack() as stack:
        # Message ids are not to come again after a restart: the ESME's store remembers them.
        network = Network(keep=_KEPT_MESSAGES, seed=secrets.randbits(32))
        stack.push_async_callback(network.close)
        desk = FaultDesk(clock=asyncio.get_running_loop().time, seed=scenario.seed if scenario else 0)
        smsc = SimulatedSmsc(network, host, port, accounts=accounts, latency_s=latency_s, desk=desk)
        await stack.enter_async_context(smsc)
        announce(f"SMSC listening on {host}:{smsc.port}")
        for system_id in accounts:
            announce(f"account {system_id}, number {smsc.number_of(system_id)}")
        if scenario is not None:
            announce(
                f"{arm(scenario, desk)} of {len(scenario.faults)} faults armed. {scenario.about}".rstrip()
            )
        if control_port is not None:
            control = ControlPort(
                desk,
                port=control_port,
                stats=lambda: {"taken": network.accepted_total, "binds": smsc.n_binds, "owed": smsc.n_owed},
                network=network,
            )
            await stack.enter_async_context(control)
            announce(f"control on 127.0.0.1:{control.port}")
        await asyncio.get_running_loop().create_future()
