"""Our SMPP server over the pipeline on a real store, and accounts for applications of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from drivers.base import Receipt, ReceiptState
from gateway.esme.account import EsmeAccount
from gateway.esme.passwords import PasswordHash, hash_password, parse_hash
from gateway.esme.service import EsmeService, Listener
from gateway.telemetry.metrics import make_metrics
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import ManualClock, Rig, running

PASSWORD = "secret"


@cache
def kept_hash() -> PasswordHash:
    """The hash of ``secret``; made once, as it takes a while."""
    return parse_hash(hash_password(PASSWORD))


def account(system_id: str = "hongyan", **rights: Any) -> EsmeAccount:
    """An account whose password is ``secret``."""
    return EsmeAccount(system_id=system_id, password=kept_hash(), **rights)


class Served:
    """A gateway with applications; `port` is where they connect."""

    def __init__(self, rig: Rig, driver: ScriptedDriver, service: EsmeService) -> None:
        self.rig = rig
        self.driver = driver
        self.service = service

    @property
    def port(self) -> int:
        """Of the first listener."""
        return self.service.ports[0]

    async def report(
        self, reference: str, state: ReceiptState = ReceiptState.DELIVERED, code: str = ""
    ) -> None:
        """The network reports on a segment."""
        await self.driver.report(Receipt(references=(reference,), recipient=None, state=state, code=code))


@asynccontextmanager
async def serving(
    path: Path,
    *accounts: EsmeAccount,
    clock: ManualClock | None = None,
    listeners: Sequence[Listener] = (Listener(host="127.0.0.1", port=0),),
) -> AsyncIterator[Served]:
    """A gateway with one scripted channel and our SMPP server, stopped in the order of the daemon."""
    driver = ScriptedDriver("carrier")
    async with running(path, driver, clock=clock) as rig:
        service = EsmeService(
            rig.store,
            rig.clock,
            rig.intake,
            make_metrics(),
            accounts=accounts or (account(),),
            listeners=listeners,
        )
        await service.start(_must_not_break)
        try:
            yield Served(rig, driver, service)
        finally:
            await service.stop()


def _must_not_break(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.result()
