"""A part of `hongyan db check`: whether the store is encrypted, what it keeps, who has still to read it, what goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.cli.output import print_table
from gateway.cli.serve import find_config
from gateway.settings.config import load_settings
from gateway.store.ports import Tx
from gateway.store.readers import load_readers
from gateway.store.retention import find_backlog
from gateway.store.sealing.opening import describe_encryption

_KINDS = ("texts", "messages", "events", "inbound", "receipts", "audit")


async def show_kept(tx: Tx, config: Path | None) -> None:
    """Print whether it is encrypted, and a line for each kind of record, and for each reader of the timeline.

    Args:
        tx: reads the store.
        config: of which ``[retention]`` is read.
    """
    print(f"numbers and texts: {await describe_encryption(tx)}")
    settings = load_settings(find_config(config), only=("retention",)).retention
    keep = {kind: timedelta(seconds=getattr(settings, kind)) for kind in _KINDS}
    found = await find_backlog(tx, keep, datetime.now(UTC))
    print_table(
        ("retention", "kept", "oldest", "due", "last round"),
        [
            (
                kind,
                f"{keep[kind].days}d" if keep[kind] else "for ever",
                _moment(kept.oldest_at),
                kept.n_due,
                _moment(kept.ran_at),
            )
            for kind, kept in found.items()
        ],
    )
    if readers := await load_readers(tx):
        print_table(
            ("reader of the timeline", "events behind", "last seen"),
            [(reader.name, reader.lag, _moment(reader.seen_at)) for reader in readers],
        )


def _moment(at: datetime | None) -> str:
    return "-" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"
