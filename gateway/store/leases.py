"""Who is at work on this database: daemons and their heartbeats, and who runs which channel.

A channel (a SIM, a bind) may be run by one instance at a time: the one that holds its lease. Leases are judged by the
store's clock (`Tx.now_ms`), which is one for all who share a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms
from gateway.store.ports import Tx


class Lease(NamedTuple):
    """A row of ``channel_leases``.

    Args:
        owner: the instance that runs the channel, or ran it last.
        epoch: counts the owners: a lease that was lost and taken again is another one.
        left_s: until others may take it; none or less when they may now.
    """

    owner: str
    epoch: int
    left_s: float


async def take_lease(tx: Tx, channel: str, owner: str, for_s: float) -> int | None:
    """Become the one who runs a channel; the lease's epoch, or None while another instance holds it."""
    now = await tx.now_ms()
    taken = await tx.fetch(
        "INSERT INTO channel_leases (channel, owner, epoch, until) VALUES (?, ?, 1, ?)"
        " ON CONFLICT (channel) DO UPDATE SET owner = excluded.owner, epoch = channel_leases.epoch + 1,"
        " until = excluded.until WHERE channel_leases.until <= ? OR channel_leases.owner = excluded.owner"
        " RETURNING epoch",
        (channel, owner, now + round(for_s * 1_000), now),
    )
    return int(taken[0][0]) if taken else None


async def renew_leases(tx: Tx, owner: str, epochs: Mapping[str, int], for_s: float) -> set[str]:
    """Hold leases longer; the channels whose lease still was the owner's, also where it had run out meanwhile.

    Args:
        epochs: channel -> epoch.
    """
    until = await tx.now_ms() + round(for_s * 1_000)
    kept = set()
    for channel, epoch in epochs.items():
        sql = "UPDATE channel_leases SET until = ? WHERE channel = ? AND owner = ? AND epoch = ?"
        if await tx.execute(sql, (until, channel, owner, epoch)):
            kept.add(channel)
    return kept


async def release_leases(tx: Tx, owner: str, channel: str | None = None) -> None:
    """Let others take at once what an instance holds. The rows stay: epochs go on.

    Args:
        channel: of this one alone; None for all.
    """
    sql, values = "UPDATE channel_leases SET until = 0 WHERE owner = ?", (owner,)
    if channel is None:
        await tx.execute(sql, values)
    else:
        await tx.execute(f"{sql} AND channel = ?", (*values, channel))


async def release_others(tx: Tx, owner: str) -> None:
    """End all leases but an instance's: on an exclusive store nobody else can be alive."""
    await tx.execute("UPDATE channel_leases SET until = 0 WHERE owner <> ?", (owner,))


async def find_lease(tx: Tx, channel: str) -> Lease | None:
    """Who runs a channel, or ran it last; None when nobody ever did."""
    rows = await tx.fetch("SELECT owner, epoch, until FROM channel_leases WHERE channel = ?", (channel,))
    if not rows:
        return None
    owner, epoch, until = rows[0]
    return Lease(owner, int(epoch), (until - await tx.now_ms()) / 1_000)


async def find_held(tx: Tx, owner: str, epochs: Mapping[str, int]) -> set[str]:
    """Which channels an instance may claim for: whose lease is its own, and the one that it means.

    Args:
        epochs: channel -> epoch.
    """
    rows = await tx.fetch("SELECT channel, epoch FROM channel_leases WHERE owner = ?", (owner,))
    return {channel for channel, epoch in rows if epochs.get(channel) == epoch}


async def beat(tx: Tx, instance: str, now: datetime) -> None:
    """Say that this instance lives."""
    await tx.execute(
        "INSERT INTO instances (id, heartbeat_at) VALUES (?, ?)"
        " ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at",
        (instance, format_ms(now)),
    )


async def forget_instances(tx: Tx, *, keep: str, before: datetime | None = None) -> None:
    """Drop the heartbeats of the dead: those before an instant.

    Args:
        keep: who asks.
        before: None drops all others: on an exclusive store nobody else can be alive.
    """
    if before is None:
        await tx.execute("DELETE FROM instances WHERE id <> ?", (keep,))
    else:
        await tx.execute(
            "DELETE FROM instances WHERE id <> ? AND heartbeat_at < ?", (keep, format_ms(before))
        )
