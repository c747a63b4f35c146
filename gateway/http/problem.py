"""What the API says when it says no: ``application/problem+json`` (RFC 9457) with a stable ``code``.

::

    RequestError
    ├── Malformed, BadEncoding          400  the body is no JSON, or no UTF-8
    ├── Unauthorized                    401
    ├── Forbidden(scope)                403
    ├── PayloadTooLarge(limit)          413
    ├── NotImplementedYet               501
    ├── TooManyStreams                  503
    └── NotReady(reason)                503

The codes of everything else are in `gateway.errors`, those of single fields in `gateway.http.explain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from math import ceil
from secrets import token_hex

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from drivers.paced_log import LogQuota
from gateway.errors import (
    Backlogged,
    FieldError,
    GatewayError,
    InvalidRequest,
    Overloaded,
    QuotaExceeded,
    RequestError,
    StoreError,
)

CONTENT_TYPE = "application/problem+json"
_RETRY_STORE_S = 5
_RETRY_OVERLOAD_S = 1
_log = structlog.get_logger("gateway.api")
_said = LogQuota()


class Malformed(RequestError):
    """The body can't be read at all."""

    code = "malformed_json"


class BadEncoding(RequestError):
    """The body is not UTF-8."""

    code = "invalid_utf8"


class Unauthorized(RequestError):
    """No key, or none that we know."""

    code = "unauthorized"
    http_status = 401


class Forbidden(RequestError):
    """The key is good and may not do this."""

    code = "forbidden"
    http_status = 403

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"this key lacks the scope `{scope}`; make one with `hongyan keys create --name NAME --scopes {scope}`"
        )
        self.scope = scope


class PayloadTooLarge(RequestError):
    """More octets than this call takes."""

    code = "payload_too_large"
    http_status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body may have at most {limit} octets")


class UnsupportedCoding(RequestError):
    """The body is packed in a way that we don't undo."""

    code = "unsupported_coding"
    http_status = 415

    def __init__(self, codings: Sequence[str]) -> None:
        super().__init__(f"a body may be packed as {' or '.join(codings)}, once; or send it as it is")
        self.codings = codings


class TooSlow(RequestError):
    """The body did not come in time."""

    code = "request_timeout"
    http_status = 408


class TooManyStreams(RequestError):
    """As many event streams are open as we serve."""

    code = "too_many_streams"
    http_status = 503


class NotReady(RequestError):
    """The daemon runs and can't serve now; the detail says why."""

    code = "not_ready"
    http_status = 503


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a request.

    Args:
        pointer: JSON pointer into the body (RFC 6901), or the name of a parameter or header.
        code: stable.
        detail: what to do about it.
    """

    pointer: str
    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a call was refused (RFC 9457).

    Args:
        title: the words that HTTP has for the status.
        code: stable; what programs should look at.
        instance: names one unexpected failure; the daemon's log has it too.
        errors: for invalid input, every fault that was found.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str | None = None
    errors: list[FieldProblem] | None = None


_encode = msgspec.json.Encoder().encode


def make_problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: tuple[FieldError, ...] = (),
    instance: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """The answer for one refusal."""
    problem = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        instance=instance,
        errors=[FieldProblem(pointer=e.pointer, code=e.code, detail=e.detail) for e in errors] or None,
    )
    return web.Response(status=status, body=_encode(problem), content_type=CONTENT_TYPE, headers=headers)


def describe_error(error: GatewayError) -> web.Response:
    """The problem for an error that the product foresaw."""
    if isinstance(error, StoreError) and not isinstance(error, Overloaded):
        if (left_out := _said.admit(error.code)) is not None:  # a store that is away fails every call
            more = {"left_out": left_out} if left_out else {}
            _log.warning("api.store_error", code=error.code, detail=str(error), **more)
        detail = _STORE_DETAILS.get(error.code, "the store can't do this now; nothing was changed")
    elif isinstance(error, InvalidRequest):
        n_errors = len(error.errors)
        detail = error.errors[0].detail if n_errors == 1 else f"{n_errors} things are wrong; see `errors`"
    else:
        detail = str(error)
    return make_problem(
        error.http_status,
        error.code,
        detail,
        errors=error.errors if isinstance(error, InvalidRequest) else (),
        headers=_headers_for(error),
    )


_STORE_DETAILS = {
    "storage_full": "there is no room to store this; nothing was accepted, try again later",
    "store_busy": "another process holds the store; nothing was changed, try again",
    "stale_write": "it changed while this call was at work; read it again",
}


def _headers_for(error: GatewayError) -> dict[str, str] | None:
    match error:
        case Unauthorized():
            return {"WWW-Authenticate": 'Bearer realm="hongyan"'}
        case Forbidden():
            challenge = f'Bearer realm="hongyan", error="insufficient_scope", scope="{error.scope}"'
            return {"WWW-Authenticate": challenge}
        case UnsupportedCoding():
            return {"Accept-Encoding": ", ".join(error.codings)}
        case TooSlow():
            return {"Connection": "close"}
        case Backlogged():
            return {"Retry-After": str(ceil(error.retry_after_s))}
        case Overloaded():
            return {"Retry-After": str(_RETRY_OVERLOAD_S)}
        case QuotaExceeded():
            return {"Retry-After": str(max(1, ceil(error.retry_after_s)))}
        case StoreError() if error.http_status >= 500:
            return {"Retry-After": str(_RETRY_STORE_S)}
        case _:
            return None


_HTTP_REFUSALS = {
    404: ("not_found", "there is nothing at this address; GET /openapi.json lists all calls"),
    405: ("method_not_allowed", "this address does not take that method; see the header Allow"),
    413: ("payload_too_large", "the body is too large"),
}


def describe_http_error(error: web.HTTPException) -> web.StreamResponse:
    """The problem for what aiohttp itself refuses; redirects and the like pass unchanged."""
    if error.status < 400:
        return error
    code, detail = _HTTP_REFUSALS.get(error.status, ("bad_request", error.reason))
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return make_problem(error.status, code, detail, headers=kept)


@web.middleware
async def supervise(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure with a problem: the one place of the API that may catch everything."""
    try:
        return await handler(request)
    except GatewayError as error:
        return describe_error(error)
    except web.HTTPException as error:
        return describe_http_error(error)
    except ConnectionError:
        raise  # The client left; aiohttp cleans up.
    except web.RequestPayloadError:
        return make_problem(400, Malformed.code, "the body ended early or its transfer coding is broken")
    except Exception as error:  # noqa: BLE001 - the supervisor of the API
        route = getattr(request.match_info.route.resource, "canonical", None)
        return describe_unexpected(error, method=request.method, route=route)


def describe_unexpected(error: Exception, *, method: str, route: str | None) -> web.Response:
    """The problem for what nobody foresaw."""
    return make_problem(
        500,
        "internal",
        "the gateway failed unexpectedly; its log tells more under this instance",
        instance=f"urn:hongyan:incident:{note_unexpected(error, method=method, route=route)}",
    )


def note_unexpected(error: Exception, *, method: str, route: str | None) -> str:
    """Give the log the whole of what nobody foresaw; the word under which it is found there."""
    incident = token_hex(8)
    _log.error(
        "api.unexpected",
        incident=incident,
        method=method,
        route=route,
        error=type(error).__name__,
        exc_info=error,
    )
    return incident
