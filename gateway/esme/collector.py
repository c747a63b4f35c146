"""From the timeline to the outbox: what applications are to be told is kept until they acknowledge it.

It follows the timeline like the delivery log does; its place in it commits together with what it made, so
that a crash neither loses a receipt nor makes one twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from drivers.errors import EncodeError
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.pdus import DeliverSm
from gateway.esme.account import EsmeAccount
from gateway.esme.inbound import make_deliveries
from gateway.esme.receipts import make_receipt
from gateway.model.events import Event
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import InboundMessage, MessageStatus
from gateway.model.msisdn import spell_own
from gateway.store.esme import EsmeSubmit, close_submits, load_submits
from gateway.store.esme_outbox import NewDelivery, load_place, save_deliveries, save_place
from gateway.store.events import last_seq
from gateway.store.ports import Store, Tx
from gateway.timeline.delivery_log import hand_events

_log = logging.getLogger(__name__)

_PREFIX: Final = "message."
_TOLD: Final = frozenset(
    _PREFIX + status.value for status in (*TERMINAL, MessageStatus.SENT, MessageStatus.UNCERTAIN)
)
"""Also what only ends the wait for the network."""
_INBOUND: Final = "inbound.received"
_SAVE_EVERY: Final = 5_000
"""Events that concern no application, after which the place is saved all the same."""


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
        accounts: Mapping[str, EsmeAccount],
        wake: Callable[[set[str]], None],
        note_closed: Callable[[dict[str, int]], None],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._wake = wake
        self._note_closed = note_closed
        self._saved = 0

    async def open(self) -> int:
        """The place to go on from; at the very first start the present."""

        async def op(tx: Tx) -> int:
            place = await load_place(tx)
            if place is None:
                place = await last_seq(tx)
                await save_place(tx, place)
            return place

        return await self._store.write(op)

    async def run(self, place: int) -> None:
        """Follow the timeline from a place until the store closes. Cancel: goes on there at the next start."""
        self._saved = place
        await hand_events(self._store, place, self._take, "the outbox of applications")

    async def _take(self, events: list[Event]) -> None:
        last = events[-1].seq
        made = await self._make(events)
        if made.deliveries or made.closed or last - self._saved >= _SAVE_EVERY:
            await self._store.write(lambda tx: _keep(tx, made, last))
            self._saved = last
            self._note_closed(made.n_closed)
            self._wake({delivery.account for delivery in made.deliveries})

    async def _make(self, events: list[Event]) -> _Made:
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


async def _keep(tx: Tx, made: _Made, place: int) -> None:
    await save_deliveries(tx, made.deliveries)
    await close_submits(tx, made.closed)
    await save_place(tx, place)
