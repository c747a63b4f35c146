"""The repositories over a real file: what is saved is what is read, and listings are what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest

from gateway.clock import format_ms
from gateway.errors import Conflict
from gateway.ids import BatchId, InboundId, KeyId, MessageId, first_id, make_id
from gateway.model.message import (
    ApiKey,
    Category,
    InboundMessage,
    Keyword,
    Message,
    MessageError,
    MessageStatus,
    Scope,
    Segment,
    SegmentStatus,
    Suppression,
    concat_width,
)
from gateway.store.changes import Change, save_change
from gateway.store.inbound import find_inbound, list_inbound, save_inbound
from gateway.store.keys import find_key, hash_secret, list_keys, make_secret, revoke_key, save_key
from gateway.store.messages import MessageFilter, find_message, save_messages, take_concat_ref
from gateway.store.ports import Tx
from gateway.store.sqlite.engine import SqliteStore
from gateway.store.suppressions import find_suppressed, list_suppressions, save_suppression
from gateway.store.usage import Stay, Usage, load_usage
from tests.support.product import list_messages, load_segments

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)


def make_message(**fields: object) -> Message:
    plain = Message(
        id=MessageId(make_id()),
        recipient="+8613800138000",
        text="hello",
        encoding="gsm7",
        status=MessageStatus.QUEUED,
        n_segments=1,
        queue="group:default",
        created_at=AT,
        updated_at=AT,
        expires_at=AT + timedelta(hours=72),
    )
    return msgspec.structs.replace(plain, **fields)


async def save(store: SqliteStore, *messages: Message) -> None:
    segments = [Segment(part=1, payload=b"hello")]
    await store.write(lambda tx: save_messages(tx, [(m, segments) for m in messages]))


async def listed(
    store: SqliteStore, limit: int = 100, before: str | None = None, **asked: object
) -> list[str]:
    query = msgspec.convert(asked, MessageFilter)
    found = await store.read(lambda tx: list_messages(tx, query, limit=limit, before=before))
    return [m.id for m in found]


async def test_a_message_comes_back_as_it_was_saved(store: SqliteStore):
    full = make_message(
        data=b"\x00\xff",
        udh=b"\x02\x70\x00",
        category=Category.MARKETING,
        sender="otp",
        channel="a",
        priority=9,
        flash=True,
        schedule_at=AT + timedelta(hours=1),
        valid_for_s=60,
        report=False,
        callback_url="https://example.net/cb",
        reference="ref-1",
        tags=("a,b", '"quoted"', "退订"),
        status=MessageStatus.SCHEDULED,
        concat_ref=255,
        batch_id=BatchId("batch"),
        key_id=KeyId("key"),
    )
    plain = make_message()
    await save(store, full, plain)
    assert await store.read(lambda tx: find_message(tx, full.id)) == full
    assert await store.read(lambda tx: find_message(tx, plain.id)) == plain
    assert await store.read(lambda tx: find_message(tx, "nobody")) is None


async def test_what_changes_later_comes_back_too(store: SqliteStore):
    message = make_message()
    await save(store, message)
    later = AT + timedelta(seconds=1)
    error = MessageError(code="cms_38", detail="Network out of order.")
    changed = msgspec.structs.replace(
        message,
        status=MessageStatus.FAILED,
        channel="a",
        queue="channel:a",
        error=error,
        updated_at=later,
        sent_at=later,
        delivered_at=later,
        expires_at=later,
    )
    segment = Segment(
        part=1,
        status=SegmentStatus.FAILED,
        payload=b"hello",
        channel="a",
        reference="7",
        attempts=3,
        submitted_at=later,
        sent_at=later,
        delivered_at=later,
        error=error,
    )

    async def op(tx: Tx) -> None:
        await save_change(tx, Change(message, changed, [(Segment(part=1, payload=b"hello"), segment)]))

    await store.write(op)
    assert await store.read(lambda tx: find_message(tx, message.id)) == changed
    assert await store.read(lambda tx: load_segments(tx, [message.id, "nobody"])) == {message.id: [segment]}
    assert await store.read(lambda tx: load_usage(tx, [Stay("a")], later)) == Usage(1, [message.recipient])
    assert await store.read(lambda tx: load_usage(tx, [Stay("a")], later + timedelta(seconds=1))) == Usage(
        0, []
    )


async def test_a_listing_is_newest_first_and_goes_on_where_it_stopped(store: SqliteStore):
    messages = [make_message() for _ in range(7)]
    await save(store, *messages)
    ids = [m.id for m in reversed(messages)]
    assert await listed(store, limit=3) == ids[:3]
    assert await listed(store, limit=10, before=ids[2]) == ids[3:]


async def test_a_listing_can_be_narrowed(store: SqliteStore):
    later = AT + timedelta(hours=1)
    wanted = make_message(
        id=MessageId(first_id(format_ms(later) or 0)),
        status=MessageStatus.SENT,
        recipient="10010",
        channel="a",
        reference="r",
        batch_id=BatchId("b"),
        created_at=later,
    )
    await save(store, make_message(), wanted, make_message())
    for asked in (
        {"status": "sent"},
        {"to": ["10010"]},
        {"channel": "a"},
        {"reference": "r"},
        {"batch": "b"},
        {"since": AT + timedelta(hours=1)},
        {"status": "sent", "to": ["10010"], "until": AT + timedelta(hours=1)},
    ):
        assert await listed(store, **asked) == [wanted.id]
    assert await listed(store, status="sent", to=["10011"]) == []


@pytest.mark.parametrize("tag", ["spring", "100%", "a_b", "!", '"', "\\", "退订", "a,b"])
async def test_a_tag_is_found_whole_and_as_it_is(store: SqliteStore, tag: str):
    near = make_message(tags=("springtime", "100 per cent", "axb", "a", "b"))
    having = make_message(tags=("x", tag))
    await save(store, near, having, make_message())
    assert await listed(store, tag=tag) == [having.id]


async def test_an_api_key_is_found_by_its_hash_until_it_is_revoked(store: SqliteStore):
    secret = make_secret()
    key = ApiKey(id=KeyId(make_id()), name="shop", scopes=frozenset({Scope.SEND, Scope.READ}), created_at=AT)
    await store.write(lambda tx: save_key(tx, key, hash_secret(secret)))
    assert await store.read(lambda tx: find_key(tx, hash_secret(secret))) == key
    assert await store.read(lambda tx: find_key(tx, hash_secret(make_secret()))) is None
    with pytest.raises(Conflict, match="shop"):
        await store.write(lambda tx: save_key(tx, key, hash_secret(make_secret())))
    assert await store.write(lambda tx: revoke_key(tx, "shop", AT))
    assert not await store.write(lambda tx: revoke_key(tx, key.id, AT)), "once is enough"
    (revoked,) = await store.read(list_keys)
    assert revoked.revoked_at == AT
    assert not revoked.allows(Scope.SEND)


async def test_the_opt_out_list_pages_by_number(store: SqliteStore):
    for number in ("+8613800138003", "+8613800138001", "+8613800138002"):
        entry = Suppression(number=number, source="api", created_at=AT)
        assert await store.write(partial(save_suppression, suppression=entry))
    first = await store.read(lambda tx: list_suppressions(tx, limit=2, after=("", "")))
    rest = await store.read(
        lambda tx: list_suppressions(tx, limit=2, after=(first[-1].number, first[-1].scope))
    )
    assert [s.number[-1] for s in first + rest] == ["1", "2", "3"]
    many = [f"+86138{n:08}" for n in range(137_000, 138_500)]
    assert await store.read(lambda tx: find_suppressed(tx, many)) == {
        "+8613800138001",
        "+8613800138002",
        "+8613800138003",
    }


async def test_inbound_messages_are_listed_newest_first_and_narrowed(store: SqliteStore):
    def inbound(sender: str, recipient: str | None) -> InboundMessage:
        return InboundMessage(
            id=InboundId(make_id()),
            sender=sender,
            recipient=recipient,
            channel="a",
            text="TD",
            encoding="gsm7",
            parts=1,
            complete=True,
            received_at=AT,
            network_time=AT,
            keyword=Keyword.OPT_OUT,
            in_reply_to=MessageId("m"),
        )

    first, second = inbound("10010", None), inbound("10011", "10690000")
    for message in (first, second):
        await store.write(partial(save_inbound, message=message))
    assert await store.read(lambda tx: find_inbound(tx, first.id)) == first
    assert await store.read(lambda tx: list_inbound(tx, limit=5)) == [second, first]
    assert await store.read(lambda tx: list_inbound(tx, limit=5, senders=["10010"])) == [first]
    assert await store.read(lambda tx: list_inbound(tx, limit=5, recipients=["10690000"])) == [second]
    assert await store.read(lambda tx: list_inbound(tx, limit=5, before=second.id)) == [first]
    assert await store.read(lambda tx: list_inbound(tx, limit=5, since=AT + timedelta(seconds=1))) == []


async def test_references_of_both_widths_follow_each_other_and_begin_again(store: SqliteStore):
    async def take(*bits: int) -> list[int]:
        async def op(tx: Tx) -> list[int]:
            return [await take_concat_ref(tx, "+8613800138000", n) for n in bits]

        return await store.write(op)

    async def at(reference: int) -> None:
        await store.write(lambda tx: tx.execute("UPDATE concat_refs SET reference = ?", (reference,)))

    assert await take(8, 8, 16, 16, 8, 8) == [1, 2, 256, 257, 2, 3]
    await at(255)
    assert await take(8, 16) == [0, 256]
    await at(65_534)
    assert await take(16, 16, 16) == [65_535, 256, 257]
    assert [concat_width(n) for n in (0, 255, 256, 65_535)] == [8, 8, 16, 16]
