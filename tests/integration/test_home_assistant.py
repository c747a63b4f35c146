"""Home Assistant's `rest` notify platform, with the manual's settings: the very request that it makes.

It is a requests.post or requests.get with a dictionary: homeassistant/components/rest/notify.py of home-assistant/core.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.api import ApiRig, open_api
from tests.support.fake_driver import ScriptedDriver
from tests.support.kannel_rig import open_kannel_rig
from tests.support.manual import find_block

pytestmark = pytest.mark.integration

PHONE = "+8613800138000"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path) as rig:
        yield rig


def notify(config: str, message: str, target: list[str] | None, **given: Any) -> requests.Response:
    """What ``send_message`` does with a config."""

    def setting(name: str) -> str | None:
        found = re.search(rf"^ +{name}: (.*)$", config, re.MULTILINE)
        return found[1] if found else None

    data = {setting("message_param_name") or "message": message}
    if (name := setting("target_param_name")) and target is not None:
        data[name] = target[0]
    assert setting("title_param_name") is None
    data.update(given.pop("data", {}))
    if setting("method") == "POST_JSON":
        return requests.post(json=data, timeout=10, auth=None, verify=True, **given)
    params = given.pop("params", {})
    return requests.get(params={**params, **data}, timeout=10, auth=None, verify=True, **given)


async def test_post_json_sends_a_message(rig):
    config = find_block("alerts.md", "yaml", "platform: rest")
    (category,) = re.findall(r"^ +category: (.*)$", config, re.MULTILINE)
    given = {
        "url": str(rig.client.make_url("/v1/messages")),
        "params": None,
        "headers": {"Authorization": f"Bearer {rig.secret}"},
        "data": {"category": category},  # templates render to texts
    }
    answer = await asyncio.to_thread(
        notify, config, "Water in the cellar", [PHONE, "+8613900139000"], **given
    )
    assert answer.status_code == 202, answer.text
    message = answer.json()
    assert (message["to"], message["text"]) == (PHONE, "Water in the cellar")
    assert message["category"] == "emergency"
    fixed = given | {"data": {"to": PHONE}}
    answer = await asyncio.to_thread(notify, config, "水浸地窖", None, **fixed)
    assert (answer.status_code, answer.json()["text"]) == (202, "水浸地窖")


async def test_get_sends_by_kannels_call(tmp_path):
    config = "    method: GET\n    message_param_name: text\n    target_param_name: to\n"
    async with open_kannel_rig(tmp_path, driver := ScriptedDriver("smsc-1")) as rig:
        params = {"username": "app", "password": "pw", "charset": "UTF-8", "coding": "2"}
        given = {"url": rig.url, "params": params, "headers": None}
        answer = await asyncio.to_thread(notify, config, "水浸地窖", [PHONE], **given)
        assert (answer.status_code, answer.text) == (202, "0: Accepted for delivery")
        await rig.rig.until(lambda: driver.submitted)
