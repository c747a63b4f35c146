"""The shapes in which people and programs are shown whose numbers are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.store.routes import NumberCarrier


class NumberCarrierOut(msgspec.Struct, frozen=True, kw_only=True):
    """A number of which more is known than its range.

    Args:
        number: E.164.
        carrier: as the carrier files name it.
        source: ``api`` (set by hand) or ``receipt`` (learned from a delivery report).
    """

    number: str
    carrier: str
    source: str
    changed_at: Annotated[datetime, Meta(tz=True)]


class CarrierPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some numbers, in order.

    Args:
        next: the cursor of the next page; null at the end.
    """

    items: list[NumberCarrierOut]
    next: str | None


def show_number_carrier(row: NumberCarrier) -> NumberCarrierOut:
    """One number for the outside."""
    return NumberCarrierOut(**row._asdict())
