"""Our SMPP server over the pipeline on a real store, and accounts for applications of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from drivers.base import Concat, Receipt, ReceiptState
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.segment import plan_segments
from drivers.codec.udh import encode_concat_udh
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.pdus import SubmitSm, SubmitSmResp
from gateway.access.passwords import PasswordHash, hash_password, parse_hash
from gateway.esme.account import EsmeAccount
from gateway.esme.service import EsmeService, Listener
from gateway.model.message import Message
from gateway.store.esme_outbox import count_deliveries
from gateway.store.messages import MessageFilter
from gateway.telemetry.metrics import make_metrics
from tests.support.esme import RawEsme, connected_esme
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, ManualClock, Rig, running
from tests.support.product import list_messages

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
    driver: ScriptedDriver | None = None,
) -> AsyncIterator[Served]:
    """A gateway with one scripted channel and our SMPP server, stopped in the order of the daemon."""
    driver = driver or ScriptedDriver("carrier")
    async with running(path, driver, clock=clock) as rig:
        service = EsmeService(
            rig.store,
            rig.clock,
            rig.intake,
            make_metrics(),
            accounts=accounts or (account(),),
            listeners=listeners,
            take_back=rig.channels.take_back,
        )
        await service.start(_must_not_break)
        try:
            yield Served(rig, driver, service)
        finally:
            await service.stop()


def _must_not_break(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.result()


def submit(text: str = "hello", **fields: object) -> SubmitSm:
    """A submission that asks for a receipt."""
    values: dict[str, object] = {
        "source_addr": "10690000",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": PHONE.removeprefix("+"),
        "short_message": encode_gsm7(text),
        "registered_delivery": 1,
    }
    return SubmitSm(**(values | fields))  # type: ignore[arg-type]


async def accepted(esme: RawEsme, body: SubmitSm) -> str:
    """Submit; the id that was told."""
    answer = await esme.ask(body)
    assert answer.command_status == 0
    assert isinstance(answer.body, SubmitSmResp)
    return answer.body.message_id


async def owed(served: Served) -> dict[str, int]:
    """Deliveries by account that nobody acknowledged."""
    return await served.rig.store.read(count_deliveries)


async def all_messages(served: Served) -> list[Message]:
    """Every message there is, newest first."""
    return await served.rig.store.read(lambda tx: list_messages(tx, MessageFilter(), limit=100, before=None))


@asynccontextmanager
async def connected_world(folder: Path) -> AsyncIterator[tuple[Served, RawEsme]]:
    """A gateway and a connection to it, not bound yet."""
    async with serving(folder / "db") as served, connected_esme(served.port) as esme:
        yield served, esme


LONG = "一条很长的中文短信,分成几段😀" * 10


def parts_of(text: str, reference: int = 7) -> list[SubmitSm]:
    """A text as an application cuts it."""
    plan = plan_segments(text)
    total = len(plan.segments)
    assert total > 2
    return [
        submit(
            data_coding=8,
            esm_class=c.ESM_UDHI,
            short_message=encode_concat_udh(Concat(reference=reference, total=total, part=part))
            + one.payload,
        )
        for part, one in enumerate(plan.segments, 1)
    ]
