"""The door: what is taken, what is refused and why, and requests that come twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.errors import IdempotencyMismatch, InvalidRequest
from gateway.ids import KeyId
from gateway.model.message import ApiKey, Scope
from gateway.model.request import MAX_TEXT_CHARS, MessageRequest
from gateway.pipeline.chores import KEEP_ANSWERS
from gateway.pipeline.intake.accept import Idempotency
from gateway.pipeline.intake.batches import AcceptedBatch, Rejected
from gateway.pipeline.intake.drafting import MAX_AHEAD
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.policy.text import TextRules
from gateway.store.messages import MessageFilter
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, START, Rig, ScriptedChannel, running
from tests.support.optouts import opt_out
from tests.support.product import list_messages

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as made:
        yield made


def request(**fields: object) -> MessageRequest:
    return msgspec.convert({"to": PHONE, "text": "hello", **fields}, MessageRequest)


def key(name: str) -> ApiKey:
    return ApiKey(id=KeyId(name), name=name, scopes=frozenset({Scope.SEND}), created_at=START)


def idempotency(name: str, body: bytes = b"body") -> Idempotency:
    def render(accepted: AcceptedMessage | AcceptedBatch) -> bytes:
        return repr(accepted).encode()

    return Idempotency(name, body, render)


async def stored(rig: Rig) -> int:
    return len(await rig.store.read(lambda tx: list_messages(tx, MessageFilter(), limit=100, before=None)))


async def test_what_was_answered_is_what_is_stored(rig: Rig):
    message = await rig.send(
        " 138-0013-8000 ",
        "“quoted” 雁🦢",
        category="marketing",
        sender="default",
        priority=9,
        flash=True,
        valid_for=60,
        report=False,
        callback_url="https://example.net/",
        reference="order 7",
        tags=["a", "b"],
    )
    assert message.recipient == PHONE
    assert message == await rig.message(message.id)


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"to": "12"}, {"/to": "invalid_number"}),
        ({"text": ""}, {"/text": "empty_text"}),
        ({"text": None}, {"/text": "empty_text"}),
        ({"text": "x" * 1_531}, {"/text": "text_too_long"}),
        ({"text": "雁" * 671}, {"/text": "text_too_long"}),
        ({"text": "x" * 1_000_000}, {"/text": "text_too_long"}),
        ({"text": "x" * 1_000_000, "smart": True}, {"/text": "text_too_long"}),
        ({"text": "雁", "encoding": "gsm7"}, {"/text": "text_not_encodable"}),
        ({"udh": "0400"}, {"/udh": "needs_data"}),
        ({"data": "00"}, {"/data": "text_and_data"}),
        ({"text": None, "data": ""}, {"/data": "empty_data"}),
        ({"text": None, "data": "00" * 140, "udh": "027000"}, {"/data": "data_too_long"}),
        ({"text": None, "data": "00", "udh": "09ff"}, {"/udh": "bad_udh"}),
        ({"text": None, "data": "00", "udh": "0270000a"}, {"/udh": "bad_udh"}),
        ({"channel": "b"}, {"/channel": "unknown_channel"}),
        ({"sender": "otp"}, {"/sender": "unknown_sender"}),
        ({"to": "x", "text": ""}, {"/to": "invalid_number", "/text": "empty_text"}),
    ],
)
async def test_each_fault_is_named(rig: Rig, fields: dict[str, Any], codes: dict[str, str]):
    with pytest.raises(InvalidRequest) as refusal:
        await rig.intake.accept(request(**fields), key=None)
    assert {e.pointer: e.code for e in refusal.value.errors} == codes
    assert await stored(rig) == 0


@pytest.mark.parametrize(
    ("text", "encoding", "n_segments"),
    [
        ("x" * 160, "gsm7", 1),
        ("x" * 161, "gsm7", 2),
        ("[" * 80, "gsm7", 1),
        ("[" * 81, "gsm7", 2),
        ("雁" * 70, "ucs2", 1),
        ("雁" * 71, "ucs2", 2),
        ("x" * 1_530, "gsm7", 10),
        ("雁" * 670, "ucs2", 10),
    ],
)
async def test_how_many_segments_a_text_takes(rig: Rig, text: str, encoding: str, n_segments: int):
    message = await rig.send(text=text)
    assert (message.encoding, message.n_segments) == (encoding, n_segments)
    segments = await rig.segments(message.id)
    assert [s.part for s in segments] == list(range(1, n_segments + 1))


@pytest.mark.parametrize(("most", "n_chars"), [(1, 160), (2, 306), (255, MAX_TEXT_CHARS)])
async def test_how_long_a_message_may_be_is_the_installations_choice(tmp_path: Path, most: int, n_chars: int):
    rules = TextRules(max_segments=most)
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False, text=rules) as rig:
        assert (await rig.send(text="x" * n_chars)).n_segments == most
        with pytest.raises(InvalidRequest) as refusal:
            await rig.send(text="x" * (n_chars + 1))
        (fault,) = refusal.value.errors
        assert (fault.code, "max_segments" in fault.detail, str(most) in fault.detail) == (
            "text_too_long",
            True,
            True,
        )


async def test_characters_that_smart_mode_leaves_out_do_not_make_a_text_too_long(rig: Rig):
    assert (await rig.send(text="x" * 1_530 + "\u200b" * 10, smart=True)).n_segments == 10


async def test_half_a_character_is_replaced_not_refused(rig: Rig):
    message = await rig.send(text="a\ud83e")
    assert message.text == "a\ufffd"
    assert message == await rig.message(message.id)


async def test_a_binary_message_keeps_its_octets(rig: Rig):
    accepted = await rig.intake.accept(request(text=None, data="00FF", udh="027000"), key=None)
    assert isinstance(accepted, AcceptedMessage)
    message = await rig.message(accepted.message.id)
    assert (message.encoding, message.data, message.udh, message.text) == (
        "binary",
        b"\x00\xff",
        b"\x02\x70\x00",
        None,
    )


# --- the same request again ---


async def test_the_same_request_again_gets_the_first_answer(rig: Rig):
    first = await rig.intake.accept(request(), key=key("k"), idempotency=idempotency("order 7"))
    assert isinstance(first, AcceptedMessage)
    assert first.message.key_id == "k"
    again = await rig.intake.accept(request(), key=key("k"), idempotency=idempotency("order 7"))
    assert again == repr(first).encode()
    assert await stored(rig) == 1


async def test_the_first_answer_comes_again_even_if_the_request_would_be_refused_by_now(rig: Rig):
    ahead = request(schedule_at=START + MAX_AHEAD)
    first = await rig.intake.accept(ahead, key=None, idempotency=idempotency("order 7"))
    rig.clock.advance(-60.0)  # a clock set back: now it is too far ahead
    with pytest.raises(InvalidRequest):
        await rig.intake.accept(ahead, key=None)
    assert (
        await rig.intake.accept(ahead, key=None, idempotency=idempotency("order 7")) == repr(first).encode()
    )


async def test_the_same_request_twice_at_once_is_one(rig: Rig):
    results = await asyncio.gather(
        *(rig.intake.accept(request(), key=None, idempotency=idempotency("order 7")) for _ in range(5))
    )
    assert len([r for r in results if isinstance(r, AcceptedMessage)]) == 1
    assert await stored(rig) == 1


async def test_another_body_under_the_same_key_is_refused(rig: Rig):
    await rig.intake.accept(request(), key=key("k"), idempotency=idempotency("order 7"))
    with pytest.raises(IdempotencyMismatch):
        await rig.intake.accept(request(), key=key("k"), idempotency=idempotency("order 7", b"other"))
    assert await stored(rig) == 1


async def test_another_client_may_use_the_same_key(rig: Rig):
    for name in ("k", "l"):
        result = await rig.intake.accept(request(), key=key(name), idempotency=idempotency("order 7"))
        assert isinstance(result, AcceptedMessage)


async def test_an_answer_is_remembered_for_a_day(rig: Rig):
    await rig.intake.accept(request(), key=None, idempotency=idempotency("order 7"))
    rig.clock.advance(KEEP_ANSWERS.total_seconds())
    await rig.retention.round()
    assert isinstance(await rig.intake.accept(request(), key=None, idempotency=idempotency("order 7")), bytes)
    rig.clock.advance(0.001)
    await rig.retention.round()
    fresh = await rig.intake.accept(request(), key=None, idempotency=idempotency("order 7"))
    assert isinstance(fresh, AcceptedMessage)


# --- batches ---


async def test_bad_items_do_not_spoil_the_others(rig: Rig):
    await opt_out(rig.store, rig.clock, "10012", source="api")
    batch = await rig.batches.accept(
        [
            request(to="10010"),
            Rejected(1, "bad_type", "/to: write a text"),
            request(to="x", text=""),
            request(to="10012", category="marketing"),
            request(to="10013", text="雁" * 71),
            request(to="10013", text="雁" * 71),
        ],
        key=None,
    )
    assert isinstance(batch, AcceptedBatch)
    assert [item.index for item in batch.items] == [0, 3, 4, 5]
    messages = [await rig.message(item.id) for item in batch.items]
    assert [item.status for item in batch.items] == ["queued", "blocked", "queued", "queued"]
    assert [(r.index, r.code) for r in batch.rejected] == [(1, "bad_type"), (2, "invalid_number")]
    assert batch.rejected[1].detail.startswith("/to: ")
    assert [message.concat_ref for message in messages] == [None, None, 1, 2]
    for item, message in zip(batch.items, messages, strict=True):
        assert message.batch_id == batch.batch_id
        assert (item.to, item.status, item.segments) == (
            message.recipient,
            message.status,
            message.n_segments,
        )
        assert await rig.states(item.id) == [item.status.value]


async def test_a_batch_again_gets_the_first_answer(rig: Rig):
    requests = [request(to="10010"), request(to="x")]
    first = await rig.batches.accept(requests, key=None, idempotency=idempotency("batch"))
    again = await rig.batches.accept(requests, key=None, idempotency=idempotency("batch"))
    assert again == repr(first).encode()
    assert await stored(rig) == 1


async def test_a_batch_of_nothing_good_is_still_an_answer(rig: Rig):
    batch = await rig.batches.accept([request(to="x")], key=None)
    assert isinstance(batch, AcceptedBatch)
    assert (batch.items, len(batch.rejected)) == ([], 1)


async def test_parameters_that_no_channel_could_carry_are_refused_at_once(tmp_path: Path):
    old = ScriptedChannel(driver=ScriptedDriver("old"), groups=("default",), takes_options=False)
    new = ScriptedChannel(driver=ScriptedDriver("new"), groups=("otp", "both"))
    also_old = ScriptedChannel(driver=ScriptedDriver("also-old"), groups=("both",), takes_options=False)
    async with running(tmp_path / "s.db", old, new, also_old, started=False) as rig:
        for place in ({}, {"channel": "old"}, {"sender": "old"}, {"channel": "also-old"}):
            with pytest.raises(InvalidRequest) as caught:
                await rig.send(smpp_tlvs={"0x1400": "3132"}, **place)
            assert [(e.pointer, e.code) for e in caught.value.errors] == [("/smpp_tlvs", "no_parameters")]
            await rig.send(**place)
        for place in ({"sender": "otp"}, {"channel": "new"}, {"sender": "both"}):
            await rig.send(smpp_tlvs={"0x1400": "3132"}, **place)
