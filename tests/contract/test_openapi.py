"""What the API says of itself is true: generated requests, and answers held against the OpenAPI document."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import AcceptedNegativeData, FailureGroup

from gateway.api.openapi import make_document
from gateway.api.routes import ROUTES
from tests.support.api import open_api

pytestmark = pytest.mark.contract

load_all_checks()
CONFORMANCE: list[Any] = CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
CHECKED: list[Any] = [
    *CONFORMANCE,
    *CHECKS.get_by_names(
        ["not_a_server_error", "negative_data_rejection", "unsupported_method", "ignored_auth"]
    ),
]
EXCUSED = {
    # A bad item is rejected by itself, in an answer of 202.
    "/v1/messages/batch": {"negative_data_rejection"},
    "/v1/consents": {"negative_data_rejection"},
    # 501 is what it says of itself.
    "/v1/channels/{name}/ussd": {"not_a_server_error"},
}
# The event stream has no end: tests/integration/test_api_events.py reads it.
SCHEMA = schemathesis.openapi.from_dict(make_document(ROUTES)).exclude(path="/v1/events")


class ServedApi:
    """The API in a thread of its own, for a client that blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self.url = ""
        self.message_id = ""
        self.headers: dict[str, str] = {}

    async def _serve(self) -> None:
        async with open_api(self._folder) as rig:
            self.message_id = (await rig.send())["id"]
            self.url = str(rig.client.make_url("/"))
            self.headers = {"Authorization": f"Bearer {rig.secret}"}
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with ServedApi(tmp_path_factory.mktemp("api")) as served:
        yield served


@SCHEMA.parametrize()
@settings(
    max_examples=20, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
def test_answers_are_as_described(case, served):
    checks = [check for check in CHECKED if check.__name__ not in EXCUSED.get(case.operation.path, ())]
    try:
        case.call_and_validate(base_url=served.url, headers=served.headers, checks=checks)
    except FailureGroup as failures:
        if not all(was_not_sent(failure, case) for failure in failures.exceptions):
            raise


def was_not_sent(failure: BaseException, case: Any) -> bool:
    """Whether all that is wrong is a parameter which is not declared and has no value, so that it is in no URL."""
    if not isinstance(failure, AcceptedNegativeData) or "query: violates `additionalProperties`" not in str(
        failure
    ):
        return False
    declared = {parameter["name"] for parameter in case.operation.definition.raw.get("parameters", ())}
    return all(name in declared or value in ({}, [], None) for name, value in (case.query or {}).items())


GOOD_CALLS: dict[tuple[str, str], dict[str, Any]] = {
    ("GET", "/v1/messages"): {"query": {"to": "13800138000", "status": "queued", "limit": 5}},
    ("POST", "/v1/messages"): {"body": {"to": "13800138000", "text": "hello", "tags": ["a"], "priority": 9}},
    ("POST", "/v1/messages/preview"): {"body": {"text": "“hello”" * 20, "smart": True}},
    ("POST", "/v1/messages/batch"): {"body": {"to": ["13800138000", "nonsense"], "text": "hello"}},
    ("GET", "/v1/messages/{id}"): {"path_parameters": {"id": "MESSAGE"}},
    ("POST", "/v1/messages/{id}/cancel"): {"path_parameters": {"id": "MESSAGE"}},
    ("GET", "/v1/inbound"): {"query": {"from": "+8613800138000"}},
    ("GET", "/v1/receipts"): {"query": {"unmatched": "true", "limit": 5}},
    ("GET", "/v1/channels"): {},
    ("GET", "/v1/channels/{name}"): {"path_parameters": {"name": "sim-1"}},
    ("POST", "/v1/channels/{name}/pause"): {"path_parameters": {"name": "sim-1"}},
    ("POST", "/v1/channels/{name}/resume"): {"path_parameters": {"name": "sim-1"}},
    ("POST", "/v1/channels/{name}/drain"): {"path_parameters": {"name": "sim-1"}},
    ("POST", "/v1/channels/{name}/reset"): {"path_parameters": {"name": "sim-1"}},
    ("GET", "/v1/alarms"): {},
    ("GET", "/v1/costs"): {},
    ("GET", "/v1/audit"): {},
    ("GET", "/v1/reviews"): {"query": {"by": "text", "rule": "words", "limit": 5}},
    ("POST", "/v1/channels/{name}/test"): {
        "path_parameters": {"name": "sim-1"},
        "body": {"to": ["13800138000"], "wait": 0},
    },
    ("POST", "/v1/channels/{name}/trace"): {"path_parameters": {"name": "sim-1"}, "body": {"on": True}},
    ("PUT", "/v1/suppressions/{number}"): {
        "path_parameters": {"number": "+8613800138001"},
        "body": {"reason": "asked by telephone"},
    },
    ("GET", "/v1/suppressions"): {},
    ("GET", "/v1/suppressions/{number}"): {"path_parameters": {"number": "+8613800138001"}},
    ("DELETE", "/v1/suppressions/{number}"): {"path_parameters": {"number": "+8613800138001"}},
    ("POST", "/v1/alerts/alertmanager"): {"body": {"alerts": [{"status": "firing", "labels": {"a": "b"}}]}},
    ("POST", "/v1/alerts/grafana"): {"body": {"alerts": [{"status": "firing", "values": {"B": 1.5}}]}},
    ("POST", "/v1/consents"): {"body": {"number": "13800138000", "evidence": {"reference": "7"}}},
    ("GET", "/v1/subjects/{number}"): {"path_parameters": {"number": "+8613800138007"}},
    ("DELETE", "/v1/subjects/{number}"): {"path_parameters": {"number": "+8613800138007"}},
    ("GET", "/v1/consents"): {"query": {"number": "13800138000", "state": "given", "limit": 5}},
    ("GET", "/v1/consents/{number}"): {"path_parameters": {"number": "+8613800138000"}},
    ("GET", "/v1/consents/key"): {},
    ("GET", "/v1/consents/proof"): {"query": {"tag": "a"}},
    ("POST", "/v1/consents/proof"): {"body": {"numbers": ["13800138000"]}},
    ("GET", "/v1/alerts"): {"query": {"status": "firing"}},
    ("POST", "/v1/messages/check"): {
        "body": {"to": "+8613800138001", "text": "hello", "category": "marketing"}
    },
    ("POST", "/v1/routes/explain"): {"body": {"to": "+8613800138001", "category": "otp", "key": "shop"}},
    ("PUT", "/v1/carriers/{number}"): {
        "path_parameters": {"number": "+8613800138001"},
        "body": {"carrier": "unicom"},
    },
    ("GET", "/v1/carriers"): {},
    ("GET", "/v1/numbers/dead"): {"query": {"failures": "1"}},
    ("GET", "/v1/carriers/{number}"): {"path_parameters": {"number": "+8613800138001"}},
    ("DELETE", "/v1/carriers/{number}"): {"path_parameters": {"number": "+8613800138001"}},
    ("POST", "/v1/webhooks"): {
        "body": {"name": "shop", "url": "https://shop.example/sms", "types": ["message.*"], "batch": 10}
    },
    ("GET", "/v1/webhooks"): {"query": {"limit": 5}},
    ("GET", "/v1/webhooks/{id}/deliveries"): {
        "path_parameters": {"id": "callbacks"},
        "query": {"status": "dead"},
    },
    ("GET", "/livez"): {},
    ("GET", "/readyz"): {},
    ("GET", "/metrics"): {},
    ("GET", "/openapi.json"): {},
    ("GET", "/docs"): {},
}
"""In this order: what is looked up was made before."""
UNTRIED = {
    # These need the id of one: tests/integration/test_webhooks.py
    ("GET", "/v1/webhooks/{id}"),
    ("PATCH", "/v1/webhooks/{id}"),
    ("DELETE", "/v1/webhooks/{id}"),
    ("POST", "/v1/webhooks/{id}/secret"),
    ("POST", "/v1/webhooks/{id}/test"),
    ("POST", "/v1/webhooks/{id}/deliveries/{delivery}/retry"),
    (
        "DELETE",
        "/v1/numbers/dead/{number}",
    ),  # needs a number that failed: tests/integration/test_api_numbers.py
    ("GET", "/v1/events"),  # has no end: tests/integration/test_api_events.py
    ("GET", "/v1/inbound/{id}"),  # needs a message from outside: tests/integration/test_api.py
    ("POST", "/v1/messages/{id}/resend"),  # needs a failed message
    ("GET", "/cgi-bin/sendsms"),  # has accounts of its own: tests/integration/test_kannel.py
    ("POST", "/cgi-bin/sendsms"),
    # These need a message that a rule holds: tests/integration/test_api_reviews.py
    ("GET", "/v1/reviews/{id}"),
    ("POST", "/v1/reviews/{id}/approve"),
    ("POST", "/v1/reviews/{id}/reject"),
    ("POST", "/v1/alarms/{id}/clear"),  # needs an open alarm: tests/integration/test_api_alarms.py
    ("POST", "/v1/reload"),  # needs a config file: tests/integration/test_reload.py
    ("POST", "/v1/channels/{name}/ussd"),  # needs a stick: tests/integration/test_ussd_and_balance.py
    (
        "POST",
        "/v1/receipts/{id}/match",
    ),  # needs a receipt without a message: tests/integration/test_api_receipts.py
}


def test_good_calls_succeed_as_described(served):
    for (method, path), given in GOOD_CALLS.items():
        values = dict(given)
        if values.get("path_parameters", {}).get("id") == "MESSAGE":
            values["path_parameters"] = {"id": served.message_id}
        if "body" in values:
            values["media_type"] = "application/json"
        case = SCHEMA[path][method].Case(**values)
        response = case.call(base_url=served.url, headers=served.headers)
        assert response.status_code < 300, f"{method} {path}: {response.text}"
        case.validate_response(response, checks=CONFORMANCE)


def test_every_call_is_tried():
    assert {(route.method, route.path) for route in ROUTES} == GOOD_CALLS.keys() | UNTRIED
