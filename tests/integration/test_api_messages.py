"""Messages over HTTP: sent, looked up, repeated, in batches."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from gateway.errors import StoreFull
from gateway.ids import InboundId, make_id
from gateway.model.message import InboundMessage, MessageStatus
from gateway.store.changes import Change, save_change
from gateway.store.inbound import save_inbound
from gateway.store.messages import find_message
from tests.support.api import VALID_FOR_S

pytestmark = pytest.mark.integration


async def test_message_is_answered_whole_and_found_again(rig):
    sent = await rig.send(
        "138 0013 8000", "你好", reference="order-7", tags=["a", "b"], category="otp", priority=9
    )
    assert sent["to"] == "+8613800138000"
    assert sent["status"] == "queued"
    assert sent["encoding"] == "ucs2"
    assert [segment["part"] for segment in sent["segments"]] == [1]
    assert [event["type"] for event in sent["events"]] == ["message.queued"]
    status, found = await rig.call("GET", f"/v1/messages/{sent['id']}")
    assert status == 200
    assert [(r["channel"], r["code"], r["until"]) for r in found.pop("waiting_for")] == [
        ("sim-1", "turn", None)
    ]
    assert found == sent


async def test_answer_has_every_field_of_the_contract(rig):
    message = await rig.send()
    assert message.keys() >= {
        "to", "text", "category", "sender", "channel", "priority", "encoding", "flash", "schedule_at", "valid_for",
        "report", "callback_url", "reference", "tags", "data", "udh", "id", "status", "segments", "error",
        "created_at", "updated_at", "sent_at", "delivered_at", "expires_at", "batch_id", "events",
    }  # fmt: skip


async def test_binary_message_comes_back_in_hex(rig):
    status, message = await rig.call(
        "POST", "/v1/messages", json={"to": "+8613800138000", "data": "00FF", "udh": "06050415820000"}
    )
    assert status == 202, message
    assert (message["data"], message["udh"], message["text"]) == ("00ff", "06050415820000", None)


async def test_every_fault_of_a_message_is_named(rig):
    status, problem = await rig.call(
        "POST", "/v1/messages", json={"to": "nobody", "text": "", "channel": "sim-9"}
    )
    assert status == 422
    assert {error["pointer"] for error in problem["errors"]} == {"/to", "/text", "/channel"}
    assert (await rig.call("GET", "/v1/messages"))[1]["items"] == []


async def test_unknown_field_names_the_nearest(rig):
    status, problem = await rig.call("POST", "/v1/messages", json={"to": "+8613800138000", "txet": "hello"})
    assert status == 422
    assert problem["errors"][0]["pointer"] == "/txet"
    assert "`text`" in problem["detail"]


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("encoding", "gsm7\n", "/encoding"),
        ("data", "00\n", "/data"),
        ("udh", "00\n", "/udh"),
        ("smpp_tlvs", {"0x1400": "31\n"}, "/smpp_tlvs"),
        ("smpp_tlvs", {"0x1400\n": "31"}, "/smpp_tlvs"),
    ],
)
async def test_a_line_feed_behind_a_value_is_not_part_of_it(rig, field, value, pointer):
    bad = {"to": "+8613800138000", "text": "x", field: value}
    status, problem = await rig.call("POST", "/v1/messages", json=bad)
    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)
    assert problem["errors"][0]["detail"].startswith("write "), "in words"
    good = {"to": "+8613800138000", "text": "x"}
    status, batch = await rig.call("POST", "/v1/messages/batch", json={"messages": [bad, good]})
    assert (status, batch["accepted"], len(batch["rejected"])) == (202, 1, 1)


async def test_lists_are_newest_first_and_paged(rig):
    ids = [(await rig.send(text=f"number {n}"))["id"] for n in range(5)]
    seen, path = [], "/v1/messages?limit=2"
    for _ in range(3):
        _, page = await rig.call("GET", path)
        seen.append([item["id"] for item in page["items"]])
        path = f"/v1/messages?limit=2&cursor={page['next']}"
    assert seen == [ids[4:2:-1], ids[2:0:-1], ids[:1]]
    assert path.endswith("cursor=None")


async def test_lists_are_narrowed(rig):
    one = await rig.send("+8613800138001", reference="r1", tags=["red"])
    other = await rig.send("+8613800138002", reference="r2", tags=["reddish"])

    async def find(query: str) -> list[str]:
        status, page = await rig.call("GET", f"/v1/messages?{query}")
        assert status == 200, page
        return [item["id"] for item in page["items"]]

    assert await find("to=13800138001") == [one["id"]]
    assert await find("to=+8613800138001") == [one["id"]]
    assert await find("reference=r2") == [other["id"]]
    assert await find("tag=red") == [one["id"]]
    assert await find("status=sent") == []
    assert await find(f"since={other['created_at']}&until=2999-01-01T00:00:00Z&reference=r2") == [other["id"]]
    assert await find("until=2020-01-01T00:00:00Z") == []


async def test_cancel_once(rig):
    message = await rig.send()
    status, canceled = await rig.call("POST", f"/v1/messages/{message['id']}/cancel")
    assert (status, canceled["status"]) == (200, "canceled")
    assert [event["type"] for event in canceled["events"]] == ["message.queued", "message.canceled"]
    status, problem = await rig.call("POST", f"/v1/messages/{message['id']}/cancel")
    assert (status, problem["code"]) == (409, "conflict")
    assert "canceled" in problem["detail"]


async def test_resend_of_a_waiting_message_is_refused(rig):
    message = await rig.send()
    status, problem = await rig.call("POST", f"/v1/messages/{message['id']}/resend")
    assert status == 409
    assert "queued" in problem["detail"]


@pytest.mark.parametrize(
    "message_id", [pytest.param(make_id(), id="nobody's"), "batch", "1", "%2e%2e", "x" * 3_000]
)
async def test_unknown_message_is_not_found(rig, message_id):
    status, problem = await rig.call("GET", f"/v1/messages/{message_id}")
    assert (status, problem["code"]) == (404, "not_found")


# --- Idempotency-Key ---


async def test_same_key_and_body_give_the_first_answer_again(rig):
    options = {"json": {"to": "+8613800138000", "text": "once"}, "headers": {"Idempotency-Key": "k-1"}}
    first = await rig.call("POST", "/v1/messages", **options)
    again = await rig.call("POST", "/v1/messages", **options)
    assert first == again
    assert first[0] == 202
    assert len((await rig.call("GET", "/v1/messages"))[1]["items"]) == 1


async def test_repeated_answer_says_so(rig):
    headers = {"Authorization": f"Bearer {rig.secret}", "Idempotency-Key": "k-1"}
    body = {"to": "+8613800138000", "text": "once"}
    marks = []
    for _ in range(2):
        async with rig.client.post("/v1/messages", json=body, headers=headers) as response:
            marks.append(response.headers.get("Idempotency-Replayed"))
    assert marks == [None, "true"]


async def test_same_key_with_another_body_is_refused(rig):
    headers = {"Idempotency-Key": "k-1"}
    await rig.call("POST", "/v1/messages", json={"to": "+8613800138000", "text": "one"}, headers=headers)
    status, problem = await rig.call(
        "POST", "/v1/messages", json={"to": "+8613800138000", "text": "two"}, headers=headers
    )
    assert (status, problem["code"]) == (422, "idempotency_mismatch")
    assert len((await rig.call("GET", "/v1/messages"))[1]["items"]) == 1


@pytest.mark.parametrize("name", ["", "x" * 256, "ключ"])
async def test_unfit_idempotency_key_is_refused(rig, name):
    status, problem = await rig.call(
        "POST", "/v1/messages", json={"to": "+8613800138000", "text": "x"}, headers={"Idempotency-Key": name}
    )
    assert status == 422
    assert problem["errors"][0]["pointer"] == "Idempotency-Key"


async def test_two_different_idempotency_keys_are_refused_and_equal_ones_are_one(rig):
    answers = []
    for names in (("k-1", "k-2"), ("k-1", "k-1")):
        headers = [("Authorization", f"Bearer {rig.secret}"), *(("Idempotency-Key", name) for name in names)]
        body = {"to": "+8613800138000", "text": "once"}
        async with rig.client.post("/v1/messages", json=body, headers=headers) as response:
            answer = await response.json()
            codes = [(error["pointer"], error["code"]) for error in answer.get("errors", ())]
            answers.append((response.status, codes))
    assert answers == [(422, [("Idempotency-Key", "given_twice")]), (202, [])]


async def test_repeated_cancel_gets_the_first_answer(rig):
    message = await rig.send()
    headers = {"Idempotency-Key": "c-1"}
    first = await rig.call("POST", f"/v1/messages/{message['id']}/cancel", headers=headers)
    again = await rig.call("POST", f"/v1/messages/{message['id']}/cancel", headers=headers)
    assert first == again
    assert first[1]["status"] == "canceled"
    other = await rig.send()
    status, problem = await rig.call("POST", f"/v1/messages/{other['id']}/cancel", headers=headers)
    assert (status, problem["code"]) == (422, "idempotency_mismatch")


async def test_a_deed_whose_answer_cannot_be_kept_is_not_done(rig, monkeypatch):
    """They are one transaction: a crash between them would let a repeat find a state that its own first try made."""
    message = await rig.send()

    async def full(*_: object) -> None:
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr("gateway.pipeline.once.save_answer", full)
        status, _ = await rig.call(
            "POST", f"/v1/messages/{message['id']}/cancel", headers={"Idempotency-Key": "c-1"}
        )
        assert status == 507
        status, _ = await rig.call("POST", "/v1/channels/sim-1/pause", headers={"Idempotency-Key": "p-1"})
        assert status == 507
    assert (await rig.call("GET", f"/v1/messages/{message['id']}"))[1]["status"] == "queued"
    assert (await rig.call("GET", "/v1/channels/sim-1"))[1]["state"] == "up"


async def test_the_answer_to_a_deed_has_what_the_deed_wrote_into_the_timeline(rig):
    message = await rig.send()
    _, answer = await rig.call("POST", f"/v1/messages/{message['id']}/cancel")
    assert [event["type"] for event in answer["events"]] == ["message.queued", "message.canceled"]
    assert answer == (await rig.call("GET", f"/v1/messages/{message['id']}"))[1]


async def test_repeated_resend_does_not_send_a_third_time(rig):
    message = await rig.send()

    async def fail(tx):
        found = await find_message(tx, message["id"])
        assert found is not None
        await save_change(tx, Change(found, msgspec.structs.replace(found, status=MessageStatus.FAILED)))

    headers = {"Idempotency-Key": "r-1"}
    await rig.store.write(fail)
    first = await rig.call("POST", f"/v1/messages/{message['id']}/resend", headers=headers)
    assert (first[0], first[1]["status"]) == (200, "queued")
    lives = datetime.fromisoformat(first[1]["expires_at"]) - datetime.fromisoformat(first[1]["updated_at"])
    assert lives.total_seconds() == VALID_FOR_S, "as long as any other that does not say itself"
    await rig.store.write(fail)
    assert await rig.call("POST", f"/v1/messages/{message['id']}/resend", headers=headers) == first
    assert (await rig.call("GET", f"/v1/messages/{message['id']}"))[1]["status"] == "failed"


# --- batches ---


async def test_bad_items_do_not_spoil_the_others(rig):
    good = {"to": "+8613800138000", "text": "fine"}
    items = [good, {"to": "nobody", "text": "x"}, {"to": 5}, {**good, "txet": 1}, good, "no object"]
    status, batch = await rig.call("POST", "/v1/messages/batch", json={"messages": items})
    assert status == 202
    assert batch["accepted"] == 2
    assert [item["index"] for item in batch["messages"]] == [0, 4]
    assert [(item["index"], item["code"]) for item in batch["rejected"]] == [
        (1, "invalid_number"), (2, "wrong_type"), (3, "unknown_field"), (5, "wrong_type"),
    ]  # fmt: skip
    _, page = await rig.call("GET", f"/v1/messages?batch={batch['batch_id']}")
    assert {item["id"] for item in page["items"]} == {item["id"] for item in batch["messages"]}


async def test_one_text_to_many(rig):
    numbers = ["+8613800138001", "nobody", None, "+8613800138002"]
    status, batch = await rig.call(
        "POST", "/v1/messages/batch", json={"to": numbers, "text": "all", "tags": ["t"]}
    )
    assert status == 202
    assert [(item["index"], item["to"]) for item in batch["messages"]] == [
        (0, "+8613800138001"),
        (3, "+8613800138002"),
    ]
    assert [item["index"] for item in batch["rejected"]] == [1, 2]


async def test_batch_is_repeated_as_a_whole(rig):
    options = {"json": {"to": ["+8613800138001"], "text": "all"}, "headers": {"Idempotency-Key": "b-1"}}
    assert await rig.call("POST", "/v1/messages/batch", **options) == await rig.call(
        "POST", "/v1/messages/batch", **options
    )
    assert len((await rig.call("GET", "/v1/messages"))[1]["items"]) == 1


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/to", "missing_field"),
        ({"messages": []}, "/messages", "wrong_count"),
        ({"messages": [{"to": "1"}] * 10_001}, "/messages", "wrong_count"),
        ({"messages": [{}], "text": "x"}, "/text", "unknown_field"),
        ({"to": "+8613800138000", "text": "x"}, "/to", "wrong_type"),
        ({"to": ["+8613800138000"], "text": 5}, "/text", "wrong_type"),
    ],
)
async def test_batch_of_the_wrong_shape_is_refused_as_a_whole(rig, body, pointer, code):
    status, problem = await rig.call("POST", "/v1/messages/batch", json=body)
    assert status == 422
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["code"]) == (pointer, code)


# --- inbound ---


async def test_inbound_messages_are_listed_and_found(rig):
    inbound = InboundMessage(
        id=InboundId(make_id()),
        sender="+8613800138000",
        recipient=None,
        channel="sim-1",
        text="TD",
        encoding="gsm7",
        parts=1,
        complete=True,
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    await rig.store.write(lambda tx: save_inbound(tx, inbound))
    _, page = await rig.call("GET", "/v1/inbound?from=13800138000")
    assert [(item["id"], item["from"], item["to"], item["text"]) for item in page["items"]] == [
        (inbound.id, "+8613800138000", None, "TD")
    ]
    assert (await rig.call("GET", f"/v1/inbound/{inbound.id}"))[1] == page["items"][0]
    assert (await rig.call("GET", "/v1/inbound?from=10086"))[1]["items"] == []
    assert (await rig.call("GET", f"/v1/inbound/{make_id()}"))[0] == 404


@pytest.mark.parametrize("body", [{}, {"text": "hello"}])
async def test_a_batch_of_neither_form_is_told_both(rig, body):
    status, problem = await rig.call("POST", "/v1/messages/batch", json=body)
    assert (status, problem["code"]) == (422, "invalid_request")
    assert problem["detail"].startswith(
        'write {"messages": [{"to": "...", "text": "..."}, ...]}, or {"to": ['
    )


async def test_a_list_says_what_each_message_waits_for(rig):
    await rig.send(schedule_at="2026-12-24T08:00:00Z")
    await rig.send(channel="sim-1")
    await rig.call("POST", "/v1/channels/sim-1/pause")
    _, page = await rig.call("GET", "/v1/messages")
    told = [[(r["code"], r["kind"], r["until"]) for r in item["waiting_for"]] for item in page["items"]]
    assert told == [
        [("paused", "channel_down", None)],
        [("scheduled", "schedule", "2026-12-24T08:00:00Z")],
    ]
    async with rig.client.get("/metrics") as response:
        figures = await response.text()
    assert 'hongyan_waiting_messages{kind="channel_down"} 1.0' in figures
    assert 'hongyan_waiting_messages{kind="schedule"} 1.0' in figures
    assert 'hongyan_waiting_messages{kind="order"} 0.0' in figures


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"])
async def test_until_the_end_of_time_is_no_error(rig, until):
    await rig.send("+8613800138000", "hello")
    status, page = await rig.call("GET", "/v1/messages", params={"until": until})
    assert (status, len(page["items"])) == (200, 1)
