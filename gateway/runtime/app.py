"""Composition: from settings to a running gateway. Everything is built, started and stopped here, in order."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Coroutine, Iterator

from gateway.alerts.door import AlertDoor
from gateway.channels.attendants import Attendants
from gateway.channels.balance import BalanceQuery, BalanceWatch
from gateway.channels.budgets import Budgets
from gateway.channels.lanes import LaneMaker
from gateway.channels.leases import Leases
from gateway.channels.probes import Probes
from gateway.channels.renewal import Renewal
from gateway.channels.sink import LaneSink
from gateway.channels.supervise import Channels
from gateway.channels.traces import Traces
from gateway.channels.ussd import UssdSessions
from gateway.clock import Clock, SystemClock, format_ms
from gateway.http.product import Product
from gateway.ids import make_id
from gateway.pipeline.channel_tests import ChannelTester
from gateway.pipeline.chores import make_chores
from gateway.pipeline.inbound import Inbox
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.batches import Batches
from gateway.pipeline.intake.limits import Limits
from gateway.pipeline.operator.suppress import read_older_entries
from gateway.pipeline.receipts.apply import Receipts, save_accounts
from gateway.pipeline.receipts.inquiry import Inquiry
from gateway.pipeline.retention import Chore, Retention
from gateway.pipeline.sending.directory import Lanes
from gateway.pipeline.sending.dispatch import Dispatcher
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.late import LateResults
from gateway.pipeline.sending.lines import Lines
from gateway.pipeline.sending.schedule import Scheduler
from gateway.pipeline.sending.standstill import StandstillWatch
from gateway.routing.shares import Shares
from gateway.routing.troubles import Troubles
from gateway.runtime.adopters import Holders, make_adopters
from gateway.runtime.esme import make_service, renew_certificates
from gateway.runtime.figures import make_observer
from gateway.runtime.http import HttpSide
from gateway.runtime.kannel import Jobs, KannelSide
from gateway.runtime.migrating import MigrationNotes
from gateway.runtime.policies import (
    make_consent_desk,
    make_intake_settings,
    make_keeping,
    make_keyword_policy,
    make_limits,
    make_patience,
    make_price_list,
    make_ramping,
    make_receivers,
    make_retry_policy,
    make_sweeper,
    make_weights,
)
from gateway.runtime.reload import ConfigFile, Reload, Running
from gateway.runtime.routing import RoutingSide
from gateway.runtime.rules import make_chain, make_opt_out
from gateway.runtime.stores import OpenStore, open_store
from gateway.runtime.webhooks import WebhookSide
from gateway.settings.config import Settings
from gateway.settings.store import beside_store
from gateway.telemetry.metrics import Metrics, labeled, make_metrics
from gateway.timeline.delivery_log import DeliveryLog
from gateway.timeline.failures import FailureWatch
from gateway.timeline.tally import Tally

_log = logging.getLogger(__name__)
_STOPPING = "stopping"


class Gateway:
    """A gateway: opened, started, stopped, once each; made by `open`.

    Attributes:
        store: the open store.
        intake: where messages come in.
        channels: the directory of channels.
        metrics: its instruments.
        esme: serves applications over SMPP; None without ``[[smpp_server]]``.
        config: reads the config anew.
    """

    def __init__(
        self,
        settings: Settings,
        store: OpenStore,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
        file: ConfigFile | None = None,
    ) -> None:
        self.store = store
        self.metrics = metrics
        self._settings = settings
        self._clock = clock
        store.adopt_prices(make_price_list(settings))
        policy = make_retry_policy(settings)
        instance = make_id()
        maker = LaneMaker(settings.store, clock)
        self._lanes = Lanes(maker.make(channel) for channel in settings.channels)
        for lane in self._lanes:
            lane.release.ramping = make_ramping(settings)
        self._budgets = Budgets(store, clock)
        troubles = Troubles(policy.first_s, policy.cap_s)
        self._dispatcher = Dispatcher(
            store, clock, policy, self._release, metrics, troubles, self._lanes, make_opt_out(settings)
        )
        shares = Shares(format_ms(clock.now()) or 0, make_weights(settings))
        self._lines = Lines(store, shares)
        # Who serves a way must be known before the scheduler is woken for it.
        self._routing = RoutingSide(settings, store, clock, self._lanes, self._wake)
        self._scheduler = Scheduler(
            store,
            clock,
            self._lanes,
            self._dispatcher.start,
            instance,
            troubles,
            shares,
            make_patience(settings),
            policy,
            self._routing.sticky,
            make_chain(settings),
        )
        self._standstill = StandstillWatch(self._scheduler, self._lanes, store, clock, metrics)
        wake = self._scheduler.wake
        store.on_claimable(wake)
        self._webhooks = WebhookSide(settings.webhooks, store, clock, metrics)
        intake_settings = make_intake_settings(
            settings, self._lanes, self._webhooks.check_callback, self._scheduler.chain
        )
        self.intake = Intake(store, clock, intake_settings, shares, limits, self._routing.router)
        region = settings.numbers.region
        inbox = Inbox(store, clock, self.intake, make_keyword_policy(settings), region, metrics)
        receipts = Receipts(store, clock, metrics, region, settings.numbers.dead_codes)
        late = LateResults(store, clock, policy)
        self._ussd = sessions = UssdSessions(clock)
        self._sweeper = make_sweeper(settings, store, clock, inbox, instance, shares)
        self._leases = Leases(store, instance)

        async def load(lane: Lane) -> None:
            receipts.forget(lane.account)
            await store.write(lambda tx: save_accounts(tx, [lane]))
            await self._budgets.restore([lane])

        self.channels = Channels(
            self._lanes,
            store,
            clock,
            lambda lane: LaneSink(
                lane,
                store=store,
                clock=clock,
                inbox=inbox,
                receipts=receipts,
                late=late,
                budgets=self._budgets,
                wake=wake,
                metrics=metrics,
                learner=self._routing.learner,
            ),
            wake,
            self._leases,
            load,
            sessions,
            Traces(beside_store(settings.store, ".traces")),
        )
        self._attendants = Attendants(self._make_attendants, self._worker_ended)
        self._renewal = Renewal(
            self._lanes, self.channels, self._attendants, maker, lambda: self._scheduler.claiming
        )
        self._delivery_log = DeliveryLog(
            store, clock, settings.log.delivery, mask_numbers=settings.log.mask_numbers
        )
        self._kannel = KannelSide(
            settings, store, clock, self.intake, self.channels, intake_settings.channels, self._spawn
        )
        self._failures = FailureWatch(store, clock, lambda: self._routing.router.routes.carriers)
        self._probes = Probes(
            store, clock, ChannelTester(store, clock, self.intake), self._lanes, metrics, settings.probes
        )
        self._alerts = AlertDoor(store, clock, self.intake, metrics, make_receivers(settings))
        self.esme = make_service(settings, store, clock, self.intake, metrics, self.channels.take_back)
        self._retention = Retention(store, clock, self._make_chores(settings), metrics)
        self._http = HttpSide(settings.http, settings.console, mask_numbers=settings.log.mask_numbers)
        self._holders = holders = Holders(
            store=store,
            renewal=self._renewal,
            routing=self._routing,
            intake=self.intake,
            inbox=inbox,
            receipts=receipts,
            dispatcher=self._dispatcher,
            late=late,
            sweeper=self._sweeper,
            troubles=troubles,
            scheduler=self._scheduler,
            shares=shares,
            kannel=self._kannel,
            esme=self.esme,
            webhooks=self._webhooks,
            consents=make_consent_desk(settings, store, clock, self.intake),
            alerts=self._alerts,
            probes=self._probes,
            retention=self._retention,
            make_chores=self._make_chores,
            delivery_log=self._delivery_log,
            http=self._http,
        )
        self._running = Running(settings, make_adopters(holders), self._renewal.plan, self._renew)
        self.config = Reload(file, self._running, store, clock)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_ready: str | None = "starting"

    @property
    def http_port(self) -> int | None:
        """Where the API listens; None until it does."""
        return self._http.port

    async def offer_welcome(self) -> str | None:
        """See `gateway.runtime.http.HttpSide.offer_welcome`."""
        return await self._http.offer_welcome()

    @classmethod
    async def open(
        cls, settings: Settings, *, clock: Clock | None = None, file: ConfigFile | None = None
    ) -> Gateway:
        """Open the store and build everything; nothing runs yet.

        Args:
            file: where the settings come from, to be read anew.

        Raises:
            StoreError: see `gateway.runtime.stores.open_store`.
        """
        metrics = make_metrics()

        clock = clock or SystemClock()
        limits = Limits(
            clock,
            make_limits(settings),
            valid_for_s=settings.queue.valid_for_s,
            refused=lambda limit, owner: labeled(metrics.limit_refusals, limit, owner).inc(),
        )

        store = await open_store(
            settings.store,
            exclusive=True,
            on_commit=make_observer(metrics, limits),
            on_migration=MigrationNotes().take,
        )
        return cls(settings, store, clock, metrics, limits, file)

    async def start(self) -> None:
        """Settle what a crash left, then bring up delivery log, channels and API.

        Raises:
            OSError: the address of the API is taken, or the delivery log can't be written.
        """
        await self._delivery_log.open()
        await read_older_entries(self.store, self._settings.numbers.region)
        await self._sweeper.recover()
        await self._lines.open()
        await self.intake.limits.open(self.store)
        self._spawn(
            {
                "delivery log": self._delivery_log.run(),
                "scheduler": self._scheduler.run(),
                "sweeper": self._sweeper.run(),
                "shares": self._lines.run(),
                "retention": self._retention.run(),
                "leases": self._leases.run(),
                "standstill watch": self._standstill.run(),
                "switch": self._routing.switch.run(),
                "alerts": self._alerts.run(),
                "probes": self._probes.run(),
                "failure watch": self._failures.run(),
                "tally": Tally(self.store, self._clock).run(),
                "budgets": self._budgets.run(self._lanes, self._scheduler.note_time),
            }
        )
        self._spawn(await self._kannel.open())
        self._spawn(await self._webhooks.open())
        await self.channels.start()
        for lane in self._lanes:
            self._attendants.begin(lane)
        await self._serve_http()
        if self.esme is not None:
            await self.esme.start(self._worker_ended)
        self._not_ready = None

    async def stop(self, deadline_s: float) -> None:
        """Stop in order: take nothing more, finish what is on the wire, release the rest, close.

        Args:
            deadline_s: for what is on the wire; what has no answer then will be uncertain.
        """
        self._not_ready = _STOPPING
        self._scheduler.stop()
        await self._http.close()
        if self.esme is not None:
            await self.esme.stop()
        if (scheduler := self._tasks.get("scheduler")) is not None:
            # What it is claiming now must be started, or nobody gives it back.
            await asyncio.wait([scheduler], timeout=deadline_s)
        left = await self._dispatcher.finish(deadline_s)
        if left:
            _log.warning("%d messages were still on the wire; they will be uncertain", left)
        await self._renewal.stop()
        await self._attendants.stop()
        await self.channels.stop()
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._kannel.close()
        await self._webhooks.close()
        await self._delivery_log.write_rest()
        self._delivery_log.close()
        await self.store.close()

    def reopen_logs(self) -> None:
        """Open the delivery log's file anew (SIGHUP, after logrotate)."""
        self._delivery_log.reopen()

    def _renew(self) -> None:
        self._http.renew()
        if self.esme is not None:
            renew_certificates(self.esme, self._settings)

    def _make_chores(self, settings: Settings) -> list[Chore]:
        of_esme = [self.esme.chore] if self.esme is not None else []
        return [*make_chores(make_keeping(settings)), *of_esme]

    def _spawn(self, jobs: Jobs) -> None:
        for name, job in jobs.items():
            self._tasks[name] = asyncio.create_task(job, name=name)
            self._tasks[name].add_done_callback(self._worker_ended)

    def _make_attendants(self, lane: Lane) -> Iterator[Coroutine[object, object, None]]:
        """What asks for a channel's balance, and after its receipts, where its settings want that."""
        settings = self._running.settings
        for sim in settings.modems:
            if sim.name == lane.name and sim.balance_code is not None:
                query = BalanceQuery(lane, sim)
                yield BalanceWatch(
                    query, self._ussd, store=self.store, clock=self._clock, metrics=self.metrics
                ).run()
        for bind in settings.smpp:
            if bind.name == lane.name and lane.driver.capacity and bind.query_after_s < math.inf:
                yield Inquiry(lane, self.store, self._clock, self.metrics, after_s=bind.query_after_s).run()

    def _wake(self) -> None:
        self._scheduler.wake()

    def _release(self, lane: Lane) -> None:
        self._scheduler.release(lane)

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        """A worker must not end while we run; the service manager restarts us when the probe says so."""
        if self._not_ready != _STOPPING and not task.cancelled():
            self._not_ready = f"{task.get_name()} ended"
            _log.critical("%s ended; restart the gateway", task.get_name(), exc_info=task.exception())

    def _ready(self) -> str | None:
        return self._not_ready

    async def _serve_http(self) -> None:
        context = Product(
            store=self.store,
            intake=self.intake,
            batches=Batches(self.store, self._clock, self.intake),
            alerts=self._alerts,
            channels=self.channels,
            clock=self._clock,
            region=self._settings.numbers.region,
            ready=self._ready,
            metrics=self.metrics,
            kannel=self._kannel.door,
            webhooks=self._webhooks.desk,
            consents=self._holders.consents,
            reload=self.config.reload,
        )
        await self._http.open(context)
