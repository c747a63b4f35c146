"""The whole of it: listeners, accounts, what applications submit, and what they are told; started and stopped here."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from prometheus_client import Counter

from drivers.smpp.server.listener import ServerBind, SmppServer, SmppServerConfig
from drivers.smpp.session.machine import SessionTimers
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.esme.account import EsmeAccount
from gateway.esme.allowance import AccountState
from gateway.esme.collector import Collector
from gateway.esme.courier import Courier
from gateway.esme.door import Doorkeeper
from gateway.esme.host import EsmeHost
from gateway.esme.intake import Submissions
from gateway.esme.requests import Requests
from gateway.esme.session import EsmeSession
from gateway.pipeline.chores import AT_ONCE
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.operator.recall import TakeBack
from gateway.pipeline.retention import Chore, Step
from gateway.store.esme import count_waiting
from gateway.store.esme_outbox import forget_deliveries
from gateway.store.ports import Store, Tx
from gateway.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

_TICK_S: Final = 5.0
_SESSION_INIT_S: Final = 30.0
"""For the bind; longer than any pause after wrong passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where applications connect.

    Args:
        tls: None for plain TCP.
        enquire_link_s, response_timeout_s: of its sessions.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    max_connections: int = 1_000
    max_per_address: int = 200
    enquire_link_s: float = 30.0
    response_timeout_s: float = 60.0


class EsmeService:
    """Serves applications over SMPP.

    Args:
        accounts, listeners: who may bind, and where.
        take_back: see `gateway.esme.requests.Requests`.

    Attributes:
        listeners: as they were given.
        ports: where the listeners listen, once started, in their order.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        intake: Intake,
        metrics: Metrics,
        *,
        accounts: Sequence[EsmeAccount],
        listeners: Sequence[Listener],
        take_back: TakeBack,
    ) -> None:
        self._store = store
        self._clock = clock
        self._accounts = {account.system_id: account for account in accounts}
        now = clock.monotonic()
        self._states = {name: AccountState.of(account, now) for name, account in self._accounts.items()}
        submits, deliveries = _counters(metrics)
        self._deliveries = deliveries
        self._couriers = {name: self._make_courier(account) for name, account in self._accounts.items()}
        self._submissions = Submissions(store, clock, intake)
        requests = Requests(store, clock, intake, take_back)

        def open_session(bind: ServerBind, state: AccountState) -> EsmeSession:
            return EsmeSession(
                bind,
                state,
                submissions=self._submissions,
                requests=requests,
                clock=clock,
                count=lambda account, status: submits.labels(account, status).inc(),
            )

        self._host = EsmeHost(Doorkeeper(self._accounts, clock), self._states, self._couriers, open_session)
        self._collector = Collector(store, clock, self._accounts, self._wake, self._note_closed)
        self.listeners = listeners
        self._servers = [SmppServer(_server_config(listener), self._host) for listener in listeners]
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: Callable[[asyncio.Task[None]], None] | None = None
        metrics.watch(
            "hongyan_smpp_server_binds", "Applications' open binds.", "account", lambda: self._host.n_binds
        )
        metrics.watch(
            "hongyan_smpp_server_waiting",
            "Messages of applications that the network does not have yet.",
            "account",
            lambda: {name: state.waiting for name, state in self._states.items()},
        )

    @property
    def ports(self) -> list[int]:
        """Where the listeners listen."""
        return [server.port for server in self._servers]

    def adopt(self, accounts: Sequence[EsmeAccount]) -> None:
        """Go by other accounts from now on.

        Binds stay, with the new limits, unless their account is gone or has another password, or other addresses or
        kinds of bind: those are unbound. What a gone account is owed is kept.
        """
        before, now = dict(self._accounts), self._clock.monotonic()
        self._accounts.clear()
        self._accounts.update({account.system_id: account for account in accounts})
        for name, account in self._accounts.items():
            if name in self._states:
                self._states[name].adopt(account, now)
                self._couriers[name].adopt(account)
            else:
                self._states[name] = AccountState.of(account, now)
                self._couriers[name] = self._make_courier(account)
                if self._ended is not None:
                    self._spawn(f"smpp server courier {name}", self._couriers[name].run(), self._ended)
        for name, account in before.items():
            after = self._accounts.get(name)
            if after is None or not after.lets_in_as(account):
                for server in self._servers:
                    server.dismiss(name)

    async def start(self, ended: Callable[[asyncio.Task[None]], None]) -> None:
        """Find out what is owed and waiting, then listen.

        Args:
            ended: called when one of the workers ends.

        Raises:
            OSError: an address can't be listened on.
        """
        for name, n in (await self._store.read(count_waiting)).items():
            if name in self._states:
                self._states[name].waiting = n
        self._ended = ended
        await self._collector.open()
        self._spawn("smpp server collector", self._collector.run(), ended)
        self._spawn("smpp server housekeeping", self._keep_house(), ended)
        for name, courier in self._couriers.items():
            self._spawn(f"smpp server courier {name}", courier.run(), ended)
        for server in self._servers:
            try:
                await server.start()
            except OSError as exc:
                exc.filename = f"smpp_server {server.address}"  # for whoever tells what could not be opened
                raise

    async def stop(self) -> None:
        """Unbind from everybody; what they are owed is kept."""
        await asyncio.gather(*(server.stop() for server in self._servers))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for courier in self._couriers.values():
            try:
                await courier.finish()
            except StoreError as exc:
                _log.warning("smpp server: acknowledged deliveries will go out again: %s", exc)

    # ---- inside ----

    def _make_courier(self, account: EsmeAccount) -> Courier:
        name = account.system_id
        return Courier(
            account, self._store, self._clock, lambda what: self._deliveries.labels(name, what).inc()
        )

    def _spawn(
        self, name: str, job: Coroutine[Any, Any, None], ended: Callable[[asyncio.Task[None]], None]
    ) -> None:
        task = asyncio.create_task(job, name=name)
        task.add_done_callback(ended)
        self._tasks.append(task)

    def _wake(self, accounts: set[str]) -> None:
        for name in accounts & self._couriers.keys():
            self._couriers[name].wake()

    def _note_closed(self, closed: Mapping[str, int]) -> None:
        for name, n in closed.items():
            if name in self._states:
                state = self._states[name]
                state.waiting = max(
                    0, state.waiting - n
                )  # of one that is new nobody counted what was there before

    async def _keep_house(self) -> None:
        while True:
            try:
                await self._submissions.give_out_stale(self._accounts)
            except StoreError as exc:
                _log.warning("smpp server: housekeeping skipped: %s", exc)
            await asyncio.sleep(_TICK_S)

    @property
    def chore(self) -> Chore:
        """What accounts did not fetch in their time is dropped."""
        return Chore("smpp_deliveries", self._drop_deliveries)

    async def _drop_deliveries(self, store: Store, now: datetime, _after: str) -> Step:
        async def op(tx: Tx) -> list[int]:
            return [
                await forget_deliveries(tx, account.system_id, now - account.keep, AT_ONCE)
                for account in self._accounts.values()
            ]

        dropped = await store.write(op)
        if any(dropped):
            _log.warning("smpp server: %d deliveries that nobody fetched were dropped", sum(dropped))
        return Step(sum(dropped), "" if AT_ONCE in dropped else None)


def _server_config(listener: Listener) -> SmppServerConfig:
    return SmppServerConfig(
        host=listener.host,
        port=listener.port,
        tls=listener.tls,
        max_connections=listener.max_connections,
        max_per_address=listener.max_per_address,
        timers=SessionTimers(
            enquire_link_s=listener.enquire_link_s,
            response_s=listener.response_timeout_s,
            session_init_s=_SESSION_INIT_S,
        ),
        response_timeout_s=listener.response_timeout_s,
    )


def _counters(metrics: Metrics) -> tuple[Counter, Counter]:
    """Submissions by account and answer; deliveries by account and what became of them."""
    submits = Counter(
        "hongyan_smpp_server_submits_total",
        "Submissions of applications.",
        ("account", "status"),
        registry=metrics.registry,
    )
    deliveries = Counter(
        "hongyan_smpp_server_deliveries_total",
        "Receipts and inbound messages on their way to applications.",
        ("account", "outcome"),
        registry=metrics.registry,
    )
    return submits, deliveries
