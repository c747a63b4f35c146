"""From the timeline to the outbox: what applications are to be told is kept until they acknowledge it.

It is a reader of the timeline: its place in it commits together with what it made, so that a crash neither loses a
receipt nor makes one twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from drivers.errors import EncodeError
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.pdus import DeliverSm
from gateway.clock import Clock
from gateway.esme.account import EsmeAccount
from gateway.esme.inbound import make_deliveries
from gateway.esme.receipts import make_receipt
from gateway.model.events import Event
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import InboundMessage, MessageStatus
from gateway.model.msisdn import spell_own
from gateway.store.esme import EsmeSubmit, close_submits, load_submits
from gateway.store.esme_outbox import NewDelivery, save_deliveries
from gateway.store.ports import Store, Tx
from gateway.timeline.follow import Taken, TimelineReader

_log = logging.getLogger(__name__)

_PREFIX: Final = "message."
_TOLD: Final = frozenset(
    _PREFIX + status.value for status in (*TERMINAL, MessageStatus.SENT, MessageStatus.UNCERTAIN)
)
"""Also what only ends the wait for the network."""
_INBOUND: Final = "inbound.received"
READER: Final = "smpp_server"


class _Outcome(msgspec.Struct):
    """What we need of a message event."""

    status: MessageStatus
    error: str | None = None


_read_outcome = msgspec.json.Decoder(_Outcome).decode
_read_inbound = msgspec.json.Decoder(InboundMessage).decode


class _Made(NamedTuple):
    """What some events come to.

    Args:
        deliveries: to be kept.
        closed: rows of submissions that are no backlog any more.
        n_closed: the same by account.
    """

    deliveries: list[NewDelivery]
    closed: list[int]
    n_closed: dict[str, int]


class Collector:
    """Turns events into deliveries.

    Args:
        accounts: by system_id.
        wake: called with the accounts that have something new.
        note_closed: called with how many messages left each account's backlog.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        accounts: Mapping[str, EsmeAccount],
        wake: Callable[[set[str]], None],
        note_closed: Callable[[dict[str, int]], None],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._wake = wake
        self._note_closed = note_closed
        self._reader = TimelineReader(store, clock, READER, self._take)

    async def open(self) -> None:
        """Find the place to go on from; at the very first start it is the present."""
        await self._reader.open()

    async def run(self) -> None:
        """Follow the timeline until the store closes. Cancel: goes on from its place at the next start."""
        await self._reader.run()

    async def _take(self, events: Sequence[Event]) -> Taken | None:
        made = await self._make(events)
        if not (made.deliveries or made.closed):
            return None

        def tell() -> None:
            self._note_closed(made.n_closed)
            self._wake({delivery.account for delivery in made.deliveries})

        return Taken(lambda tx: _keep(tx, made), tell)

    async def _make(self, events: Sequence[Event]) -> _Made:
        made = _Made([], [], {})
        subjects = [event.subject for event in events if event.type in _TOLD]
        # They were stored with their message, so whoever sees its events sees them.
        submits = await self._store.read(lambda tx: load_submits(tx, subjects)) if subjects else {}
        closed: set[int] = set()
        for event in events:
            if event.type == _INBOUND:
                self._add_inbound(made, event)
            elif event.type in _TOLD and event.subject in submits:
                _add_receipts(made, event, submits[event.subject], closed)
        return made

    def _add_inbound(self, made: _Made, event: Event) -> None:
        inbound = _read_inbound(event.data)
        numbers = spell_own(inbound.recipient or "")
        for account in self._accounts.values():
            if account.gets(inbound, numbers):
                for body in make_deliveries(inbound, latin_1=account.latin_1):
                    _add(made, account.system_id, body, event)


def _add_receipts(made: _Made, event: Event, submits: list[EsmeSubmit], closed: set[int]) -> None:
    outcome = _read_outcome(event.data)
    for submit in submits:
        receipt = make_receipt(submit, outcome.status, outcome.error, event.at)
        if receipt is not None:
            _add(made, submit.account, receipt, event)
        if submit.waiting and submit.row_id not in closed:
            closed.add(submit.row_id)
            made.closed.append(submit.row_id)
            made.n_closed[submit.account] = made.n_closed.get(submit.account, 0) + 1


def _add(made: _Made, account: str, body: DeliverSm, event: Event) -> None:
    try:
        made.deliveries.append(NewDelivery(account, encode_pdu(body, 1), event.at))
    except EncodeError as exc:  # a bug of ours; the other deliveries must not wait for it to be mended
        _log.error("smpp server: event %d can't be told to %s: %s", event.seq, account, exc)


async def _keep(tx: Tx, made: _Made) -> None:
    await save_deliveries(tx, made.deliveries)
    await close_submits(tx, made.closed)
