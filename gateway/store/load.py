"""What waits for the network when the daemon starts, counted once; later commits tell what comes and goes."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.clock import parse_instant, parse_ms
from gateway.routing.load import Coming, Load, weigh
from gateway.store.body import decode_body, read_text
from gateway.store.ports import Row, Store, Tx

AT_ONCE: Final = 2_000
"""Messages that are held in memory at once."""
_COLUMNS: Final = "expires_at, id, n_segments, body, created_at"
_WAITING: Final = (
    f"SELECT {_COLUMNS} FROM messages WHERE status IN ('queued', 'scheduled') AND (expires_at, id) > (?, ?)"
    " ORDER BY expires_at, id LIMIT ?"
)
_ON_WIRE: Final = f"SELECT {_COLUMNS} FROM messages WHERE owner IS NOT NULL AND status = 'sending'"


async def count_load(store: Store, load: Load) -> None:
    """Count all that waits, some thousand messages at a time; it must not change meanwhile."""

    async def on_wire(tx: Tx) -> list[Row]:
        return await tx.fetch(_ON_WIRE)

    load.note(map(_coming, await store.read(on_wire)))
    after: tuple[int, str] = (-1, "")
    while True:

        async def some(tx: Tx, after: tuple[int, str] = after) -> list[Row]:
            return await tx.fetch(_WAITING, (*after, AT_ONCE))

        rows = await store.read(some)
        load.note(map(_coming, rows))
        if len(rows) < AT_ONCE:
            return
        after = rows[-1][0], rows[-1][1]


def _coming(row: Row) -> Coming:
    expires_at, _, n_segments, octets, created_at = row
    came_at = parse_instant(created_at)
    try:
        body = decode_body(octets)
        text = read_text(body)
    except (msgspec.MsgspecError, ValueError):  # damaged: it is found, and told, where it is to be sent
        return Coming("", 1, weigh(n_segments, None, None, None), came_at, parse_ms(expires_at), None)
    size = weigh(n_segments, text, body.data, body.callback_url)
    began_at = body.schedule_at or came_at
    return Coming(body.key_id or "", 1, size, began_at, parse_ms(expires_at), body.valid_for_s)
