"""Watch over failures: when many of one kind come together, an alarm says what they have in common.

It reads the timeline, so the way of a message knows nothing of it. After a start it reads the last of what there was.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final

import msgspec

from gateway.clock import Clock, do_every
from gateway.model.alarm import AlarmKind
from gateway.model.number_plan import is_country_code
from gateway.pipeline.alarms import clear_alarm, raise_alarm
from gateway.routing.diagnosis import MOST_TAGS, Condition, Finding, Outcomes, Traits, diagnose, look_again
from gateway.routing.routes.carriers import Carriers
from gateway.store.alarms import find_subjects
from gateway.store.events import last_seq, load_lines
from gateway.store.ports import Store, Tx

_log = logging.getLogger(__name__)

LOOK_S: Final = 10.0
"""Between two looks. What is found at both is told: the first failures often have too much in common."""
LOOKED_BACK: Final = 20_000
"""Events that are read after a start."""
MOST_READ: Final = 500_000
"""Events that are read at one look; those before are passed over."""
AT_ONCE: Final = 1_000
_SEEN = 8
"""Characters of a number that tell its network."""
_DIGITS = 3
"""Behind the country code: in China these are a carrier's."""
_LINE: Final = re.compile(
    rb'"at":"([^"]{16})[^"]*","type":"message\.(sent|undelivered|failed|uncertain)",("id":.*)\n'
)
"""An event's minute, its status, and the rest. No text in an event can look like it: its quotes are escaped."""
_CODE_OF_NETWORK: Final = re.compile(r"\[([^\[\]]{1,40})\]$")


class _Outcome(msgspec.Struct, frozen=True):
    """What is read of a `gateway.model.events.MessageEvent`."""

    to: str
    category: str = ""
    channel: str = ""
    tags: tuple[str, ...] = ()
    error: str = ""


_Alike = tuple[bytes, bytes, str, int, str, tuple[str, ...], str, str]
"""Minute, status, beginning of the number and how many characters it has, channel, tags, category, error."""
_decode = msgspec.json.Decoder(_Outcome).decode


@lru_cache(maxsize=10_000)
def find_prefix(number: str) -> str:
    """How numbers of one carrier begin, as far as digits tell.

    Args:
        number: its first characters are enough.

    >>> find_prefix("+8613312"), find_prefix("10690000")
    ('+86133', 'short codes')
    """
    if not number.startswith("+"):
        return "short codes"
    code = next((n for n in (1, 2, 3) if is_country_code(number[1 : 1 + n])), 2)
    return number[: 1 + code + _DIGITS]


class FailureWatch:
    """Reads outcomes in the timeline every few seconds, and looks what those that failed have in common.

    Args:
        carriers: whose numbers are, by the config of now.
    """

    def __init__(self, store: Store, clock: Clock, carriers: Callable[[], Carriers] = Carriers) -> None:
        self._store = store
        self._clock = clock
        self._carriers = carriers
        self._outcomes = Outcomes()
        self._seq: int | None = None
        self._open: dict[str, Finding] = {}
        self._left_open: set[str] = set()
        """Alarms from before the start, of which nobody knows yet whether they go on."""
        self._suspected: set[str] = set()

    async def run(self) -> None:
        """Look for ever. Cancel: nothing is left half done."""
        await do_every(
            LOOK_S,
            self.look,
            partial(_log.warning, "nobody looked what failed messages have in common: %s"),
            at_once=False,
        )

    async def look(self) -> None:
        """Look once: raise alarms for what is found, clear those for what is over."""
        await self._read()
        if not (self._open or self._left_open or self._outcomes.are_many_failures):
            self._suspected = set()
            return
        cells = self._outcomes.cells(self._clock.now().timestamp())
        still = {s: now for s, finding in self._open.items() if (now := look_again(finding, cells))}
        found = {f.subject: f for f in await asyncio.to_thread(diagnose, cells, tuple(still.values()))}
        fresh = {s: f for s, f in found.items() if s in self._suspected or s in self._left_open}
        over = {*self._open, *self._left_open} - still.keys() - fresh.keys()
        told = still | fresh

        async def op(tx: Tx) -> None:
            for subject in sorted(over):
                await clear_alarm(tx, self._clock, AlarmKind.MASS_FAILURE, subject)
            for subject, finding in sorted(told.items()):
                await raise_alarm(tx, self._clock, AlarmKind.MASS_FAILURE, subject, describe(finding))

        if told or over:
            await self._store.write(op)
        self._open, self._suspected, self._left_open = told, found.keys() - fresh.keys(), set()

    async def _read(self) -> None:
        """Count all that has come since the last time; after a start, and when that is very much, the newest of it."""
        newest = await self._store.read(last_seq)
        if self._seq is None:
            self._left_open = await self._store.read(lambda tx: find_subjects(tx, AlarmKind.MASS_FAILURE))
        place = max(self._seq or 0, newest - (LOOKED_BACK if self._seq is None else MOST_READ))
        while lines := await self._store.read(partial(load_lines, after_seq=place, limit=AT_ONCE)):
            self._count(lines.octets)
            self._seq = place = lines.last_seq  # at once: what is counted must not be counted again
        self._seq = place

    def _count(self, octets: bytes) -> None:
        """Count the outcomes in some lines, those that are alike together."""
        outcomes: Counter[_Alike] = Counter()
        carriers = self._carriers()
        for minute, status, fields in _LINE.findall(octets):
            try:
                one = _decode(b"{" + fields)
            except msgspec.DecodeError:
                continue  # not as we write them; the watch would break on it after each start
            outcomes[
                minute, status, one.to[:_SEEN], len(one.to), one.channel, one.tags, one.category, one.error
            ] += 1
        for (minute, status, to, n_chars, channel, tags, category, error), n in outcomes.items():
            found = carriers.range_of(to.ljust(n_chars, "0"))
            carrier = found.carrier if found is not None else ""
            traits = Traits(channel, carrier, find_prefix(to), tags[:MOST_TAGS], category)
            if status == b"undelivered":
                self._outcomes.take_back(traits, n)
            fault = None if status == b"sent" else _read_fault(error) or status.decode()
            self._outcomes.note(traits, fault, _instant(minute), n)


@lru_cache(maxsize=100)
def _instant(minute: bytes) -> float:
    return datetime.fromisoformat(minute.decode()).replace(tzinfo=UTC).timestamp()


def _read_fault(error: str) -> str:
    """The code of a failure, with the network's own where there is one: ``receipt_rejected [err:027]``."""
    code = error.partition(":")[0][:60]
    own = _CODE_OF_NETWORK.search(error)
    return f"{code} [{own[1]}]" if own is not None else code


_PHRASES: Final = {
    "channel": "on channel {}",
    "carrier": "to carrier {}",
    "prefix": "to numbers {}",
    "tag": 'with the tag "{}"',
    "category": "of category {}",
}
_VERDICTS: Final = {
    (True, False, False): "It is the channel: look at its state, and ask its carrier.",
    (True, True, False): "It is the way from this channel to these numbers: another channel may reach them.",
    (False, True, False): "It is the network of these recipients: no channel of ours reaches it.",
    (False, False, True): "It is the content: look for a word or a link that is filtered.",
    (
        True,
        False,
        True,
    ): "It is the content on this channel: its carrier may filter it, or want it registered.",
    (False, True, True): "It is the content for these recipients: their network may filter it.",
}


def describe(finding: Finding) -> str:
    """A finding in words."""
    who = _phrase(finding.conditions)
    inside, outside = finding.inside, finding.outside
    failed = (
        f"{inside.n_failed} of {inside.n} messages{who} failed with {finding.fault} in the last 10 minutes"
    )
    common = " and ".join(_PHRASES[one.what].format(one.value) for one in finding.besides)
    if not finding.conditions:
        shared = f" All that failed went {common}." if common else ""
        return f"{failed}. There is nothing that fared better to compare with, so it may be channel or content.{shared}"
    kinds = {one.what for one in finding.conditions}
    verdict = _VERDICTS[
        "channel" in kinds, bool(kinds & {"carrier", "prefix"}), bool(kinds & {"tag", "category"})
    ]
    doubt = f" The same messages are all those {common}, so it may be that as well." if common else ""
    return f"{failed}; elsewhere {outside.n_failed} of {outside.n}. {verdict}{doubt}"


def _phrase(conditions: tuple[Condition, ...]) -> str:
    return "".join(f" {_PHRASES[one.what].format(one.value)}" for one in conditions)
