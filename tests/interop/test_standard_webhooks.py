"""What npm's `standardwebhooks` says of our signatures; Python's is asked in tests/integration/test_webhooks.py."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from gateway.webhooks.signing import show_secret, sign
from tests.support.other_program import NODE, node_command
from tests.support.peers import need_peer

pytestmark = pytest.mark.interop

BODY = '{"type":"message.sent","data":{"text":"您好 \\"é\\""}}'
OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def call(secrets: list[bytes], *, body: str = BODY, at_s: int | None = None) -> dict[str, Any]:
    at_s = int(time.time()) if at_s is None else at_s
    return {
        "headers": {
            "webhook-id": "00000000000w3hq2m7k4c9t0ab",
            "webhook-timestamp": str(at_s),
            "webhook-signature": sign(secrets, "00000000000w3hq2m7k4c9t0ab", at_s, BODY.encode()),
        },
        "body": body,
    }


async def ask(*calls: dict[str, Any]) -> list[Any]:
    package = NODE / "node_modules" / "standardwebhooks"
    need_peer("standardwebhooks of npm", present=package.is_dir())
    process = await asyncio.create_subprocess_exec(
        *node_command("webhook_verifier.js"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate("".join(json.dumps(one) + "\n" for one in calls).encode())
    return [json.loads(line) for line in out.splitlines()]


async def test_node_lets_ours_pass_and_nothing_else():
    new, old = show_secret(NEW), show_secret(OLD)
    good, rotated, for_new, forged, stale, other = await ask(
        {"secret": new, **call([NEW])},
        {"secret": old, **call([NEW, OLD])},
        {"secret": new, **call([NEW, OLD])},
        {"secret": new, **call([NEW], body=BODY.replace("sent", "delivered"))},
        {"secret": new, **call([NEW], at_s=int(time.time()) - 3_600)},
        {"secret": old, **call([NEW])},
    )
    assert good == rotated == for_new == json.loads(BODY)
    assert all("refused" in answer for answer in (forged, stale, other))
