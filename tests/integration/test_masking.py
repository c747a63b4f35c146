"""`log.mask_numbers` at the API: a key that only reads sees no whole number, programs see them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.http.masking import mask_json
from gateway.model.message import Scope
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration

NUMBER, HIDDEN = "+8613800138000", "+861******8000"
LOOKS = (
    "/v1/messages",
    "/v1/messages/{id}",
    f"/v1/messages?to={NUMBER.replace('+', '%2B')}",
    "/v1/suppressions",
    f"/v1/suppressions/{NUMBER}",
    "/v1/carriers",
)


@pytest.fixture
async def masking(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path, masks=True) as rig:
        yield rig


async def fill(rig: ApiRig) -> str:
    await rig.call("PUT", f"/v1/suppressions/{NUMBER}")
    await rig.call("PUT", f"/v1/carriers/{NUMBER}", json={"carrier": "unicom"})
    _, sent = await rig.call("POST", "/v1/messages", json={"to": NUMBER, "text": "hello"})
    return str(sent["id"])


@pytest.mark.parametrize("path", LOOKS)
async def test_who_only_reads_sees_no_whole_number(masking: ApiRig, path: str):
    message_id = await fill(masking)
    helpdesk = await masking.make_key(Scope.READ, name="helpdesk")
    status, found = await masking.call("GET", path.replace("{id}", message_id), secret=helpdesk)
    assert status == 200
    assert HIDDEN in str(found)
    assert NUMBER not in str(found)


@pytest.mark.parametrize("scope", [Scope.SEND, Scope.MANAGE, Scope.ADMIN])
async def test_programs_see_whole_numbers(masking: ApiRig, scope: Scope):
    await fill(masking)
    program = await masking.make_key(Scope.READ, scope, name="program")
    _, found = await masking.call("GET", "/v1/messages", secret=program)
    assert found["items"][0]["to"] == NUMBER


async def test_without_the_setting_everybody_sees_them(rig: ApiRig):
    await fill(rig)
    helpdesk = await rig.make_key(Scope.READ, name="helpdesk")
    _, found = await rig.call("GET", "/v1/messages", secret=helpdesk)
    assert found["items"][0]["to"] == NUMBER


async def test_the_event_stream_hides_them_too(masking: ApiRig):
    await fill(masking)
    for scopes, sees in (((Scope.READ,), HIDDEN), ((Scope.READ, Scope.SEND), NUMBER)):
        key = await masking.make_key(*scopes, name=f"key {sees}")
        headers = {"Authorization": f"Bearer {key}"}
        async with masking.client.get("/v1/events?last=10", headers=headers) as response, asyncio.timeout(60):
            seen = b""
            while b": caught up" not in seen:
                seen += await response.content.readline()
        assert sees.encode() in seen
        assert {HIDDEN, NUMBER}.difference({sees}).pop().encode() not in seen


def test_texts_ids_and_what_is_no_number_stay_as_they_are():
    kept = (
        b'{"id":"13800138000","text":"13800138000","to":"otp","from":"BANK","segments":[{"ref":"12345678"}]}'
    )
    assert mask_json(kept) == kept
    assert (
        mask_json(b'{"items":[{"readings":["+8613800138000"]}]}')
        == b'{"items":[{"readings":["+861******8000"]}]}'
    )


def test_what_came_over_the_wire_is_left_out_and_counts_stay():
    assert mask_json(b'{"octets":"2b38","n":{"octets":8}}') == b'{"octets":"","n":{"octets":8}}'
    assert mask_json(b'{"about":"+8613800138000"}') == b'{"about":"+861******8000"}'
