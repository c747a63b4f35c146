"""Submissions on their way to the store: many in one transaction, parts of long texts joined on the way.

A submission is answered after the commit. A part that has to wait for others is durable when it is answered,
and goes out by itself when they don't come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from drivers.paced_log import PacedLog
from drivers.smpp.server.submit import Refusal, Submitted, WireAddress
from drivers.smpp.wire.constants import CommandStatus, Ton
from gateway.clock import Clock, truncate_ms
from gateway.errors import InvalidRequest
from gateway.esme.account import EsmeAccount
from gateway.esme.joined import JoinedPart, JoinedTexts
from gateway.esme.submit import check_source, format_address, is_part, prepare, prepare_joined, status_for
from gateway.ids import make_id
from gateway.model.message import ApiKey
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.admission import DEED_OCTETS, weigh
from gateway.pipeline.intake.drafts import Draft, save_drafts
from gateway.store.esme import (
    EsmePart,
    EsmeSubmit,
    drop_parts,
    find_stale_parts,
    finish_parts,
    load_parts,
    save_part,
    save_submits,
)
from gateway.store.ports import Place, Store, Tx

_log = PacedLog(__name__, most=100)

PART_WAIT: Final = timedelta(seconds=60)
"""How long a part waits for the next one of its text."""
_STALE_AT_ONCE: Final = 10
_PREPARED_AT_ONCE: Final = 25
"""Messages that are prepared in one turn of the event loop."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Submitted).decode


class Told(NamedTuple):
    """What the application is told of a submission.

    Args:
        message_id: of the response.
        n_messages: how many messages it became, or a waiting part: what the backlog grows by.
        failed: destinations of submit_multi that could not be served, with the status of each.
    """

    message_id: str
    n_messages: int = 1
    failed: tuple[tuple[WireAddress, CommandStatus], ...] = ()


class _Work(NamedTuple):
    """One submission, ready for the transaction: drafts, or a part."""

    told: Told
    submits: list[EsmeSubmit]
    drafts: list[Draft]
    part: EsmePart | None = None

    @property
    def n_rows(self) -> int:
        """About how many it writes."""
        return 1 + sum(len(draft.segments) for draft in self.drafts)


def _weigh(work: _Work) -> int:
    """About how many octets it holds in memory until it is stored."""
    part = DEED_OCTETS + len(work.part.content) if work.part is not None else 0
    return part + sum(map(weigh, work.drafts))


class Submissions:
    """Takes submissions of all accounts.

    Args:
        intake: the one door; nothing special behind it.
    """

    def __init__(self, store: Store, clock: Clock, intake: Intake) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._keys: dict[str, ApiKey] = {}
        self._joined = JoinedTexts(PART_WAIT)

    async def submit(self, account: EsmeAccount, submissions: Sequence[Submitted]) -> list[Told | Refusal]:
        """Take what one account submitted, in one transaction; a bad one never spoils the others.

        Returns:
            What to answer to each, in their order; committed.

        Raises:
            QuotaExceeded: it comes too fast, or has too much waiting; nothing was stored.
            StoreError: nothing was stored; `Overloaded`, because too much waits for that already, or for the network.
        """
        key = self._key(account)
        self._intake.limits.admit(key)
        now = truncate_ms(self._clock.now())
        works: list[_Work | Refusal] = []
        n_prepared = 0
        for submitted in submissions:
            works.append(self._prepare(account, submitted, now))
            n_prepared += len(submitted.destinations)
            if n_prepared >= _PREPARED_AT_ONCE:
                n_prepared = 0
                await asyncio.sleep(0)
        ready = [work for work in works if isinstance(work, _Work)]
        told: dict[str, Told] = {}
        if ready:
            n_rows = sum(work.n_rows for work in ready)
            drafts = [draft for work in ready for draft in work.drafts]
            with (
                self._intake.room.hold_octets(sum(map(_weigh, ready))),
                self._intake.limits.held(key, drafts),
            ):
                joined, told = await self._store.write(
                    lambda tx: self._save(tx, account, ready, now), n_rows=n_rows, place=Place.DOOR
                )
            self._intake.limits.pay(key, len(joined))
            for parts in joined:
                self._note_joined(parts)
        return [
            told.get(work.told.message_id, work.told) if isinstance(work, _Work) else work for work in works
        ]

    async def give_out_stale(self, accounts: Mapping[str, EsmeAccount]) -> int:
        """Send parts by themselves whose others did not come in time; how many texts that concerns."""
        before = self._clock.now() - PART_WAIT
        accounts = dict(accounts)  # as they are now
        names = list(accounts)
        if not await self._store.read(lambda tx: find_stale_parts(tx, names, before, 1)):
            return 0

        async def op(tx: Tx) -> int:
            keys = await find_stale_parts(tx, names, before, _STALE_AT_ONCE)
            for key in keys:
                parts = await load_parts(tx, key)
                await self._give_out(tx, accounts[parts[0].account], parts)
            return len(keys)

        return await self._store.write(op)

    # ---- before the transaction ----

    def _prepare(self, account: EsmeAccount, submitted: Submitted, now: datetime) -> _Work | Refusal:
        try:
            check_source(account, submitted.source)
            if is_part(account, submitted):
                return self._prepare_part(account, submitted, now)
            return self._prepare_whole(account, submitted, now)
        except Refusal as refusal:
            return refusal

    def _prepare_whole(self, account: EsmeAccount, submitted: Submitted, now: datetime) -> _Work:
        drafts: list[Draft] = []
        served: list[WireAddress] = []
        failed: list[tuple[WireAddress, CommandStatus]] = []
        for destination in submitted.destinations:
            try:
                drafts.append(self._draft(account, submitted, destination, now))
                served.append(destination)
            except Refusal as refusal:
                if len(submitted.destinations) == 1 and not submitted.unserved:
                    raise
                failed.append((destination, refusal.command_status))
        failed += [(WireAddress(0, 0, one.dl_name), CommandStatus.RINVDLNAME) for one in submitted.unserved]
        if not drafts:
            raise Refusal(failed[0][1], "no destination can be served")
        told_id = drafts[0].message.id
        submits = [
            _submit(account, submitted, told_id, destination, draft.message.id, now)
            for draft, destination in zip(drafts, served, strict=True)
        ]
        return _Work(Told(told_id, len(drafts), tuple(failed)), submits, drafts)

    def _prepare_part(self, account: EsmeAccount, submitted: Submitted, now: datetime) -> _Work:
        concat = submitted.concat
        assert concat is not None
        if concat.total > self._intake.max_segments:
            raise Refusal(CommandStatus.RINVMSGLEN, "text_too_long")  # joined it would be
        destination = submitted.destinations[0]
        # What is wrong with it must be said now.
        self._draft(account, submitted, destination, now, joins=False)
        told_id = make_id()
        part = EsmePart(
            told_id=told_id,
            account=account.system_id,
            concat_key="|".join(
                (
                    account.system_id,
                    submitted.source.address,
                    destination.address,
                    f"{concat.width}-{concat.reference}-{concat.total}",
                )
            ),
            part=concat.part,
            total=concat.total,
            content=_encode(submitted),
            received_at=now,
        )
        repeats = self._joined.find(part.concat_key, part.part, submitted, self._clock.monotonic())
        if repeats is not None:  # it still has to wait: it may be of another text that begins like that one
            return _Work(Told(repeats, 0), [], [], part._replace(repeats=repeats))
        return _Work(Told(told_id), [_submit(account, submitted, told_id, destination, None, now)], [], part)

    def _draft(
        self,
        account: EsmeAccount,
        submitted: Submitted,
        destination: WireAddress,
        now: datetime,
        *,
        joins: bool = True,
    ) -> Draft:
        request, plan = prepare(account, submitted, destination, now)
        national, key = destination.ton == Ton.NATIONAL, self._key(account)
        try:
            draft = self._intake.draft(request, key=key, plan=plan, now=now, national=national, joins=joins)
        except InvalidRequest as error:
            raise Refusal(status_for(error), error.errors[0].code) from None
        return _with_source(account, draft, submitted)

    def _key(self, account: EsmeAccount) -> ApiKey:
        key = self._keys.get(account.system_id)
        if key is None:
            key = self._keys[account.system_id] = account.as_key()
        return key

    # ---- inside it ----

    async def _save(
        self, tx: Tx, account: EsmeAccount, works: Sequence[_Work], now: datetime
    ) -> tuple[list[list[EsmePart]], dict[str, Told]]:
        """Returns the texts that were joined, as their parts; and what is told of parts that wait already, by id."""
        await save_drafts(tx, [draft for work in works for draft in work.drafts])
        await save_submits(tx, [submit for work in works if work.part is None for submit in work.submits])
        joined: list[list[EsmePart]] = []
        told: dict[str, Told] = {}
        for work in works:
            if work.part is not None:
                taken = await self._take_part(tx, account, work, now)
                if isinstance(taken, EsmePart):
                    told[work.told.message_id] = Told(taken.repeats or taken.told_id, 0)
                elif taken:
                    joined.append(taken)
        return joined, told

    async def _take_part(
        self, tx: Tx, account: EsmeAccount, work: _Work, now: datetime
    ) -> list[EsmePart] | EsmePart:
        """Returns the parts that it made whole, none while others are missing; or the same part that waits already."""
        part = work.part
        assert part is not None
        waiting = await load_parts(tx, part.concat_key)
        for other in waiting:
            if other.part == part.part:
                if _same(other, part):
                    return other
                # The application uses the reference again: what waited under it will never be whole.
                await self._give_out(tx, account, waiting)
                waiting = []
                break
        await save_submits(tx, work.submits)
        await save_part(tx, part)
        waiting.append(part)
        by_number = {one.part: one for one in waiting}
        if len(by_number) < part.total:
            return []
        parts = [_decode(by_number[number].content) for number in sorted(by_number)]
        request, _ = prepare_joined(account, parts, now)
        try:
            national = parts[0].destinations[0].ton == Ton.NATIONAL
            draft = self._intake.draft(request, key=self._key(account), now=now, national=national)
        except InvalidRequest:  # together they are no text that can be sent; each alone is
            await self._give_out(tx, account, waiting)
            return []
        await save_drafts(tx, [_with_source(account, draft, parts[0])])
        await self._finish(tx, account, waiting, [draft.message.id] * len(waiting), now)
        return waiting

    async def _give_out(self, tx: Tx, account: EsmeAccount, parts: Sequence[EsmePart]) -> None:
        """Make each part a message of its own; what was acknowledged must go out, unless it has before."""
        if all(part.repeats for part in parts):
            await drop_parts(tx, parts)
            return
        _log.warning("smpp server: %d parts of %s go out unjoined", len(parts), account.system_id)
        now = truncate_ms(self._clock.now())
        sent: list[EsmePart] = []
        drafts: list[Draft] = []
        for part in parts:
            submitted = _decode(part.content)
            try:
                drafts.append(self._draft(account, submitted, submitted.destinations[0], now))
            except Refusal as refusal:  # its channel was taken out of the config since: it waits on
                _log.error("smpp server: a part of %s can't go out: %s", account.system_id, refusal)
            else:
                sent.append(part)
        await save_drafts(tx, drafts)
        await self._finish(tx, account, sent, [draft.message.id for draft in drafts], now)

    async def _finish(
        self,
        tx: Tx,
        account: EsmeAccount,
        parts: Sequence[EsmePart],
        message_ids: Sequence[str],
        now: datetime,
    ) -> None:
        """Parts have become messages, of which their ids tell; also the ids that are told a second time."""
        await finish_parts(tx, parts, message_ids)
        again: dict[tuple[str, str], EsmeSubmit] = {}
        for part, message_id in zip(parts, message_ids, strict=True):
            if part.repeats is not None:
                submitted = _decode(part.content)
                to = submitted.destinations[0]
                submit = _submit(account, submitted, part.repeats, to, message_id, now)
                # It never was in the backlog.
                again[part.repeats, message_id] = submit._replace(waiting=False)
        await save_submits(tx, again.values())

    # ---- after it ----

    def _note_joined(self, parts: Sequence[EsmePart]) -> None:
        joined = [JoinedPart(p.part, _decode(p.content), p.repeats or p.told_id) for p in parts]
        self._joined.note(parts[0].concat_key, joined, self._clock.monotonic())


def _with_source(account: EsmeAccount, draft: Draft, submitted: Submitted) -> Draft:
    """The source address goes out as it is only where the account has a right to it by name."""
    source = submitted.source.number
    if not source or not account.senders or submitted.source.address in account.groups:
        return draft
    return draft._replace(message=msgspec.structs.replace(draft.message, source_address=source))


def _same(one: EsmePart, other: EsmePart) -> bool:
    mine, theirs = _decode(one.content), _decode(other.content)
    return (mine.encoding, mine.payload) == (theirs.encoding, theirs.payload)


def _submit(
    account: EsmeAccount,
    submitted: Submitted,
    told_id: str,
    destination: WireAddress,
    message_id: str | None,
    now: datetime,
) -> EsmeSubmit:
    return EsmeSubmit(
        told_id=told_id,
        account=account.system_id,
        message_id=message_id,
        source=format_address(submitted.source),
        destination=format_address(destination),
        registered=submitted.registered_delivery,
        submitted_at=now,
        data_coding=submitted.data_coding,
    )
