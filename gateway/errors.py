"""What the product refuses and why: one class per reaction, each with its API code and HTTP status.

::

    GatewayError
    ├── SettingsError(key_path, reason)
    ├── RequestError
    │   ├── InvalidRequest(errors)
    │   │   └── FaultyConfig(errors)
    │   ├── NotFound(what)
    │   ├── Conflict(state)
    │   ├── IdempotencyMismatch
    │   ├── AlreadyBegun
    │   ├── QuotaExceeded(retry_after_s): TooFast, QueueFull
    │   ├── NotSupported
    │   ├── NetworkRefused
    │   └── NetworkSilent
    ├── StateError(state, event)
    └── StoreError
        ├── StoreBusy
        ├── StoreUnavailable
        ├── StoreFull
        ├── Overloaded: Backlogged(retry_after_s)
        ├── StaleWrite
        ├── StoreLocked
        └── MigrationError

No error carries a message text, a secret or a full number.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class GatewayError(Exception):
    """Root; ``code`` is stable and part of the API."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500


class SettingsError(GatewayError):
    """The config file is wrong at ``key_path``; ``reason`` says what to write instead."""

    code = "settings"

    def __init__(self, key_path: str, reason: str) -> None:
        super().__init__(f"{key_path}: {reason}" if key_path else reason)
        self.key_path = key_path
        self.reason = reason


class FieldError(NamedTuple):
    """One fault of a request.

    Args:
        pointer: JSON pointer into the body (RFC 6901), or the name of a query parameter.
        code: stable snake-case code.
        detail: one sentence that says what to do.
    """

    pointer: str
    code: str
    detail: str


class RequestError(GatewayError):
    """The client must change something."""

    code = "bad_request"
    http_status = 400


class InvalidRequest(RequestError):
    """The body or the query is understood and wrong."""

    code = "invalid_request"
    http_status = 422

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{e.pointer}: {e.detail}" for e in errors))
        self.errors = errors


class FaultyConfig(InvalidRequest):
    """The config file has faults and was not taken over; each is one of ``errors``, its key path the pointer."""

    code = "faulty_config"


class NotFound(RequestError):
    """No such thing, or not for this key."""

    code = "not_found"
    http_status = 404


class Conflict(RequestError):
    """The state of the thing forbids it; the detail names the state."""

    code = "conflict"
    http_status = 409


class IdempotencyMismatch(RequestError):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_mismatch"
    http_status = 422


class AlreadyBegun(RequestError):
    """The same request was begun with this Idempotency-Key, and nobody knows what came of it.

    Args:
        here: by this process, which lives.
    """

    code = "already_begun"
    http_status = 409

    def __init__(self, detail: str, *, here: bool = False) -> None:
        super().__init__(detail)
        self.here = here


class QuotaExceeded(RequestError):
    """Too much, too fast."""

    code = "quota_exceeded"
    http_status = 429

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class TooFast(QuotaExceeded):
    """A key's rate is used up."""

    code = "rate_exceeded"


class QueueFull(QuotaExceeded):
    """As much of this key's waits for the network as may."""

    code = "queue_full"


class NotSupported(RequestError):
    """The thing exists and can't do this."""

    code = "not_implemented"
    http_status = 501


class NetworkRefused(RequestError):
    """The network, or the stick, answered the question with a refusal."""

    code = "network_refused"
    http_status = 502


class NetworkSilent(RequestError):
    """The network gave no answer in time."""

    code = "network_silent"
    http_status = 504


class StateError(GatewayError):
    """An event that a state forbids: a bug, or two writers at once."""

    code = "state"
    http_status = 409

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"{event} is not possible in state {state}")
        self.state = state
        self.event = event


class StoreError(GatewayError):
    """The store could not do it; nothing was changed."""

    code = "store"
    http_status = 503


class StoreBusy(StoreError):
    """Another process holds the store."""

    code = "store_busy"


class StoreUnavailable(StoreError):
    """The store is closed or its medium fails."""

    code = "store_unavailable"


class StoreLocked(StoreError):
    """The store is encrypted and can't be opened with what was given, or is not and a key was."""

    code = "store_locked"


class StoreFull(StoreError):
    """No room on the medium: refused, and taken again when there is room."""

    code = "storage_full"
    http_status = 507


class Overloaded(StoreError):
    """So much waits to be stored, or is being sent to us, that nothing more is taken for a moment."""

    code = "overloaded"


class Backlogged(Overloaded):
    """As much waits for the network as may, in all."""

    code = "backlog_full"

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class StaleWrite(StoreError):
    """The row changed under the writer; read again."""

    code = "stale_write"
    http_status = 409


class MigrationError(StoreError):
    """The schema is newer than this program, or a migration failed."""

    code = "migration"
