"""The opt-out list as the API shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.model.message import Suppression


class SuppressionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers in order; ``next`` is the cursor of the following page, null on the last."""

    items: Sequence[Suppression]
    next: str | None


class SuppressionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a number is put on the list, and what it stops.

    Args:
        reason: kept with the entry.
        brand: stops marketing in the name of this brand alone.
        sender: stops marketing that comes from this number of yours alone.
    """

    reason: Annotated[str, Meta(max_length=200)] | None = None
    brand: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    sender: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
