"""The whole pipeline on a real SQLite file over scripted drivers, with a clock that only the test moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from drivers.base import Receipt, ReceiptState
from drivers.pacing import TokenBucket
from gateway.channels.budgets import Budgets
from gateway.channels.leases import Leases
from gateway.channels.sink import LaneSink
from gateway.channels.supervise import Channels
from gateway.channels.traces import Traces
from gateway.channels.ussd import UssdSessions
from gateway.clock import format_ms
from gateway.ids import make_id
from gateway.model.events import Event, MessageEvent
from gateway.model.message import InboundMessage, Message, Segment
from gateway.model.request import MessageRequest
from gateway.pipeline.chores import Keeping, make_chores
from gateway.pipeline.inbound import Inbox
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.batches import Batches
from gateway.pipeline.intake.drafting import IntakeSettings
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.pipeline.intake.route import Router
from gateway.pipeline.receipts.apply import Receipts
from gateway.pipeline.replies import KeywordPolicy
from gateway.pipeline.retention import Retention
from gateway.pipeline.sending.directory import Lanes
from gateway.pipeline.sending.dispatch import Dispatcher
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.late import LateResults
from gateway.pipeline.sending.lines import Lines
from gateway.pipeline.sending.schedule import Scheduler
from gateway.pipeline.sending.standstill import StandstillWatch
from gateway.pipeline.sending.switch import Switch
from gateway.pipeline.sweep import Sweeper
from gateway.policy.optout import Keywords
from gateway.policy.text import DEFAULT_RULES, TextRules
from gateway.routing.budgets import Budget
from gateway.routing.prices import NO_PRICES, Prices
from gateway.routing.retry import RetryPolicy
from gateway.routing.routes.carriers import Carriers
from gateway.routing.routes.fitness import Fitness
from gateway.routing.routes.table import Routes, Rule
from gateway.routing.shares import Shares
from gateway.routing.troubles import Troubles
from gateway.runtime.stores import OpenStore
from gateway.store.events import load_timeline
from gateway.store.inbound import list_inbound
from gateway.store.messages import find_message
from gateway.telemetry.metrics import make_metrics
from tests.support.fake_driver import DEADLINE_S, ScriptedDriver
from tests.support.product import load_segments
from tests.support.stores import open_at

PHONE = "+8613800138000"
START = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)

KEEPING = Keeping(
    texts=180 * 86_400.0,
    messages=365 * 86_400.0,
    events=90 * 86_400.0,
    inbound=365 * 86_400.0,
    receipts=14 * 86_400.0,
)

OPT_OUT_REPLY = "You are off the list."
KEYWORDS = KeywordPolicy(
    keywords=Keywords.of(["TD", "T", "退订", "STOP"], ["START"], ["HELP"]),
    opt_out_reply=OPT_OUT_REPLY,
    opt_in_reply="Welcome back.",
    help_reply="This is hongyan.",
)


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self._at = at
        self._monotonic = 1_000.0

    def now(self) -> datetime:
        """The instant."""
        return self._at

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._at += timedelta(seconds=seconds)
        self._monotonic += seconds

    def put_back(self, seconds: float) -> None:
        """Somebody sets it: no time passes."""
        self._at -= timedelta(seconds=seconds)


class ScriptedChannel(msgspec.Struct, kw_only=True):
    """A channel of the rig; ``kind`` decides how its references are matched."""

    driver: ScriptedDriver
    kind: str = "smpp"
    groups: tuple[str, ...] = ("default",)
    rate: TokenBucket | None = None
    budget: Budget | None = None
    number: str | None = None
    account: str | None = None
    takes_options: bool = True


class Rig:
    """A gateway without API and config; everything that `gateway.runtime.app` wires, wired the same way."""

    def __init__(
        self,
        store: OpenStore,
        channels: Sequence[ScriptedChannel],
        policy: RetryPolicy,
        clock: ManualClock,
        traces: Path,
        text: TextRules,
        region: str,
        rules: Sequence[Rule] = (),
        carriers: Carriers | None = None,
    ) -> None:
        self.store, self.clock, self.policy = store, clock, policy
        for c in channels:
            c.driver.become(c.kind, takes_options=c.takes_options)
        self.lanes = {
            c.driver.channel_id: Lane(
                c.driver,
                groups=c.groups,
                clock=clock,
                rate=c.rate,
                budget=c.budget,
                number=c.number,
                account=c.account,
            )
            for c in channels
        }
        metrics = make_metrics()
        instance = make_id()
        self.metrics = metrics
        troubles = Troubles(policy.first_s, policy.cap_s)
        lanes = list(self.lanes.values())
        self.dispatcher = Dispatcher(store, clock, policy, self._release, metrics, troubles, lanes)
        self.shares = Shares(format_ms(clock.now()) or 0)
        self.lines = Lines(store, self.shares)
        self.scheduler = Scheduler(
            store,
            clock,
            lanes,
            self.dispatcher.start,
            instance,
            troubles,
            self.shares,
            policy=policy,
            sticky=lambda: self.router.routes.sticky,
        )
        self.watch = StandstillWatch(self.scheduler, lanes, store, clock, metrics)
        wake = self.scheduler.wake
        groups = {c.driver.channel_id: c.groups for c in channels if c.driver.capacity}
        self.router = Router(Routes(rules, groups, carriers))
        self.switch = Switch(store, clock, lanes, self.router.routes.members, Fitness(30.0, 10.0), wake)
        store.on_claimable(self.switch.note)
        store.on_claimable(wake)
        plain = {c.driver.channel_id for c in channels if not c.takes_options}
        self.check_callback: Callable[[str], str] = lambda _url: ""
        settings = IntakeSettings(
            region,
            groups,
            72 * 3_600,
            text,
            without_options=plain,
            otp_valid_for_s=600.0,
            check_callback=self._check_callback,
        )
        self.intake = Intake(store, clock, settings, self.shares, router=self.router)
        self.batches = Batches(store, clock, self.intake)
        self.inbox = Inbox(store, clock, self.intake, KEYWORDS, region, metrics)
        self.receipts = Receipts(store, clock, metrics, region)
        late = LateResults(store, clock, policy)
        self.budgets = Budgets(store, clock)
        self.retention = Retention(store, clock, make_chores(KEEPING), metrics)
        self.sweeper = Sweeper(store, clock, self.inbox, instance=instance, policy=policy, shares=self.shares)
        self.leases = Leases(store, instance)
        self.channels = Channels(
            Lanes(lanes),
            store,
            clock,
            lambda lane: LaneSink(
                lane,
                store=store,
                clock=clock,
                inbox=self.inbox,
                receipts=self.receipts,
                late=late,
                budgets=self.budgets,
                wake=wake,
            ),
            wake,
            self.leases,
            self._load,
            UssdSessions(clock),
            Traces(traces),
        )
        self._drivers = [c.driver for c in channels]
        self._tasks: list[asyncio.Task[None]] = []

    def _check_callback(self, url: str) -> str:
        return self.check_callback(url)

    def _release(self, lane: Lane) -> None:
        self.scheduler.release(lane)

    async def _load(self, lane: Lane) -> None:
        self.receipts.forget(lane.account)
        await self.budgets.restore([lane])

    async def begin(self) -> None:
        """Settle what a crash left, then send when the channels come up."""
        await self.sweeper.recover()
        self._tasks = [asyncio.create_task(self.scheduler.run())]
        await self.channels.start()

    async def start(self) -> None:
        """`begin`, and wait for the channels."""
        await self.begin()
        await self.until(lambda: all(c.is_up for c in self._drivers))
        await self.settled_claims()

    async def stop(self, deadline_s: float = 0.2) -> int:
        """Stop sending, in the order of the daemon; how many messages were still on the wire."""
        self.scheduler.stop()
        left = await self.dispatcher.finish(deadline_s)
        await self.channels.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return left

    # --- what a client does ---

    async def send(self, to: str = PHONE, text: str = "hello", **fields: object) -> Message:
        """Accept one message as from the API."""
        request = msgspec.convert({"to": to, "text": text, **fields}, MessageRequest)
        accepted = await self.intake.accept(request, key=None)
        assert isinstance(accepted, AcceptedMessage)
        return accepted.message

    # --- what time does ---

    async def advance(self, seconds: float) -> None:
        """Let time pass, and do what the sweeper and the scheduler's own alarm would do by then."""
        self.clock.advance(seconds)
        await self.sweep()
        self.scheduler.note_time()

    async def sweep(self) -> None:
        """One tick of the sweeper."""
        await self.sweeper.promote_due()
        await self.sweeper.expire()

    # --- what an operator sees ---

    async def message(self, message_id: str) -> Message:
        """The message as stored."""
        message = await self.store.read(lambda tx: find_message(tx, message_id))
        assert message is not None
        return message

    async def segments(self, message_id: str) -> list[Segment]:
        """Its segments as stored."""
        return (await self.store.read(lambda tx: load_segments(tx, [message_id])))[message_id]

    async def events(self, subject: str) -> list[Event]:
        """Its timeline."""
        return await self.store.read(lambda tx: load_timeline(tx, subject))

    async def states(self, message_id: str) -> list[str]:
        """The statuses it went through, in order."""
        events = await self.events(message_id)
        return [e.type.removeprefix("message.") for e in events if e.type.startswith("message.")]

    async def details(self, message_id: str) -> list[MessageEvent]:
        """The data of its timeline."""
        return [msgspec.json.decode(e.data, type=MessageEvent) for e in await self.events(message_id)]

    async def inbound(self) -> list[InboundMessage]:
        """Joined inbound messages, oldest first."""
        return list(reversed(await self.store.read(lambda tx: list_inbound(tx, limit=100))))

    # --- waiting ---

    async def until(self, condition: Callable[[], object | Awaitable[object]]) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            held = condition()
            if await held if isinstance(held, Awaitable) else held:
                return
            assert time.monotonic() < deadline, "what was waited for did not happen"
            await asyncio.sleep(0.002)

    async def until_status(self, message: Message, status: str) -> Message:
        """Wait until a message has come to a status."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            now = await self.message(message.id)
            if now.status == status:
                return now
            assert time.monotonic() < deadline, f"{status} awaited, still {now.status}"
            await asyncio.sleep(0.002)

    async def settled(self) -> None:
        """Wait until nothing is on a wire and the scheduler has looked at what is left."""
        for _ in range(2):  # what the first round finished may have made room for a second
            await self.until(lambda: self.dispatcher.n_running == 0)
            await self.settled_claims()

    async def settled_claims(self) -> None:
        """Wait until the scheduler has looked at everything that it knows of."""
        await self.until(lambda: not self.scheduler._wake.is_set())
        # A claim that was under way has been committed once a later write has, and then its tasks have begun.
        await self.store.write(_nothing)
        await self.until(lambda: not self.scheduler._wake.is_set())
        await asyncio.sleep(0)


@asynccontextmanager
async def running(
    path: Path,
    *channels: ScriptedChannel | ScriptedDriver,
    policy: RetryPolicy | None = None,
    clock: ManualClock | None = None,
    started: bool = True,
    text: TextRules = DEFAULT_RULES,
    region: str = "CN",
    exclusive: bool = True,
    prices: Prices = NO_PRICES,
    rules: Sequence[Rule] = (),
    carriers: Carriers | None = None,
) -> AsyncIterator[Rig]:
    """A rig on a store file, stopped and closed at the end."""
    store = await open_at(path, exclusive=exclusive)
    store.adopt_prices(prices)
    wrapped = [c if isinstance(c, ScriptedChannel) else ScriptedChannel(driver=c) for c in channels]
    traces = path.with_name(path.name + ".traces")
    policy, clock = policy or RetryPolicy(), clock or ManualClock()
    rig = Rig(store, wrapped, policy, clock, traces, text, region, rules, carriers)
    try:
        if started:
            await rig.start()
        yield rig
    finally:
        await rig.stop()
        await store.close()


def receipt(
    *references: str,
    to: str | None = PHONE,
    state: ReceiptState = ReceiptState.DELIVERED,
    code: str = "",
    done_at: datetime | None = None,
    accepted_at: datetime | None = None,
) -> Receipt:
    """A delivery report."""
    return Receipt(
        references=references, recipient=to, state=state, code=code, done_at=done_at, accepted_at=accepted_at
    )


async def _nothing(_tx: object) -> None:
    return None
