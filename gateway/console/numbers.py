"""Numbers of persons on pages: in part only for those who may not see them whole, where `log.mask_numbers` is on."""

from __future__ import annotations

from gateway.access.permissions import Permission
from gateway.console.page import Visit
from gateway.telemetry.redact import mask_number


def show_number(visit: Visit, number: str) -> str:
    """A number as this visitor may see it."""
    hides = visit.product.masking.on and not visit.may(Permission.NUMBERS_WHOLE)
    return mask_number(number) if hides else number
