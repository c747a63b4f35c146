"""Strays: what came from a network and made our own code fail. Kept as it came, for people; then it is acknowledged.

Else the network would bring it again without end, and what comes behind it would wait.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import msgspec

from drivers.base import InboundPart, LateResult, Receipt
from drivers.broken import INTERNAL_ERROR, where_broke
from gateway.clock import Clock, truncate_ms
from gateway.errors import StoreError
from gateway.ids import make_id
from gateway.model.message import MessageError
from gateway.pipeline.sending.late import StillSending
from gateway.pipeline.sending.poison import raise_internal
from gateway.store.poison import save_aside
from gateway.store.ports import Store, Tx

_log = logging.getLogger(__name__)

Stray = Receipt | InboundPart | LateResult
ATTEMPTS = 3
_MOST_OCTETS = 100_000


async def take_or_keep(
    store: Store, clock: Clock, channel: str, stray: Stray, take: Callable[[Stray], Awaitable[None]]
) -> None:
    """Take something, or keep it in the table ``set_aside`` when our code fails on it `ATTEMPTS` times.

    Raises:
        StoreError: nothing was stored.
        StillSending: see `gateway.pipeline.sending.late`.
    """
    broke: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            await take(stray)
        except (StoreError, StillSending):
            raise
        except Exception as exc:  # noqa: BLE001 - a supervisor: one thing must not stop the others
            broke = exc
        else:
            return
    assert broke is not None
    await _keep(store, clock, channel, stray, broke)


async def _keep(store: Store, clock: Clock, channel: str, stray: Stray, broke: Exception) -> None:
    kind, where, stray_id = type(stray).__name__, where_broke(broke), make_id()
    _log.error("hongyan failed on something of channel %s, a %s: %s", channel, kind, where)
    octets = _write(stray)[:_MOST_OCTETS]
    detail = f"It is kept as {stray_id} in the table set_aside of the store: {where}."
    error = MessageError(code=INTERNAL_ERROR, detail=detail)

    async def op(tx: Tx) -> None:
        await save_aside(tx, stray_id, channel, kind, octets, where, truncate_ms(clock.now()))
        await raise_internal(tx, clock, f"{kind} of {channel}", f"a {kind} of channel {channel}", error)

    await store.write(op)


def _write(stray: Stray) -> bytes:
    try:
        return msgspec.json.encode(stray)
    except (TypeError, ValueError):
        return repr(stray).encode(errors="backslashreplace")
