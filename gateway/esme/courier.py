"""The way of deliveries to one application: from the outbox to whichever of its binds has room, until acknowledged.

The store holds what is owed; memory holds what is on the wire and what is to be tried again soon. A delivery
that was acknowledged is dropped from the store afterwards, so a crash in between sends it once more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from drivers.errors import CodecError, DriverError
from drivers.paced_log import PacedLog
from drivers.smpp.connection import Answer
from drivers.smpp.server.listener import ServerBind
from drivers.smpp.session.machine import ResponseReceived
from drivers.smpp.wire.codec import decode_pdu
from drivers.smpp.wire.constants import INTERFACE_VERSION_34, CommandStatus, status_name
from drivers.smpp.wire.pdus import DeliverSm, DeliverSmResp
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.esme.account import EsmeAccount
from gateway.store.esme_outbox import KeptDelivery, drop_deliveries, load_deliveries
from gateway.store.ports import Store

_log = PacedLog(__name__, most=100)

_LOAD: Final = 500
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 300.0
_STORE_PAUSE_S: Final = 1.0
_MOST_TO_TRY_AGAIN: Final = 1_000
"""With more, nothing new is sent: this application takes nothing now."""
_REFUSED_FOR_GOOD: Final = frozenset({CommandStatus.RX_P_APPN, CommandStatus.RX_R_APPN})


@dataclass(slots=True)
class _Parcel:
    """One delivery in hand.

    Args:
        due_at: not before, on the clock's monotonic time.
        tries: how often the application refused it or was silent.
    """

    row_id: int
    body: DeliverSm
    due_at: float = 0.0
    tries: int = 0


class Courier:
    """Delivers to one account.

    Args:
        count: told what became of each delivery: ``acknowledged``, ``refused`` or ``again``.
    """

    def __init__(
        self, account: EsmeAccount, store: Store, clock: Clock, count: Callable[[str], None] = lambda _: None
    ) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._count = count
        self._binds: dict[ServerBind, int] = {}
        self._loaded: deque[_Parcel] = deque()
        self._again: list[_Parcel] = []
        self._after = 0
        self._acknowledged: list[int] = []
        self._news = asyncio.Event()
        self._pushes: set[asyncio.Task[None]] = set()

    @property
    def n_on_wire(self) -> int:
        """Deliveries that wait for an answer."""
        return len(self._pushes)

    def adopt(self, account: EsmeAccount) -> None:
        """Go by other limits from now on."""
        self._account = account

    def add(self, bind: ServerBind) -> None:
        """Deliveries may go this way now."""
        self._binds[bind] = 0
        # Who just came may take what others would not.
        for parcel in self._again:
            parcel.due_at = 0.0
        self._news.set()

    def remove(self, bind: ServerBind) -> None:
        """This way is gone; what is on it comes back by itself."""
        self._binds.pop(bind, None)

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled. Cancel: what is on the wire is owed still, and goes out at the next start."""
        try:
            while True:
                await self._wait()
                try:
                    await self._drop()
                    await self._fill()
                except StoreError as exc:
                    _log.warning("smpp server: deliveries to %s pause: %s", self._account.system_id, exc)
                    await asyncio.sleep(_STORE_PAUSE_S)
                    self._news.set()
        finally:
            for push in list(self._pushes):
                push.cancel()

    async def finish(self) -> None:
        """At the end: forget what was acknowledged."""
        await self._drop()

    # ---- inside ----

    async def _wait(self) -> None:
        """Until there is news, as when a window opens, or something is due again that may go."""
        due_in = None
        if self._again and self._roomiest() is not None:
            due_in = max(0.0, min(parcel.due_at for parcel in self._again) - self._clock.monotonic())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), due_in)
        self._news.clear()

    async def _drop(self) -> None:
        done, self._acknowledged = self._acknowledged, []
        if not done:
            return
        try:
            await self._store.write(lambda tx: drop_deliveries(tx, done))
        except StoreError:
            self._acknowledged += done
            raise

    async def _fill(self) -> None:
        while (bind := self._roomiest()) is not None:
            parcel = await self._next()
            if parcel is None:
                return
            if bind not in self._binds:  # it went while we read from the store
                self._loaded.appendleft(parcel)
                continue
            self._binds[bind] += 1
            push = asyncio.create_task(self._push(bind, parcel))
            self._pushes.add(push)
            push.add_done_callback(self._pushes.discard)

    def _roomiest(self) -> ServerBind | None:
        bind = min(self._binds, key=self._binds.__getitem__, default=None)
        return None if bind is None or self._binds[bind] >= self._account.window else bind

    async def _next(self) -> _Parcel | None:
        now = self._clock.monotonic()
        for index, parcel in enumerate(self._again):
            if parcel.due_at <= now:
                return self._again.pop(index)
        if self._loaded:
            return self._loaded.popleft()
        if len(self._again) >= _MOST_TO_TRY_AGAIN:
            return None
        account, after = self._account.system_id, self._after
        rows = await self._store.read(lambda tx: load_deliveries(tx, account, after, _LOAD))
        for row in rows:
            self._after = row.row_id
            if (unpacked := _unpack(row)) is not None:
                self._loaded.append(unpacked)
        return self._loaded.popleft() if self._loaded else None

    async def _push(self, bind: ServerBind, parcel: _Parcel) -> None:
        body = parcel.body
        if bind.interface_version < INTERFACE_VERSION_34:
            body = replace(body, tlvs=())
        try:
            answer = await bind.deliver(body)
        except DriverError as exc:
            _log.error("smpp server: a delivery to %s can't be sent: %s", self._account.system_id, exc)
            self._acknowledged.append(parcel.row_id)
            self._count("refused")
        else:
            self._settle(bind, parcel, answer)
        finally:
            if bind in self._binds:
                self._binds[bind] -= 1
            self._news.set()

    def _settle(self, bind: ServerBind, parcel: _Parcel, answer: Answer) -> None:
        system_id = self._account.system_id
        if isinstance(answer, ResponseReceived) and isinstance(answer.body, DeliverSmResp):
            if answer.command_status == CommandStatus.ROK:
                self._acknowledged.append(parcel.row_id)
                self._count("acknowledged")
                return
            if answer.command_status in _REFUSED_FOR_GOOD:
                _log.warning(
                    "smpp server: %s refuses a delivery for good: %s",
                    system_id,
                    status_name(answer.command_status),
                )
                self._acknowledged.append(parcel.row_id)
                self._count("refused")
                return
        self._count("again")
        if not bind.lost:  # it is there and does not take it: give it time
            pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(parcel.tries, 20), _LONGEST_PAUSE_S)
            parcel.tries += 1
            parcel.due_at = self._clock.monotonic() + pause_s
        self._again.append(parcel)


def _unpack(row: KeptDelivery) -> _Parcel | None:
    try:
        body = decode_pdu(row.pdu).body
    except CodecError:
        _log.error("smpp server: row %d of the outbox can't be read", row.row_id)
        return None
    return _Parcel(row.row_id, body) if isinstance(body, DeliverSm) else None
