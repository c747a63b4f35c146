"""A delivery as programs and people are shown it, whether it is owed, given up or heard."""

from __future__ import annotations

from datetime import datetime

from gateway.store.outbox_gone import Kept
from gateway.store.webhook_deliveries import Heard
from gateway.views.webhooks import DeliveryOut
from gateway.webhooks.bodies import unpack


def show_delivery(row: Kept | Heard) -> DeliveryOut:
    """What became of an event for one receiver."""
    if isinstance(row, Heard):
        return DeliveryOut(
            id=row.id,
            type=row.kind,
            about=row.about,
            status="delivered",
            attempts=row.attempts,
            created_at=row.created_at,
            delivered_at=row.delivered_at,
        )
    owed, parcel = row.owed, unpack(row.owed.payload)
    due_at: datetime | None = row.due_at
    return DeliveryOut(
        id=owed.id,
        type=parcel.kind,
        about=parcel.about,
        status="pending" if row.dead_at is None else "dead",
        attempts=owed.attempts,
        created_at=owed.created_at,
        next_at=due_at,
        dead_at=row.dead_at,
        fault=owed.fault,
    )
