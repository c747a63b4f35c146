"""``POST /v1/messages/preview``: the cost before the message; and ``smart`` where it counts, when sending."""

from __future__ import annotations

import pytest

from tests.support.api import ApiRig

pytestmark = pytest.mark.integration

QUOTED = "“" + "x" * 100 + "”"


async def preview(rig: ApiRig, **body):
    status, answer = await rig.call("POST", "/v1/messages/preview", json=body)
    assert status == 200, answer
    return answer


@pytest.mark.parametrize(("n", "n_segments"), [(68, 1), (70, 1), (71, 2), (134, 2), (135, 3)])
async def test_chinese_is_billed_by_70_and_67(rig, n, n_segments):
    shown = await preview(rig, text="鸿" * n)
    assert (shown["encoding"], shown["unit"], shown["units"]) == ("ucs2", "utf16", n)
    assert len(shown["segments"]) == n_segments
    assert "".join(segment["text"] for segment in shown["segments"]) == "鸿" * n


async def test_an_emoji_counts_two(rig):
    shown = await preview(rig, text="😀好")
    assert (shown["characters"], shown["units"], shown["units_left"]) == (2, 3, 67)


async def test_what_forced_ucs2_is_named_with_what_smart_would_save(rig):
    shown = await preview(rig, text=QUOTED)
    assert shown["forced_ucs2"] == [{"char": "“", "positions": [0]}, {"char": "”", "positions": [101]}]
    assert (shown["smart"]["encoding"], shown["smart"]["segments"], shown["smart"]["saved"]) == ("gsm7", 1, 1)
    assert shown["replacements"] == []


async def test_smart_is_honoured_when_sending_as_the_preview_said(rig):
    shown = await preview(rig, text=QUOTED, smart=True, to="+8613800138000")
    assert shown["replacements"][0] == {"position": 0, "original": "“", "replacement": '"'}
    assert shown["smart"] is None
    sent = await rig.send(text=QUOTED, smart=True)
    assert (sent["text"], sent["encoding"], len(sent["segments"])) == (shown["text"], "gsm7", 1)
    assert (await rig.send(text=QUOTED))["text"] == QUOTED


async def test_a_whole_batch_may_be_smart(rig):
    status, answer = await rig.call(
        "POST", "/v1/messages/batch", json={"to": ["+8613800138000"], "text": QUOTED, "smart": True}
    )
    assert (status, answer["messages"][0]["segments"]) == (202, 1)


async def test_a_binary_message_has_a_preview_too(rig):
    shown = await preview(rig, data="00ff", udh="06050415810000")
    assert (shown["encoding"], shown["text"], shown["units"], shown["units_left"]) == ("binary", None, 2, 131)


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"text": ""}, "/text", "write a text"),
        ({"text": "鸿", "encoding": "gsm7"}, "/text", "character 0, U+9E3F"),
        (
            {"text": "x" * 1_531},
            "/text",
            "1531 characters are more segments than that, a message may have 10 here",
        ),
        ({"text": "鸿" * 671}, "/text", "needs 11 segments, a message may have 10 here"),
        ({"text": "x", "to": "nobody"}, "/to", ""),
        ({"text": "x", "smpp_tlvs": {"0x14aa": "31", "0x14AA": "32"}}, "/smpp_tlvs", "give each tag once"),
        ({"txet": "x"}, "/txet", "`text`"),
    ],
)
async def test_what_sending_refuses_the_preview_refuses(rig, body, pointer, detail):
    for path, to in (("/v1/messages/preview", {}), ("/v1/messages", {"to": "+8613800138000"})):
        status, problem = await rig.call("POST", path, json=to | body)
        assert status == 422
        assert problem["errors"][0]["pointer"] == pointer
        assert detail in problem["errors"][0]["detail"]


async def test_a_preview_stores_nothing(rig):
    await preview(rig, text="hello", to="+8613800138000")
    assert (await rig.call("GET", "/v1/messages"))[1]["items"] == []
