"""The results of probes: the last few of each channel (``probe_results``)."""

from __future__ import annotations

from typing import Final

from gateway.clock import format_ms, parse_instant
from gateway.ids import make_id
from gateway.model.channel_test import ProbeResult
from gateway.store.ports import Row, Tx

KEPT: Final = 20
"""Of each channel."""


async def save_probe(tx: Tx, channel: str, result: ProbeResult) -> None:
    """Keep a result, and forget those before the last `KEPT`."""
    await tx.execute(
        "INSERT INTO probe_results (id, channel, at, ok, answered_ms, delivered_ms, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            make_id(), channel, format_ms(result.at), int(result.ok),
            _to_ms(result.answered_s), _to_ms(result.delivered_s), result.detail,
        ),
    )  # fmt: skip
    await tx.execute(
        "DELETE FROM probe_results WHERE channel = ? AND id NOT IN"
        " (SELECT id FROM probe_results WHERE channel = ? ORDER BY id DESC LIMIT ?)",
        (channel, channel, KEPT),
    )


async def load_probes(tx: Tx, channel: str) -> list[ProbeResult]:
    """The last results of a channel, the newest first."""
    rows = await tx.fetch(
        "SELECT at, ok, answered_ms, delivered_ms, detail FROM probe_results WHERE channel = ?"
        " ORDER BY id DESC LIMIT ?",
        (channel, KEPT),
    )
    return [_result(row) for row in rows]


def _result(row: Row) -> ProbeResult:
    at, ok, answered_ms, delivered_ms, detail = row
    return ProbeResult(
        at=parse_instant(at),
        ok=bool(ok),
        answered_s=None if answered_ms is None else answered_ms / 1_000,
        delivered_s=None if delivered_ms is None else delivered_ms / 1_000,
        detail=detail,
    )


def _to_ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000)
