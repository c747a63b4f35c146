"""What every engine keeps of messages, with two stores open on one database: claims, fences, looks-up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway.errors import StaleWrite
from gateway.ids import MessageId, make_id
from gateway.model.message import Category, Message, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.sending.outcomes import Taken, record_accepted, record_all_accepted
from gateway.routing.troubles import Number
from gateway.store import inquiries, messages, queue, receipts, usage
from gateway.store.changes import Change, save_change
from gateway.store.messages import MessageFilter, Whole, find_to_change, load_whole, save_messages
from gateway.store.ports import Store, Tx
from gateway.store.queue import claim_messages, find_due
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
QUEUE = "group:default"
TO = "+8613800138000"


def make_message(n_segments: int = 1, category: Category = Category.TRANSACTIONAL) -> Message:
    return Message(
        id=MessageId(make_id()),
        recipient=TO,
        text="hello",
        category=category,
        encoding="gsm7",
        status=MessageStatus.QUEUED,
        n_segments=n_segments,
        queue=QUEUE,
        created_at=AT,
        updated_at=AT,
        expires_at=AT + timedelta(hours=72),
    )


async def save(store: Store, *accepted: Message) -> list[Message]:
    segments = {m.id: [Segment(part=n + 1, payload=b"hello") for n in range(m.n_segments)] for m in accepted}
    await store.write(lambda tx: save_messages(tx, [(m, segments[m.id]) for m in accepted]))
    return list(accepted)


async def claim(store: Store, owner: str, ids: Sequence[str]) -> list[Whole]:
    return await store.write(lambda tx: claim_messages(tx, dict.fromkeys(ids, "a"), owner, AT))


async def whole(store: Store, message_id: str) -> Whole:
    (found,) = await store.read(lambda tx: load_whole(tx, [message_id]))
    return found


def taken(claimed: Whole, reference: str, *, go_on: bool = True) -> Taken:
    """The network took the segment that is on the wire."""
    on_wire = next(s for s in claimed.segments if s.status is SegmentStatus.SENDING)
    sent = msgspec.structs.replace(on_wire, status=SegmentStatus.SENT, reference=reference, sent_at=AT)
    return Taken(claimed.message, on_wire, sent, AT, go_on)


async def test_of_two_that_claim_the_same_messages_each_gets_others(store: OpenStore, other: OpenStore):
    saved = await save(store, *(make_message(n_segments=1 + n % 3) for n in range(60)))
    ids = [m.id for m in saved]
    claimed = await asyncio.gather(
        *(
            claim(s, owner, ids[n : n + 20])
            for n in range(0, 50, 10)
            for s, owner in ((store, "x"), (other, "y"))
        )
    )
    got = [w.message.id for group in claimed for w in group]
    assert sorted(got) == ids, "each is claimed, and once"
    for group in claimed:
        for message, segments in group:
            now = await whole(store, message.id)
            assert now == (message, segments), "what a claim gives is what is stored"
            assert (message.status, message.channel, message.epoch) == (MessageStatus.SENDING, "a", 1)
            assert [s.status for s in segments] == ["sending", "queued", "queued"][: message.n_segments]


@pytest.mark.parametrize("n_segments", [1, 2])
async def test_an_owner_that_was_given_up_changes_nothing_any_more(
    store: OpenStore, other: OpenStore, n_segments: int
):
    (message,) = await save(store, make_message(n_segments))
    (mine,) = await claim(store, "x", [message.id])

    async def give_up(tx: Tx) -> None:
        now = await find_to_change(tx, message.id)
        assert now is not None
        queued = msgspec.structs.replace(now.message, status=MessageStatus.QUEUED)
        part = now.segments[0]
        await save_change(
            tx,
            Change(now.message, queued, [(part, msgspec.structs.replace(part, status=SegmentStatus.QUEUED))]),
        )

    await other.write(give_up)
    before = await whole(store, message.id)
    with pytest.raises(StaleWrite):
        await store.write(lambda tx: record_accepted(tx, *taken(mine, "r1")))
    assert await whole(store, message.id) == before
    (theirs,) = await claim(other, "y", [message.id])
    assert theirs.message.epoch == 2
    late = await store.write_jointly(record_all_accepted, taken(mine, "r2"))
    assert isinstance(late, StaleWrite)
    assert await whole(store, message.id) == theirs
    await other.write(give_up)
    (again,) = await claim(store, "x", [message.id])
    with pytest.raises(StaleWrite):
        await store.write(lambda tx: record_accepted(tx, *taken(mine, "r3")))
    assert isinstance(await store.write_jointly(record_all_accepted, taken(mine, "r4")), StaleWrite)
    assert await whole(store, message.id) == again, "the same owner, but another claim"


async def test_one_stale_outcome_does_not_hurt_those_that_are_written_with_it(
    store: OpenStore, other: OpenStore
):
    saved = await save(store, *(make_message() for _ in range(5)))
    claimed = await claim(store, "x", [m.id for m in saved])
    gone = claimed[2].message
    await other.write(lambda tx: queue.disown(tx, gone))
    results = await asyncio.gather(
        *(store.write_jointly(record_all_accepted, taken(w, f"r{n}")) for n, w in enumerate(claimed))
    )
    assert [type(result) for result in results] == [type(None)] * 2 + [StaleWrite] + [type(None)] * 2
    found = await store.read(lambda tx: load_whole(tx, [m.id for m in saved]))
    assert [w.message.status.value for w in found] == ["sent", "sent", "sending", "sent", "sent"]
    assert [w.segments[0].reference for w in found] == ["r0", "r1", None, "r3", "r4"]


async def test_what_was_judged_by_an_older_state_is_not_written(store: OpenStore, other: OpenStore):
    (message,) = await save(store, make_message())
    await claim(other, "y", [message.id])
    canceled = msgspec.structs.replace(message, status=MessageStatus.CANCELED)
    with pytest.raises(StaleWrite):
        await store.write(lambda tx: save_change(tx, Change(message, canceled)))
    assert (await whole(store, message.id)).message.status is MessageStatus.SENDING


async def test_segments_behind_the_first_go_one_after_the_other(store: OpenStore):
    (message,) = await save(store, make_message(3))
    (claimed,) = await claim(store, "x", [message.id])
    for n in (1, 2, 3):
        following = await store.write(lambda tx, c=claimed, n=n: record_accepted(tx, *taken(c, f"r{n}")))  # type: ignore[misc]
        claimed = await whole(store, message.id)
        assert (following is None) is (n == 3)
        assert [s.reference for s in claimed.segments] == [f"r{k}" if k <= n else None for k in (1, 2, 3)]
    assert (claimed.message.status, claimed.message.owner) == (MessageStatus.SENT, None)
    found = await store.read(lambda tx: receipts.find_by_reference(tx, "a", ["r1", "r3"]))
    assert {(m.part, m.reference, m.recipient) for m in found} == {(1, "r1", TO), (3, "r3", TO)}
    assert await store.read(lambda tx: usage.load_usage(tx, [usage.Stay("a")], AT)) == usage.Usage(3, [TO])


async def test_a_released_message_goes_on_with_the_part_that_waits(store: OpenStore, other: OpenStore):
    (message,) = await save(store, make_message(2))
    (claimed,) = await claim(store, "x", [message.id])
    await store.write(lambda tx: record_accepted(tx, *taken(claimed, "r1", go_on=False)))
    (due,) = await other.read(lambda tx: find_due(tx, {"channel:a": 5}, AT))
    assert due.candidate.need.n_segments == 1
    (theirs,) = await claim(other, "y", [message.id])
    assert [(s.status.value, s.attempts) for s in theirs.segments] == [("sent", 1), ("sending", 1)]
    assert await whole(store, message.id) == theirs


async def test_classes_go_one_after_the_other_whatever_came_first(store: OpenStore):
    order = [Category.MARKETING, Category.TRANSACTIONAL, Category.OTP, Category.EMERGENCY]
    saved = await save(store, *(make_message(category=category) for category in order * 2))
    found = await store.read(lambda tx: find_due(tx, {QUEUE: 10}, AT))
    by_id = {m.id: m.category for m in saved}
    assert [by_id[MessageId(d.message_id)] for d in found] == sorted(by_id.values(), key=order[::-1].index)
    urgent = await store.read(lambda tx: find_due(tx, {QUEUE: 10}, AT, urgent_only=True))
    assert [d.message_id for d in urgent] == [d.message_id for d in found[:4]]


async def test_every_look_up_is_one_that_the_engine_knows(store: OpenStore):
    (message,) = await save(store, make_message(2))
    (claimed,) = await claim(store, "x", [message.id])
    await store.write(lambda tx: record_accepted(tx, *taken(claimed, "r1")))

    async def look(tx: Tx) -> None:
        for status in MessageStatus:
            await messages.list_whole(tx, MessageFilter(status=status.value), limit=5, before=None)
        everything = MessageFilter(
            status="sending", to=(TO,), tag="t", channel="a", reference="r", batch="b", since=AT, until=AT
        )
        await messages.list_whole(tx, everything, limit=5, before="x")
        assert await messages.count_open(tx) == {"queued": 0, "scheduled": 0, "sending": 1, "uncertain": 0}
        await messages.find_latest_sent(tx, [TO], "a")
        await messages.list_batch(tx, "b")
        await queue.find_due(tx, {QUEUE: 1}, AT, urgent_only=True, without=[TO])
        assert await queue.find_orphans(tx, AT, 5, instance="y") == {message.id: "x"}
        await queue.find_hidden_due(tx, AT, 5)
        await queue.find_expired(tx, AT, 5)
        assert await receipts.find_named(tx, "a", ["r1"])
        await receipts.find_by_prefix(tx, "a", "r")
        assert await receipts.find_open_to(tx, "a", [TO], AT)
        await receipts.find_uncertain(tx, "a")
        await receipts.find_unnamed_to(tx, "a", [TO], AT)
        assert await receipts.is_sending_to(tx, "a", TO, beside="")
        assert await receipts.was_sent_to(tx, [TO])
        await inquiries.find_unheard(tx, "a", inquiries.Place(AT), AT, 10)
        assert await usage.find_hidden(tx, [message.id]) == {}

    async def change(tx: Tx) -> None:
        await queue.find_due(tx, {QUEUE: 1}, AT, to_claim=True)
        await queue.hold_recipient(tx, Number(QUEUE, TO), AT, AT, urgent=True, besides=None)
        await queue.hold_recipient(tx, Number(QUEUE, TO), AT, AT, urgent=False, besides="x")
        await queue.let_recipient_go(tx, Number(QUEUE, TO))
        await queue.end_misdated_pauses(tx, AT, timedelta(seconds=1))
        await queue.unhide(tx, [message.id], AT)

    await store.read(look)
    await store.write(change)


async def test_receipts_that_are_kept_are_listed_newest_first(store: Store):
    kept = [receipts.EarlyReceipt(make_id(), TO, "delivered", "000", AT, octets=b"id:7") for _ in range(3)]
    for receipt, channel in zip(kept, "aba", strict=True):
        await store.write(
            lambda tx, receipt=receipt, channel=channel: receipts.save_early(  # type: ignore[misc]
                tx, receipt, channel=channel, references=["7", "07"], received_at=AT
            )
        )
    first, second, third = (receipt.receipt_id for receipt in kept)

    async def listed(channel: str | None = None, before: str | None = None, limit: int = 10) -> list[str]:
        found = await store.read(
            lambda tx: receipts.list_kept(tx, channel=channel, limit=limit, before=before)
        )
        assert all(set(one.references) == {"7", "07"} for one in found)
        return [one.early.receipt_id for one in found]

    assert await listed() == [third, second, first]
    assert await listed(limit=1) == [third]
    assert await listed("a") == [third, first]
    assert await listed("a", before=third) == [first]
    assert await listed(before=second) == [first]
