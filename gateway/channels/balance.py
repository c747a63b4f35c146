"""The balance of prepaid SIMs: asked by USSD now and then, shown as a fact of the channel, with an alarm."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass

from gateway.channels.ussd import UssdSessions
from gateway.clock import Clock
from gateway.errors import RequestError, StoreError
from gateway.model.events import make_event
from gateway.pipeline.sending.lane import Lane
from gateway.routing.channel import ChannelState
from gateway.settings.kinds.sim import SimSettings
from gateway.store.ports import Store, Tx
from gateway.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

POLL_S = 5.0
"""How often a channel that can't be asked now (down, in a menu) is looked at again."""
RETRY_S = 600.0
"""Pause after a question that brought no balance."""
LOW = "channel.balance_low"


def read_amount(pattern: str, text: str) -> float | None:
    """The amount in a network's answer; None when it is not there.

    Args:
        pattern: its first group is the amount; ``,`` and ``.`` may both stand for either mark of a number.
        text: the answer.

    >>> read_amount(r"([0-9][0-9., ]*)", "Balance: 1,234.50 EUR")
    1234.5
    """
    match = re.search(pattern, text, re.DOTALL)
    if match is None or match[1] is None:
        return None
    digits = re.sub(r"[\s'_]", "", match[1]).rstrip(".,")
    marks = re.findall("[.,]", digits)
    fraction = ""
    if marks and not _groups_thousands(digits, marks):
        digits, _, fraction = digits.rpartition(marks[-1])
    try:
        return float(f"{re.sub('[.,]', '', digits)}.{fraction or '0'}")
    except ValueError:
        return None


def _groups_thousands(digits: str, marks: list[str]) -> bool:
    """Whether the last mark of a number stands between thousands: 1.234.567 or 1,234, not 1.234,50 or 0,125."""
    if marks.count(marks[-1]) > 1:
        return True
    whole, _, rest = digits.rpartition(marks[-1])
    return marks == [","] and len(rest) == 3 and whole.strip("-+0") != ""


@dataclass(frozen=True, slots=True)
class BalanceQuery:
    """What is asked by one lane."""

    lane: Lane
    sim: SimSettings


class BalanceWatch:
    """Asks for the balance of one SIM, again and again.

    Args:
        query: of which SIM, and how.
        ussd: how it is asked.
    """

    def __init__(
        self, query: BalanceQuery, ussd: UssdSessions, *, store: Store, clock: Clock, metrics: Metrics
    ) -> None:
        self._lane, self._sim = query.lane, query.sim
        self._ussd = ussd
        self._store = store
        self._clock = clock
        self._gauge = metrics.balance.labels(query.lane.name)
        self._is_low = False

    async def run(self) -> None:
        """Ask until cancelled. Cancel: the network's answer is ignored when it comes."""
        while True:
            if self._lane.state is not ChannelState.UP or self._ussd.is_open(self._lane):
                await asyncio.sleep(POLL_S)
            elif await self.ask():
                await asyncio.sleep(self._sim.balance_every_s)
            else:
                await asyncio.sleep(min(RETRY_S, self._sim.balance_every_s))

    async def ask(self) -> bool:
        """Ask once and take note; whether a balance came."""
        name, code = self._lane.name, self._sim.balance_code
        assert code is not None
        try:
            reply = await self._ussd.ask(self._lane, code)
        except RequestError as error:
            _log.warning("channel %s did not tell its balance: %s", name, error)
            return False
        amount = read_amount(self._sim.balance_pattern, reply.text)
        if amount is None:
            _log.warning("the answer of channel %s holds no balance; mend its balance_pattern", name)
            return False
        at = self._clock.now().isoformat(timespec="seconds")
        self._lane.facts = {**self._lane.facts, "balance": amount, "balance_at": at}
        self._gauge.set(amount)
        await self._compare(amount)
        return True

    async def _compare(self, amount: float) -> None:
        alarm = self._sim.balance_alarm
        was_low, self._is_low = self._is_low, alarm is not None and amount < alarm
        if not self._is_low or was_low:
            return
        name = self._lane.name
        _log.warning("the balance of channel %s is %g, below %g", name, amount, alarm)
        event = make_event(LOW, self._clock.now(), name, {"name": name, "balance": amount, "alarm": alarm})

        async def op(tx: Tx) -> None:
            tx.record(event)

        try:
            await self._store.write(op)
        except StoreError as exc:
            _log.warning("the alarm of channel %s is not in the timeline: %s", name, exc)
