"""Every failure becomes a problem that a program can tell apart, and none tells what is inside."""

from __future__ import annotations

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from drivers.paced_log import LogQuota
from gateway.errors import (
    Conflict,
    FieldError,
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    StateError,
    StoreFull,
    StoreUnavailable,
)
from gateway.http.problem import Forbidden, PayloadTooLarge, Unauthorized, supervise

pytestmark = pytest.mark.unit


async def refuse(error: BaseException) -> tuple[web.Response, dict]:
    """What the supervisor makes of a handler that raises ``error``."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        raise error

    response = await supervise(make_mocked_request("GET", "/v1/messages"), handler)
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response, msgspec.json.decode(response.body)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("there is no message with this id"), 404, "not_found"),
        (Conflict("the message is sent"), 409, "conflict"),
        (IdempotencyMismatch("use a new key"), 422, "idempotency_mismatch"),
        (QuotaExceeded("slow down", 2.2), 429, "quota_exceeded"),
        (StateError("sent", "cancel"), 409, "state"),
        (StoreFull("disk"), 507, "storage_full"),
        (StoreUnavailable("disk"), 503, "store_unavailable"),
        (PayloadTooLarge(1024), 413, "payload_too_large"),
        (Unauthorized("no key"), 401, "unauthorized"),
        (web.HTTPNotFound(), 404, "not_found"),
        (web.HTTPMethodNotAllowed("PUT", ["GET"]), 405, "method_not_allowed"),
        (web.HTTPRequestEntityTooLarge(1, 2), 413, "payload_too_large"),
        (ValueError("boom"), 500, "internal"),
    ],
)
async def test_status_and_code(error, status, code):
    with capture_logs():
        response, problem = await refuse(error)
    assert response.status == problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert response.content_type == "application/problem+json"


async def test_all_faults_of_a_request_are_listed():
    _, problem = await refuse(
        InvalidRequest(
            FieldError("/to", "invalid_number", "too short"), FieldError("/text", "empty_text", "write one")
        )
    )
    assert problem["errors"] == [
        {"pointer": "/to", "code": "invalid_number", "detail": "too short"},
        {"pointer": "/text", "code": "empty_text", "detail": "write one"},
    ]


async def test_unauthorized_asks_for_a_bearer_key():
    response, _ = await refuse(Unauthorized("no key"))
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_forbidden_names_the_scope():
    response, problem = await refuse(Forbidden("manage"))
    assert response.status == 403
    assert "`hongyan keys create --name NAME --scopes manage`" in problem["detail"]
    assert 'scope="manage"' in response.headers["WWW-Authenticate"]


async def test_wrong_method_keeps_the_allowed_ones():
    response, _ = await refuse(web.HTTPMethodNotAllowed("PUT", ["GET", "POST"]))
    assert response.headers["Allow"] == "GET,POST"


async def test_too_fast_says_when_to_come_back():
    response, _ = await refuse(QuotaExceeded("slow down", 2.2))
    assert response.headers["Retry-After"] == "3"


async def test_store_failure_tells_nothing_of_the_store():
    with capture_logs() as logs:
        response, problem = await refuse(StoreUnavailable("/var/lib/hongyan: no such table"))
    assert "table" not in problem["detail"]
    assert "Retry-After" in response.headers
    assert logs[0]["event"] == "api.store_error"


async def test_a_store_that_fails_every_call_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr("gateway.http.problem._said", LogQuota(most=2, clock=lambda: now[0]))
    with capture_logs() as logs:
        for _ in range(5):
            await refuse(StoreUnavailable("the server is away"))
        now[0] = 61.0
        await refuse(StoreUnavailable("the server is away"))
    assert [line.get("left_out") for line in logs] == [None, None, 3]


async def test_unexpected_failure_is_logged_and_kept_secret():
    with capture_logs() as logs:
        _, problem = await refuse(KeyError("secret"))
    assert "secret" not in str(problem)
    (line,) = logs
    assert line["log_level"] == "error"
    assert problem["instance"].endswith(line["incident"])


async def test_client_that_left_is_no_failure():
    with capture_logs() as logs, pytest.raises(ConnectionResetError):
        await refuse(ConnectionResetError())
    assert logs == []
