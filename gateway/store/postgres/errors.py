"""What PostgreSQL and the way to it complain of, as errors of ours, and what the writer does about each."""

from __future__ import annotations

import socket
import ssl
from typing import Final

import asyncpg

from gateway.errors import MigrationError, StoreBusy, StoreError, StoreFull, StoreUnavailable

_LOST: Final = (
    asyncpg.PostgresConnectionError,
    # The tables have changed under the connection's prepared statements.
    asyncpg.InvalidCachedStatementError,
    asyncpg.InternalClientError,
    asyncpg.ProtocolError,
    asyncpg.OperatorInterventionError,  # 57P01 admin shutdown, 57P02 crash, 57P03 not yet
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)
_CONFLICTS: Final = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
_HELD: Final = (asyncpg.LockNotAvailableError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_FULL: Final = (asyncpg.DiskFullError,)
_NO_TLS: Final = "rejected SSL upgrade"
"""asyncpg's words; it has no class of its own for this."""


def is_lost(exc: BaseException) -> bool:
    """Whether the connection, or the server, is gone or of no use any more: the same may work on another connection."""
    if isinstance(exc, asyncpg.InterfaceError):
        return "closed" in str(exc)  # all others are mistakes of ours
    return isinstance(exc, _LOST) and not isinstance(exc, asyncpg.QueryCanceledError)


def is_conflict(exc: BaseException) -> bool:
    """Whether the same transaction may work when it is run again."""
    return isinstance(exc, _CONFLICTS)


def is_held(exc: BaseException) -> bool:
    """Whether another process holds what is needed: trying operations one by one would be as many waits again."""
    return isinstance(exc, asyncpg.LockNotAvailableError)


def translate(exc: BaseException, shown: str) -> BaseException:
    """A driver's error as one of ours; anything else as it is.

    Args:
        shown: the database, for people.
    """
    if isinstance(exc, StoreError) or not isinstance(
        exc,
        (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError),
    ):
        return exc
    if isinstance(exc, _FULL):
        return StoreFull("no room left where the store is; nothing was taken, try again when there is room")
    if isinstance(exc, _HELD):
        return StoreBusy("another process holds the store; try again")
    if isinstance(exc, asyncpg.ReadOnlySQLTransactionError):
        return StoreUnavailable(
            f"{shown} takes no writes: it is a standby or set to read only; name the primary in store.url"
        )
    if is_lost(exc):
        return StoreUnavailable(f"{shown} cannot be reached: {_reason(exc)}")
    return StoreUnavailable(f"the store failed: {exc}")


def explain_open(exc: Exception, shown: str) -> StoreError:
    """Why the database can't be opened, and what mends it."""
    match exc:
        case StoreError():
            return exc
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            advice = "check the user in store.url, and store.password, password_file or password_env"
        case asyncpg.InvalidCatalogNameError():
            advice = "make it: createdb --owner=USER DATABASE (see docs/postgresql.md)"
        case asyncpg.InsufficientPrivilegeError():
            return MigrationError(
                f"{shown}: {exc}; let the role make tables there: GRANT CREATE, USAGE ON SCHEMA public TO USER"
            )
        case asyncpg.TooManyConnectionsError():
            advice = "raise max_connections of the server; hongyan needs six"
        case ssl.SSLCertVerificationError():
            advice = "name the authority's certificate: sslrootcert=FILE in store.url"
        case asyncpg.ClientConfigurationError():
            advice = "correct store.url"
        case socket.gaierror():
            advice = "check the host in store.url, and this machine's DNS"
        case ConnectionError() if _NO_TLS in str(exc):
            advice = (
                "the server speaks no TLS: set ssl = on in postgresql.conf, or sslmode=prefer in store.url"
            )
        case _ if is_lost(exc):
            advice = "is the server running, and does it listen there?"
        case _:
            error = translate(exc, shown)
            return error if isinstance(error, StoreError) else StoreUnavailable(f"{shown}: {exc}")
    return StoreUnavailable(f"{shown}: {_reason(exc)}; {advice}")


def _reason(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    if isinstance(exc, asyncpg.PostgresError) and exc.args:
        return str(exc.args[0])  # without the lines DETAIL and HINT
    return str(exc) or type(exc).__name__
