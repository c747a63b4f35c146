"""Consents of tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.clock import Clock
from gateway.consents.desk import ConsentDesk, Terms
from gateway.model.consent import Consent, ConsentState
from gateway.pipeline.intake.accept import Intake
from gateway.store.consents import Brought, Recorded, record_consents
from tests.support.stores import OpenStore

AT = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
MAY = "I agree to get offers of this shop by SMS."


def brought(
    number: str, state: str = "given", minutes: float = 0, *, dated: bool = True, **more: Any
) -> Brought:
    """A consent that was said so many minutes after `AT`."""
    at = AT + timedelta(minutes=minutes)
    consent = Consent(number=number, state=ConsentState(state), source="form", at=at, recorded_at=at)
    consent = msgspec.structs.replace(consent, **more)
    return Brought(consent, dated)


async def record(store: OpenStore, *consents: Brought, **more: Any) -> list[Recorded]:
    """Record them in one transaction."""
    return await store.write(lambda tx: record_consents(tx, list(consents), **more))


async def give(store: OpenStore, *numbers: str, **more: Any) -> None:
    """These numbers agree to marketing."""
    await record(store, *(brought(number, **more) for number in numbers))


def make_desk(store: OpenStore, clock: Clock, intake: Intake) -> ConsentDesk:
    """Where consents are brought, in China."""
    return ConsentDesk(store, clock, intake, "CN", Terms(question="Reply YES to get our offers."))
