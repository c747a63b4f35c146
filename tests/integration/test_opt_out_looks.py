"""The last look at the opt-out list fails: marketing waits for it, in peace, and goes when somebody can look again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StoreUnavailable
from gateway.store.ports import Operation
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import running

pytestmark = pytest.mark.integration


class Blind:
    """Lets nobody look, until it is over; opt-outs may come by other processes, so that everything is looked up.

    Attributes:
        error: what a look ends with; None when it is over.
        n_looks: so far.
    """

    hears_all_stops = False

    def __init__(self, store: Any, error: Exception) -> None:
        self.error: Exception | None = error
        self.n_looks = 0
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read_steady(self, op: Operation[Any], use: Callable[[Any], Awaitable[None]]) -> None:
        """See `Store.read_steady`."""
        self.n_looks += 1
        if self.error is not None:
            raise self.error
        await self._store.read_steady(op, use)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ValueError("a row of nonsense")], ids=type)
async def test_marketing_waits_while_nobody_can_look(tmp_path: Path, error: Exception):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        blind = rig.dispatcher.gate._store = Blind(rig.store, error)
        sent = await rig.send(text="promo", category="marketing")
        await rig.until(lambda: blind.n_looks > 0)
        for _ in range(200):
            await asyncio.sleep(0)
            await rig.store.write(_nothing)
        assert driver.submitted == []
        assert blind.n_looks <= 3
        assert len(await rig.events(sent.id)) < 12
        otp = await rig.send(text="4711", category="otp")
        await rig.until_status(otp, "sent")
        blind.error = None
        await rig.advance(60)
        await rig.until_status(sent, "sent")


async def _nothing(_tx: object) -> None:
    pass
