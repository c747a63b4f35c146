"""Reviews on every engine: what waits for a person, decided alone, by text or by batch, and what comes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from gateway.errors import Conflict, NotFound
from gateway.ids import MessageId, make_id
from gateway.model.actor import Actor, ActorKind
from gateway.model.lifecycle import Cause
from gateway.model.message import Category, Message, MessageStatus, Segment
from gateway.pipeline.operator.reviews import Verdict, decide_review
from gateway.pipeline.sending.ending import UNDECIDED, end_messages
from gateway.policy.decision import Finding, Outcome
from gateway.store.audit import AuditQuery, list_audit
from gateway.store.events import load_timeline
from gateway.store.holds import Hold, HoldKind, hold_of, save_holds
from gateway.store.messages import find_message, save_messages
from gateway.store.ports import Tx
from gateway.store.reviews import (
    Alike,
    Decision,
    ReviewFilter,
    count_alike,
    find_approved,
    find_decision,
    find_in_review,
    find_oldest,
    find_open,
    forget_reviews,
    list_decided,
    list_open,
)
from gateway.store.sequences import HELD_MS, join_sequence
from gateway.store.usage import find_hidden
from tests.support.gateway import START, ManualClock
from tests.support.product import resend_message
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract

CLOCK = ManualClock()
ANN = Actor(ActorKind.KEY, "ann")
FINDING = Finding(rule="words", outcome=Outcome.REVIEW, code="listed_word", detail="It has a word.")
ALL = ReviewFilter()


def make_message(text: str | None, **fields: Any) -> tuple[Message, list[Segment]]:
    at = fields.pop("created_at", START)
    message = Message(
        id=MessageId(make_id()),
        recipient="+8613800138000",
        text=text,
        data=None if text is not None else b"\0",
        category=Category.TRANSACTIONAL,
        encoding="ucs2" if text is not None else "binary",
        n_segments=1,
        queue="group:default",
        created_at=at,
        updated_at=at,
        expires_at=at + timedelta(hours=72),
        **{"status": MessageStatus.QUEUED, **fields},
    )
    return message, [Segment(part=1, payload=b"payload")]


async def put(store: OpenStore, *texts: str | None, rule: str = "words", **fields: Any) -> list[Message]:
    """Messages in review, in that order."""
    made = [make_message(text, **fields) for text in texts]
    holds = []
    for message, _ in made:
        finding = msgspec.structs.replace(FINDING, rule=rule)
        hold = hold_of(message.id, [finding], message.created_at, (message.text, message.brand))
        assert hold is not None
        holds.append(hold)

    async def op(tx: Tx) -> None:
        hidden = {hold.message_id: hold.hidden_until_ms for hold in holds}
        await save_messages(tx, made, (), hidden)
        await save_holds(tx, holds)
        for message, _ in made:
            if message.sequence is not None:
                await join_sequence(tx, message)

    await store.write(op)
    return [message for message, _ in made]


def deciding(
    message: Message, decision: Decision, all_of: Alike = Alike.MESSAGE, reason: str = ""
) -> Callable[[Tx], Awaitable[int]]:
    verdict = Verdict(decision, all_of, reason)
    return lambda tx: decide_review(tx, CLOCK, message.id, verdict, by=ANN)


async def hidden(store: OpenStore, message: Message) -> object:
    found = await store.read(lambda tx: find_hidden(tx, [message.id]))
    return found.get(message.id)


async def kinds(store: OpenStore, message: Message) -> list[str]:
    return [event.type for event in await store.read(lambda tx: load_timeline(tx, message.id))]


async def reload(store: OpenStore, message: Message) -> Message:
    found = await store.read(lambda tx: find_message(tx, message.id))
    assert found is not None
    return found


async def listed(
    store: OpenStore, wanted: ReviewFilter = ALL, by: Alike = Alike.MESSAGE
) -> list[tuple[str, int]]:
    found = await store.read(lambda tx: list_open(tx, wanted, by, 100))
    return [(hold.message_id, n) for hold, n in found]


async def test_an_approved_message_may_go_and_who_let_it_is_kept(store: OpenStore):
    (message,) = await put(store, "最佳")
    told: list[frozenset[str] | None] = []
    store.on_claimable(told.append)
    assert await store.write(deciding(message, Decision.APPROVED, reason="checked")) == 1
    assert any(names is None or message.queue in names for names in told)
    assert (await reload(store, message)).status is MessageStatus.QUEUED
    assert await hidden(store, message) is None
    decided = await store.read(lambda tx: find_decision(tx, message.id))
    assert decided is not None
    assert (decided.decision, decided.decided_by, decided.reason, decided.rule) == (
        Decision.APPROVED,
        "key:ann",
        "checked",
        "words",
    )
    assert await kinds(store, message) == ["review.requested", "review.decided"]
    assert await store.read(lambda tx: find_approved(tx, [message.id])) == {message.id}
    (entry,) = await store.read(lambda tx: list_audit(tx, AuditQuery(action="review.*"), 10))
    assert (entry.action, entry.subject, entry.actor) == ("review.approved", message.id, "key:ann")


async def test_a_rejected_message_ends_with_the_reason(store: OpenStore):
    (message,) = await put(store, "最佳")
    assert await store.write(deciding(message, Decision.REJECTED, reason="no absolute terms")) == 1
    ended = await reload(store, message)
    assert ended.status is MessageStatus.BLOCKED
    assert ended.error is not None
    assert ended.error.code == "rejected"
    assert ended.error.detail.endswith(": no absolute terms")
    assert await kinds(store, message) == ["review.requested", "message.blocked", "review.decided"]
    assert await store.read(lambda tx: find_open(tx, message.id)) is None


@pytest.mark.parametrize("decision", Decision)
async def test_all_with_one_text_are_one_decision(store: OpenStore, decision: Decision):
    same = await put(store, *["最佳"] * 700)
    (another,) = await put(store, "首选")
    (binary,) = await put(store, None)
    by_rule = await put(store, "最佳", rule="class_lock")
    hold = await store.read(lambda tx: find_open(tx, same[3].id))
    assert hold is not None
    assert await store.read(lambda tx: count_alike(tx, hold)) == 700
    assert await store.write(deciding(same[3], decision, Alike.TEXT)) == 700
    assert [one for one, _ in await listed(store)] == [another.id, binary.id, by_rule[0].id]
    assert await store.write(deciding(binary, decision, Alike.TEXT)) == 1
    done = await store.read(lambda tx: list_decided(tx, decision, ALL, 1_000))
    assert len(done) == 701
    _, entry = await store.read(lambda tx: list_audit(tx, AuditQuery(), 10))
    assert msgspec.json.decode(entry.details)["n"] == 700


async def test_all_of_a_batch_are_one_decision(store: OpenStore):
    batch = make_id()
    some = await put(store, "王先生, 最佳", "李女士, 最佳", batch_id=batch)
    others = await put(store, "王先生, 最佳", "张先生", batch_id=make_id())
    assert await store.write(deciding(some[0], Decision.APPROVED, Alike.BATCH)) == 2
    assert [one for one, _ in await listed(store)] == [one.id for one in others]
    assert [one for one, _ in await listed(store, ReviewFilter(batch=batch))] == []


async def test_what_is_alike_is_listed_as_one_the_oldest_first(store: OpenStore):
    batch = make_id()
    first = await put(store, "最佳", "首选", "最佳", batch_id=batch)
    binary = await put(store, None, None)
    assert await listed(store) == [(one.id, 1) for one in (*first, *binary)]
    by_text = await listed(store, by=Alike.TEXT)
    assert by_text == [(first[0].id, 2), (first[1].id, 1), (binary[0].id, 1), (binary[1].id, 1)]
    assert await listed(store, by=Alike.BATCH) == [(first[0].id, 3), (binary[0].id, 1), (binary[1].id, 1)]
    for by in Alike:
        behind = await store.read(partial(list_open, wanted=ALL, alike=by, limit=1, after=first[2].id))
        assert [hold.message_id for hold, _ in behind] == [binary[0].id]
    assert len(await listed(store, ReviewFilter(rule="words", code="listed_word"))) == 5
    assert await listed(store, ReviewFilter(category=Category.OTP)) == []


async def test_what_does_not_wait_can_not_be_decided(store: OpenStore):
    (message,) = await put(store, "最佳")
    await store.write(deciding(message, Decision.APPROVED))
    with pytest.raises(Conflict, match="key:ann approved it already"):
        await store.write(deciding(message, Decision.REJECTED, reason="no"))
    plain, _ = made = make_message("hello")
    await store.write(lambda tx: save_messages(tx, [made]))
    with pytest.raises(Conflict, match="the message is queued and waits for no decision"):
        await store.write(deciding(plain, Decision.APPROVED))
    with pytest.raises(NotFound):
        await store.write(lambda tx: decide_review(tx, CLOCK, make_id(), Verdict(Decision.APPROVED), by=ANN))


async def test_a_scheduled_message_goes_at_its_time(store: OpenStore):
    at = START + timedelta(days=1)
    (message,) = await put(store, "最佳", status=MessageStatus.SCHEDULED, schedule_at=at)
    assert await store.write(deciding(message, Decision.APPROVED)) == 1
    assert (await reload(store, message)).status is MessageStatus.SCHEDULED
    assert await hidden(store, message) == at


async def test_one_of_a_sequence_goes_on_waiting_for_those_before_it(store: OpenStore):
    first, second = await put(store, "最佳", "首选", sequence="s")
    assert await store.write(deciding(second, Decision.APPROVED)) == 1
    waits = await store.read(
        lambda tx: tx.fetch("SELECT hidden_until FROM messages WHERE id = ?", (second.id,))
    )
    assert waits[0][0] == HELD_MS
    assert await store.write(deciding(first, Decision.REJECTED, reason="no")) == 1
    assert await hidden(store, second) is None


async def test_what_ended_meanwhile_is_in_review_no_more(store: OpenStore):
    one, other = await put(store, "最佳", "最佳")
    assert await store.read(lambda tx: find_in_review(tx, [one.id, other.id])) == {one.id, other.id}
    await store.write(lambda tx: end_messages(tx, [one.id], Cause.EXPIRED, UNDECIDED, CLOCK))
    assert await listed(store) == [(other.id, 1)]
    with pytest.raises(Conflict, match="is expired"):
        await store.write(deciding(one, Decision.APPROVED))
    assert await store.write(deciding(other, Decision.APPROVED, Alike.TEXT)) == 1


async def test_the_oldest_is_known(store: OpenStore):
    assert await store.read(find_oldest) is None
    await put(store, "最佳", created_at=START + timedelta(hours=2))
    await put(store, "最佳", created_at=START + timedelta(hours=1))
    assert await store.read(find_oldest) == START.replace(microsecond=589_000) + timedelta(hours=1)


async def test_decisions_go_with_their_messages(store: OpenStore):
    kept, gone = await put(store, "最佳", "首选")
    for message in (kept, gone):
        await store.write(deciding(message, Decision.APPROVED))
    await store.write(lambda tx: tx.execute("DELETE FROM messages WHERE id = ?", (gone.id,)))
    assert await store.write(lambda tx: forget_reviews(tx, START, "", 1)) == (0, kept.id)
    assert await store.write(lambda tx: forget_reviews(tx, START, kept.id, 10)) == (1, None)
    assert await store.read(lambda tx: find_decision(tx, gone.id)) is None
    assert await store.read(lambda tx: find_decision(tx, kept.id)) is not None


async def test_a_pause_is_no_review(store: OpenStore):
    (message, segments) = make_message("later")
    until = START + timedelta(hours=9)
    hold = Hold(message.id, HoldKind.PAUSE, "hours", "outside_hours", "Night.", until, START)

    async def op(tx: Tx) -> None:
        await save_messages(tx, [(message, segments)], (), {message.id: hold.hidden_until_ms})
        await save_holds(tx, [hold])

    await store.write(op)
    assert await listed(store) == []
    assert await store.read(find_oldest) is None
    assert await kinds(store, message) == []


async def test_one_further_back_in_a_sequence_lets_those_before_it_go(store: OpenStore):
    going = [make_message("a", sequence="t"), make_message("b", sequence="t")]

    async def op(tx: Tx) -> None:
        await save_messages(tx, going)
        for message, _ in going:
            await join_sequence(tx, message)

    await store.write(op)
    await put(store, "最佳", sequence="t")
    (first, _), (second, _) = going
    assert await hidden(store, second) is not None
    await store.write(lambda tx: end_messages(tx, [first.id], Cause.EXPIRED, UNDECIDED, CLOCK))
    assert await hidden(store, second) is None


async def test_what_expired_undecided_and_is_sent_again_is_in_review_again(store: OpenStore):
    [message] = await put(store, "最佳", policy=msgspec.json.encode([FINDING]))
    await store.write(lambda tx: end_messages(tx, [message.id], Cause.EXPIRED, UNDECIDED, CLOCK))
    await resend_message(store, CLOCK, message.id, by=ANN)
    assert await store.read(lambda tx: find_in_review(tx, [message.id])) == {message.id}
    assert await store.write(deciding(message, Decision.APPROVED)) == 1
    assert await hidden(store, message) is None
