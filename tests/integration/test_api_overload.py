"""So much waits for the store that nothing more is taken: what clients cause is refused with a word when to come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.pipeline.intake.admission import MOST_WAITING_OCTETS
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages/{id}/cancel"),
        ("POST", "/v1/messages/{id}/resend"),
        ("PUT", "/v1/suppressions/+8613800138000"),
        ("DELETE", "/v1/suppressions/+8613800138000"),
        ("POST", "/v1/channels/sim-1/pause"),
        ("POST", "/v1/channels/sim-1/resume"),
        ("POST", "/v1/channels/sim-1/drain"),
        ("POST", "/v1/channels/sim-1/reset"),
    ],
)
async def test_a_verb_waits_in_the_bounded_room(rig: ApiRig, method: str, path: str):
    message = await rig.send()
    with rig.intake.room.hold_octets(MOST_WAITING_OCTETS):
        status, problem = await rig.call(method, path.format(id=message["id"]))
        assert (status, problem["code"]) == (503, "overloaded")
        assert (await rig.call("GET", f"/v1/messages/{message['id']}"))[0] == 200, "who only looks is served"
    assert (await rig.call(method, path.format(id=message["id"])))[0] != 503
