"""Every call that changes something leaves an entry in the audit trail, by the key that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from gateway.api.routes import ROUTES
from tests.contract.test_openapi import GOOD_CALLS, UNTRIED
from tests.support.api import open_api

pytestmark = pytest.mark.contract

NO_DEEDS: Final = {
    # Messages have a timeline of their own.
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/batch"),
    ("POST", "/v1/alerts/alertmanager"),
    ("POST", "/v1/alerts/grafana"),
    # They change nothing.
    ("POST", "/v1/messages/preview"),
    ("POST", "/v1/messages/check"),
    ("POST", "/v1/routes/explain"),
}
ELSEWHERE: Final = {
    ("POST", "/v1/channels/{name}/reset"),  # is the directory's: tests/integration/test_audit.py
}


def deeds() -> list[tuple[str, str]]:
    """Of the calls, those that change something and can be made here, in the order in which they can be made."""
    known = {
        (route.method, route.path) for route in ROUTES if route.scope is not None and route.method != "GET"
    }
    return [call for call in GOOD_CALLS if call in known - NO_DEEDS - ELSEWHERE - UNTRIED]


async def test_every_call_that_changes_something_is_on_record(tmp_path: Path):
    async with open_api(tmp_path) as rig:
        message_id = (await rig.send())["id"]
        silent = []
        for method, path in deeds():
            before = await entries(rig)
            status = await make_call(rig, method, path, message_id)
            assert status < 300, (method, path, status)
            made = (await entries(rig))[: -len(before) or None]
            if [entry["actor"] for entry in made] != ["key:admin"]:
                silent.append((method, path))
        assert silent == [], "call gateway.store.audit.record_audit in the deed's transaction"


async def entries(rig: Any) -> list[dict[str, Any]]:
    _, page = await rig.call("GET", "/v1/audit?limit=1000")
    return list(page["items"])


async def make_call(rig: Any, method: str, path: str, message_id: str) -> int:
    given = GOOD_CALLS[method, path]
    for name, value in given.get("path_parameters", {}).items():
        path = path.replace(f"{{{name}}}", message_id if value == "MESSAGE" else value)
    body = {"json": given["body"]} if "body" in given else {}
    async with rig.client.request(
        method, path, headers={"Authorization": f"Bearer {rig.secret}"}, **body
    ) as response:
        await response.read()
        return int(response.status)
