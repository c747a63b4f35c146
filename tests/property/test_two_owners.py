"""Two instances on one store, in any order: a message never has two owners, and nobody writes over a newer state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.base import Fault, FaultKind, ReceiptState, Refused, Uncertain
from gateway.errors import Conflict, StaleWrite
from gateway.ids import MessageId, make_id
from gateway.model.actor import SYSTEM
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import Message, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.operator.verbs import cancel_message
from gateway.pipeline.receipts.settle import settle
from gateway.pipeline.sending.outcomes import Taken, record_all_accepted, record_refused
from gateway.routing.retry import Decision, Hold, TryAgain
from gateway.store.messages import Whole, find_to_change, load_whole, save_messages
from gateway.store.ports import Tx
from gateway.store.queue import claim_messages, disown, unhide
from gateway.store.receipts import EarlyReceipt
from gateway.store.sqlite.engine import SqliteStore
from tests.support.gateway import START, ManualClock
from tests.support.product import resend_message

pytestmark = pytest.mark.property

S = SegmentStatus
REFUSED = Refused(fault=Fault(kind=FaultKind.TEMPORARY, code="busy", detail="Later."))
LOST = Uncertain(code="no_answer", detail="Nobody knows.")
_OFTEN = ("claim", "accept", "refuse")
KINDS = (*_OFTEN, *_OFTEN, *_OFTEN, "lose", "disown", "adopt", "receipt", "cancel", "resend", "unhide")
"""What happens; most of it needs a claim and something taken."""

bits = st.integers(0, 1)
steps = st.lists(st.tuples(st.sampled_from(KINDS), bits, bits, bits), min_size=10, max_size=40)
SAME_OWNER_AGAIN = [("claim", 0, 0, 0), ("refuse", 0, 0, 0), ("claim", 0, 0, 0), ("accept", 0, 0, 1)]


class Held(NamedTuple):
    """A message as its instance believes to own it."""

    message: Message
    on_wire: Segment


class World:
    """Two stores on one file, and what each instance believes."""

    def __init__(self, stores: tuple[SqliteStore, SqliteStore]) -> None:
        self.stores = stores
        self.clock = ManualClock(START)
        self.ids: list[str] = []
        self.held: list[dict[str, list[Held]]] = [{}, {}]
        self.owner: dict[str, Held] = {}
        """Whose claim holds, by what has happened."""

    async def begin(self) -> None:
        """A message in one part, and one in three."""
        messages = [
            Message(
                id=MessageId(make_id()), recipient="+8613800138000", text="hello", encoding="gsm7",
                status=MessageStatus.QUEUED, n_segments=n, queue="group:default", created_at=START,
                updated_at=START, expires_at=START + timedelta(hours=72),
            )
            for n in (1, 3)
        ]  # fmt: skip
        parts = [[Segment(part=n + 1, payload=b"hello") for n in range(m.n_segments)] for m in messages]
        await self.stores[0].write(lambda tx: save_messages(tx, list(zip(messages, parts, strict=True))))
        self.ids = [m.id for m in messages]

    async def look(self, message_id: str) -> Whole:
        (found,) = await self.stores[0].read(lambda tx: load_whole(tx, [message_id]))
        return found

    async def claim(self, i: int, message_id: str) -> None:
        before = (await self.look(message_id)).message
        claimed = await self.stores[i].write(
            lambda tx: claim_messages(tx, {message_id: "a"}, f"instance {i}", self.clock.now())
        )
        assert not claimed or (before.status is MessageStatus.QUEUED and message_id not in self.owner)
        for message, segments in claimed:
            on_wire = next(s for s in segments if s.status is S.SENDING)
            self._hold(i, Held(message, on_wire))

    async def accept(self, i: int, held: Held) -> None:
        message_id = held.message.id
        sent = msgspec.structs.replace(
            held.on_wire, status=S.SENT, reference=make_id(), sent_at=self.clock.now(), error=None
        )
        taken = Taken(held.message, held.on_wire, sent, self.clock.now(), True)
        before = await self.look(message_id)
        following = await self.stores[i].write_jointly(record_all_accepted, taken)
        assert isinstance(following, StaleWrite) is not self._is_owner(held)
        if isinstance(following, StaleWrite):
            assert await self.look(message_id) == before
            return
        assert sent in (await self.look(message_id)).segments, "what the network took is on record"
        del self.owner[message_id]
        if following is not None:
            self._hold(i, Held(held.message, following))

    async def fail(self, i: int, held: Held, result: Refused | Uncertain, decision: Decision) -> None:
        message_id = held.message.id
        before = await self.look(message_id)

        async def op(tx: Tx) -> None:
            await record_refused(tx, held.message, held.on_wire, result, decision, self.clock.now())

        if self._is_owner(held):
            await self.stores[i].write(op)
            del self.owner[message_id]
        else:
            with pytest.raises(StaleWrite):
                await self.stores[i].write(op)
            assert await self.look(message_id) == before

    async def disown(self, i: int, held: Held) -> None:
        message_id = held.message.id
        was_owner, before = self._is_owner(held), await self.look(message_id)
        await self.stores[i].write(lambda tx: disown(tx, held.message))
        assert was_owner or await self.look(message_id) == before
        if was_owner:
            del self.owner[message_id]

    async def adopt(self, i: int, message_id: str) -> None:
        """As the sweep does with what a dead instance was sending."""

        async def op(tx: Tx) -> None:
            now = await find_to_change(tx, message_id)
            assert now is not None
            on_wire = next((s for s in now.segments if s.status is S.SENDING), None)
            if on_wire is not None:
                await record_refused(tx, now.message, on_wire, LOST, Hold(), self.clock.now())

        await self.stores[i].write(op)
        self.owner.pop(message_id, None)

    async def receipt(self, i: int, message_id: str) -> None:
        async def op(tx: Tx) -> None:
            now = await find_to_change(tx, message_id)
            assert now is not None
            waiting = next((s for s in now.segments if s.status in {S.SENT, S.UNCERTAIN}), None)
            if waiting is not None:
                early = EarlyReceipt(make_id(), None, ReceiptState.DELIVERED.value, "", None)
                await settle(tx, now.message, now.segments, waiting.part, early, self.clock.now())

        await self.stores[i].write(op)

    async def do(self, kind: str, i: int, message_id: str, back: int) -> None:
        """One step; of an owner, by its last claim or by the one before."""
        store, mine = self.stores[i], self.held[i].get(message_id, [])
        match kind:
            case "claim" | "adopt" | "receipt":
                await getattr(self, kind)(i, message_id)
            case "accept" | "refuse" | "lose" | "disown" if len(mine) <= back:
                return
            case "accept" | "disown":
                await getattr(self, kind)(i, mine[-1 - back])
            case "refuse":
                await self.fail(i, mine[-1 - back], REFUSED, TryAgain(after_s=0.0, counted=True))
            case "lose":
                await self.fail(i, mine[-1 - back], LOST, Hold())
            case "cancel" | "resend":
                verb = cancel_message if kind == "cancel" else resend_message
                try:
                    await verb(store, self.clock, message_id, by=SYSTEM)
                except Conflict:
                    return
            case _:
                await store.write(lambda tx: unhide(tx, [message_id], self.clock.now()))

    def _hold(self, i: int, held: Held) -> None:
        self.held[i].setdefault(held.message.id, []).append(held)
        self.owner[held.message.id] = held

    def _is_owner(self, held: Held) -> bool:
        return self.owner.get(held.message.id) is held


def check(kind: str, before: Whole, after: Whole, *, is_owned: bool) -> None:
    """What holds after each step, whatever it was."""
    message = after.message
    assert (message.owner is not None) == (message.status is MessageStatus.SENDING)
    assert bool(message.owner) == is_owned
    assert message.epoch >= before.message.epoch
    assert message.epoch == before.message.epoch or kind == "claim"
    if kind != "resend" and before.message.status in TERMINAL:
        assert message.status is before.message.status, "the end is the end"
    for old, new in zip(before.segments, after.segments, strict=True):
        if old.status is S.SENT:
            assert new.status in {S.SENT, S.DELIVERED}
        if old.status is S.DELIVERED:
            assert new == old
        if kind != "resend" and old.reference is not None:
            assert new.reference == old.reference


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@asynccontextmanager
async def two_stores(path: Path) -> AsyncIterator[tuple[SqliteStore, SqliteStore]]:
    stores = (await SqliteStore.open(path), await SqliteStore.open(path))
    try:
        yield stores
    finally:
        for store in stores:
            await store.close()


def test_whatever_two_instances_do_a_message_has_one_owner_and_keeps_what_became_of_it(
    tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner
):
    path = tmp_path_factory.mktemp("two") / "s.db"

    async def run_all() -> None:
        async with two_stores(path) as stores:
            loop = asyncio.get_running_loop()

            async def run(todo: list[tuple[str, int, int, int]]) -> None:
                world = World(stores)
                await world.begin()
                for kind, i, which, back in todo:
                    message_id = world.ids[which]
                    before = await world.look(message_id)
                    await world.do(kind, i, message_id, back)
                    check(kind, before, await world.look(message_id), is_owned=message_id in world.owner)

            @example(SAME_OWNER_AGAIN)
            @given(steps)
            def explore(todo: list[tuple[str, int, int, int]]) -> None:
                asyncio.run_coroutine_threadsafe(run(todo), loop).result()

            await asyncio.to_thread(explore)

    runner.run(run_all())
