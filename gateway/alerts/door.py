"""The door for alarms: a report becomes texts and rows, all in one commit, and is answered when that is on disk.

Reports are taken one after the other. What several daemons do to the alarms of one table at once is found by its
storm guard's version: who comes second reads anew. A tool that repeats a report, because it did not hear the answer,
finds its alarms told.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec

from gateway.alerts.judge import News, judge, let_pass
from gateway.alerts.payload import Alarm, Report
from gateway.alerts.receivers import Receiver, find_receivers
from gateway.alerts.wording import KEPT_CHARS, write_held, write_line, write_text
from gateway.clock import Breath, Clock, do_every, truncate_ms
from gateway.errors import FieldError, InvalidRequest, Overloaded, StaleWrite
from gateway.ids import make_id
from gateway.model.message import ApiKey
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafts import Draft, save_drafts
from gateway.pipeline.once import Done, Once, find_kept
from gateway.store.alerts import (
    Heard,
    Window,
    find_heard,
    load_windows,
    move_windows,
    save_heard,
    sum_held,
    tell_held,
)
from gateway.store.keys import save_answer
from gateway.store.ports import Place, Store, Tx
from gateway.telemetry.metrics import Metrics, labeled

LOOK_S: Final = 5.0
"""How often somebody looks whether held alarms are to be told."""
TRIES: Final = 20
LET_OTHERS_S: Final = 0.05
"""At most so long who was too late lets the other one go on."""
KINDS_TOLD: Final = 10
"""Names of alarms in the text about those that were held."""
NOBODY: Final = ""
"""The name under which alarms stand that no table takes."""

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Told(msgspec.Struct, kw_only=True):
    """What became of a report.

    Args:
        received: alarms in it.
        told: of them that texts tell of, which are on disk now.
        known: of them that were told before, or are held already: the tool repeats itself.
        held: of them that will be told in one text, because there are too many, or outside of the hours for texts.
        silent: of them that are over and get no text.
        unrouted: of them that no table ``[[alerts]]`` takes.
        failed: of them whose recipients can't be sent to; the log says why.
        messages: ids of the texts.
    """

    received: int = 0
    told: int = 0
    known: int = 0
    held: int = 0
    silent: int = 0
    unrouted: int = 0
    failed: int = 0
    messages: list[str] = []


@dataclass(slots=True)
class _Work:
    """What is to be written for one report.

    Args:
        windows: by table: the storm guard that was read, and the one that takes its place.
    """

    now: datetime
    told: Told
    windows: dict[str, tuple[Window | None, Window]] = field(default_factory=dict)
    rows: list[Heard] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    counted: list[tuple[str, str, int]] = field(default_factory=list)
    fault: InvalidRequest | None = None


class AlertDoor:
    """Takes reports of monitoring tools, and tells later what had to be held back.

    Args:
        receivers: the tables ``[[alerts]]``, in their order.
    """

    def __init__(
        self, store: Store, clock: Clock, intake: Intake, metrics: Metrics, receivers: Sequence[Receiver]
    ) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._metrics = metrics
        self._receivers = tuple(receivers)
        self._turn = asyncio.Lock()

    def adopt(self, receivers: Sequence[Receiver]) -> None:
        """Take other tables from now on."""
        self._receivers = tuple(receivers)

    async def accept(self, report: Report, *, key: ApiKey | None, once: Once | None = None) -> Done:
        """Take a report.

        Args:
            key: who sends it.
            once: makes a repeated request harmless; a report is so by itself, as far as its texts go.

        Returns:
            `Told` as JSON, which is committed; or the first answer when the Idempotency-Key came before.

        Raises:
            InvalidRequest: nobody is to be told of alarms, or none of those who are can be.
            IdempotencyMismatch: the key came before with another body.
            StoreError: nothing was stored; the tool will try again.
        """
        receivers = self._receivers  # the same ones to the end, whatever is adopted meanwhile
        if not receivers:
            detail = "no table [[alerts]] in the config says who gets alarms; write one"
            raise InvalidRequest(FieldError("", "no_receivers", detail))
        routed = await _route(receivers, report)
        async with self._turn:
            for _ in range(TRIES):
                try:
                    return await self._take(report, receivers, routed, key, once)
                except StaleWrite:  # another daemon took a report for the same tables
                    await asyncio.sleep(random.uniform(0, LET_OTHERS_S))
        raise Overloaded("too many take alarms at once; nothing was taken, try again in a moment")

    async def run(self) -> None:
        """Tell what was held when its time has come, for ever. Cancel: what is not told is told after a restart."""
        await do_every(
            LOOK_S,
            self.tell_due,
            partial(_log.warning, "alarms that were held back wait for the store: %s"),
            at_once=False,
        )

    async def tell_due(self) -> None:
        """Tell what was held and is due."""
        if not self._receivers:
            return
        async with self._turn:
            windows = await self._store.read(load_windows)
            await self._tell_due(self._receivers, windows)

    async def _take(
        self,
        report: Report,
        receivers: Sequence[Receiver],
        routed: dict[str, list[Alarm]],
        key: ApiKey | None,
        once: Once | None,
    ) -> Done:
        fingerprints = [alarm.fingerprint for alarm in report.alarms]

        async def look(tx: Tx) -> tuple[dict[str, Window], dict[tuple[str, str], Heard]]:
            heard = await find_heard(tx, list(routed), report.source, fingerprints) if routed else {}
            return await load_windows(tx), heard

        windows, heard = await self._store.read(look)
        if await self._tell_due(receivers, {name: windows[name] for name in routed if name in windows}):
            windows, heard = await self._store.read(look)
        work = _Work(truncate_ms(self._clock.now()), Told(received=len(report.alarms)))
        for receiver in receivers:
            if receiver.name in routed:
                await self._plan(work, receiver, report, routed[receiver.name], windows, heard, key)
        self._note_unrouted(work, report.source, routed.get(NOBODY, []), windows, heard)
        if work.fault is not None and work.told.failed == work.told.received:
            raise work.fault
        work.told.messages = [draft.message.id for draft in work.drafts]
        answer = _encode(work.told)

        async def op(tx: Tx) -> Done:
            if once is not None and (kept := await find_kept(tx, once)) is not None:
                return Done(kept, replayed=True)
            await move_windows(tx, work.windows)
            await save_heard(tx, work.rows)
            await save_drafts(tx, work.drafts)
            if once is not None:
                await save_answer(tx, *once, answer, work.now)
            return Done(answer)

        # Not within the limits of what waits: storm guards bound it, and some tools do not try again after a 429.
        with self._intake.room.hold(work.drafts):
            n_rows = len(work.rows) + len(work.drafts)
            done = await self._store.write(op, n_rows=n_rows, place=Place.DOOR)
        if not done.replayed:
            for name, outcome, n in work.counted:
                labeled(self._metrics.alerts, name, outcome).inc(n)
        return done

    async def _plan(
        self,
        work: _Work,
        receiver: Receiver,
        report: Report,
        alarms: Sequence[Alarm],
        windows: dict[str, Window],
        heard: dict[tuple[str, str], Heard],
        key: ApiKey | None,
    ) -> None:
        """What one table's alarms come to."""
        before = windows.get(receiver.name)
        window = before or Window(0, work.now, 0)
        news = {
            alarm.fingerprint: judge(alarm, heard.get((receiver.name, alarm.fingerprint)), receiver, work.now)
            for alarm in alarms
        }
        outcomes: dict[str, str] = {
            fingerprint: one.value for fingerprint, one in news.items() if one is not News.TELL
        }
        for is_firing in (True, False):
            group = [a for a in alarms if a.is_firing is is_firing and news[a.fingerprint] is News.TELL]
            if not group:
                continue
            passes, after = let_pass(receiver, window, work.now)
            outcome = "held"
            if passes:
                n_left_out = report.n_left_out if len(group) == len(report.alarms) else 0
                text = write_text(receiver, group, n_left_out, self._intake.cut)
                outcome = self._tell(work, receiver, text, key)
            if outcome != "failed":
                window = after
            outcomes.update({alarm.fingerprint: outcome for alarm in group})
        breath = Breath()
        for alarm in alarms:
            await breath.take()
            known = heard.get((receiver.name, alarm.fingerprint))
            row = _move(alarm, known, receiver, report.source, work.now)
            if outcomes[alarm.fingerprint] == "told":
                row = row._replace(told_at=work.now)
            elif outcomes[alarm.fingerprint] == "held":
                row = row._replace(held=True)
            work.rows.append(row)
        work.windows[receiver.name] = before, window
        for outcome, n in Counter(outcomes.values()).items():
            setattr(work.told, outcome, getattr(work.told, outcome) + n)
            work.counted.append((receiver.name, outcome, n))

    def _tell(self, work: _Work, receiver: Receiver, text: str, key: ApiKey | None) -> str:
        try:
            work.drafts += self._draft(receiver, text, key, work.now)
        except InvalidRequest as fault:
            work.fault = fault
            return "failed"
        return "told"

    def _note_unrouted(
        self,
        work: _Work,
        source: str,
        alarms: Sequence[Alarm],
        windows: dict[str, Window],
        heard: dict[tuple[str, str], Heard],
    ) -> None:
        if not alarms:
            return
        work.rows += [_move(a, heard.get((NOBODY, a.fingerprint)), None, source, work.now) for a in alarms]
        before = windows.get(NOBODY)
        work.windows[NOBODY] = before, before or Window(0, work.now, 0)
        work.told.unrouted = len(alarms)
        work.counted.append((NOBODY, "unrouted", len(alarms)))
        _log.warning("%d alarms of %s fit no table [[alerts]] and were told to nobody", len(alarms), source)

    async def _tell_due(self, receivers: Sequence[Receiver], windows: dict[str, Window]) -> bool:
        """Tell what is due of some tables; whether there was anything."""
        now, found = truncate_ms(self._clock.now()), False
        for receiver in receivers:
            window = windows.get(receiver.name)
            if window is not None and window.due_at is not None and window.due_at <= now:
                found = True
                try:
                    await self._tell_held(receiver, window, now)
                except StaleWrite:
                    _log.info("alarms of %s that were held back: somebody else tells them", receiver.name)
        return found

    async def _tell_held(self, receiver: Receiver, before: Window, now: datetime) -> None:
        passes, window = let_pass(receiver, before._replace(due_at=None, began_at=now, n_texts=0), now)
        drafts: list[Draft] = []
        kinds = await self._store.read(lambda tx: sum_held(tx, receiver.name, KINDS_TOLD)) if passes else []
        if kinds:
            text = write_held(receiver, kinds, self._intake.cut)
            try:
                drafts = self._draft(receiver, text, None, now)
            except InvalidRequest:  # said in the log; they stay held
                passes, window = False, window._replace(due_at=now + timedelta(seconds=receiver.per_s))

        async def op(tx: Tx) -> None:
            await move_windows(tx, {receiver.name: (before, window)})
            if passes:
                await tell_held(tx, receiver.name, now)
                await save_drafts(tx, drafts)

        await self._store.write(op)
        if drafts:
            labeled(self._metrics.alerts, receiver.name, "told_late").inc(sum(kind.n for kind in kinds))

    def _draft(self, receiver: Receiver, text: str, key: ApiKey | None, now: datetime) -> list[Draft]:
        """The text to each who gets it.

        Raises:
            InvalidRequest: nobody can.
        """
        drafts, planner, faults = [], self._intake.make_planner(), list[FieldError]()
        for recipient in receiver.recipients:
            request = MessageRequest(
                to=recipient,
                text=text,
                category=receiver.category,
                sender=receiver.sender,
                tags=("alert", f"alert:{receiver.name}"[:64]),
            )
            try:
                drafts.append(self._intake.draft(request, key=key, now=now, planner=planner))
            except InvalidRequest as error:
                faults += error.errors
                _log.error(
                    "[[alerts]] %s: a recipient can't be told: %s", receiver.name, error.errors[0].code
                )
        if not drafts:
            detail = f"none of the recipients of [[alerts]] {receiver.name} can be told: {faults[0].detail}"
            raise InvalidRequest(FieldError("", faults[0].code, detail))
        return drafts


async def _route(receivers: Sequence[Receiver], report: Report) -> dict[str, list[Alarm]]:
    """The alarms that each table takes, by its name."""
    routed: dict[str, list[Alarm]] = {}
    breath = Breath()
    for alarm in report.alarms:
        found = find_receivers(receivers, alarm.labels)
        for name in [receiver.name for receiver in found] or [NOBODY]:
            routed.setdefault(name, []).append(alarm)
        await breath.take()
    return routed


def _move(alarm: Alarm, heard: Heard | None, receiver: Receiver | None, source: str, now: datetime) -> Heard:
    """An alarm's row as a report leaves it, before anybody is told."""
    template = receiver.template if receiver is not None else ""
    begins = heard is None or (alarm.is_firing and (not heard.is_firing or alarm.starts_ms > heard.starts_ms))
    row = Heard(
        id=make_id() if heard is None or begins else heard.id,
        receiver=receiver.name if receiver is not None else NOBODY,
        source=source,
        fingerprint=alarm.fingerprint,
        name=alarm.name[:100],
        line=write_line(alarm, template)[:KEPT_CHARS],
        is_firing=alarm.is_firing,
        starts_ms=alarm.starts_ms,
        heard_at=now,
    )
    if heard is None:
        return row
    held = heard.held
    if begins:
        return row._replace(held=held)
    is_older = 0 < alarm.starts_ms < heard.starts_ms
    return row._replace(
        is_firing=heard.is_firing if is_older and not alarm.is_firing else alarm.is_firing,
        starts_ms=max(alarm.starts_ms, heard.starts_ms),
        n_heard=heard.n_heard + 1,
        told_at=heard.told_at,
        held=held,
    )
