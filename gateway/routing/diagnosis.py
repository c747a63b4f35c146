"""What failed messages have in common that others do not: the channel, the recipients' numbers, or the content. Pure.

Outcomes are counted by what messages are like, in minutes, so that the window costs the same whatever the traffic. For
each code of failures, every value (and every pair of values) that failures have is an explanation: messages with it,
against all others. The one under which what happened is the likeliest is taken. Each value that it names must make it
so much likelier that neither chance nor the number of explanations that were tried can be the reason. And both rates
must differ beyond doubt: the lower end of the confidence interval of the one lies above the upper end of the other
(Wilson's intervals, which hold for small counts).
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, NamedTuple

BUCKET_S: Final = 60.0
WINDOW_BUCKETS: Final = 10
"""Ten minutes: as long as a failure is remembered, and an alarm outlives its cause."""
MOST_KINDS: Final = 100
"""Kinds of messages in one bucket; what is beyond is counted without its tags, or its numbers."""
MOST_TAGS: Final = 3
MOST_FAULTS: Final = 200
"""Codes in the window; failures with others are counted as `OTHER`."""
FAULTS_LOOKED_AT: Final = 3
"""The most frequent, at once."""
OTHER: Final = "other"
LEAST_FAILURES: Final = 10
Z: Final = 3.3
"""Of the intervals: once in 2,000 looks one rate lies outside of its own."""
RAISED_ABOVE: Final = 0.2
"""The share that fails, at least."""
ALL_ABOVE: Final = 0.3
"""The same where there is nothing to compare with."""
CLEARED_BELOW: Final = 0.1


class Traits(NamedTuple):
    """What a message is like.

    Args:
        carrier: whose the recipients' numbers are, as far as their ranges tell; empty where nothing does.
        prefix: how they begin.
        tags: the first few.
    """

    channel: str
    carrier: str
    prefix: str
    tags: tuple[str, ...]
    category: str

    def conditions(self) -> list[Condition]:
        """Each of them."""
        tags = [Condition("tag", tag) for tag in self.tags]
        carrier, prefix = Condition("carrier", self.carrier), Condition("prefix", self.prefix)
        return [
            Condition("channel", self.channel),
            carrier,
            prefix,
            *tags,
            Condition("category", self.category),
        ]


class Condition(NamedTuple):
    """Something that messages have in common.

    Args:
        what: ``channel``, ``carrier``, ``prefix``, ``tag`` or ``category``.
    """

    what: str
    value: str


Conditions = tuple[Condition, ...]


class Rate(NamedTuple):
    """So many of so many failed."""

    n_failed: int
    n: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.n_failed / self.n if self.n else 0.0

    def between(self) -> tuple[float, float]:
        """Wilson's interval: where the true share lies."""
        if not self.n:
            return 0.0, 1.0
        p, z2 = self.share, Z * Z
        centre = (p + z2 / (2 * self.n)) / (1 + z2 / self.n)
        half = Z / (1 + z2 / self.n) * math.sqrt(p * (1 - p) / self.n + z2 / (4 * self.n * self.n))
        return max(0.0, centre - half), min(1.0, centre + half)


class Finding(NamedTuple):
    """Failures of one kind, and what they have in common.

    Args:
        fault: their code.
        conditions: what tells them from others; none where all there was is like them.
        inside: of the messages that are so.
        outside: of all others.
        besides: what all of them are, too, and what therefore may be it as well.
    """

    fault: str
    conditions: Conditions
    inside: Rate
    outside: Rate
    besides: Conditions = ()

    @property
    def subject(self) -> str:
        """A name that stays the same while the failures go on."""
        return " ".join([self.fault, *(f"{c.what}={c.value}" for c in self.conditions)])


class Cell:
    """What became of messages of one kind.

    Attributes:
        n: messages that the network took or refused.
        faults: of them that failed, by code.
    """

    __slots__ = ("faults", "n")

    def __init__(self) -> None:
        self.n = 0
        self.faults: Counter[str] = Counter()


Cells = Mapping[Traits, Cell]


class Outcomes:
    """The outcomes of the last minutes, counted; bounded."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[float, dict[Traits, Cell]]] = deque()
        self._faults: set[str] = set()

    def note(self, traits: Traits, fault: str | None, at_s: float, n: int = 1) -> None:
        """Count outcomes of messages.

        Args:
            fault: their code; None for successes.
            at_s: when they were, in seconds.
            n: how many.
        """
        cell = self._cell(traits, at_s)
        cell.n += n
        if fault is not None:
            cell.faults[self._known(fault)] += n

    def take_back(self, traits: Traits, n: int = 1) -> None:
        """Messages that count as successes are none: the network took them, and could not deliver them."""
        for _, cells in reversed(self._buckets):
            cell = cells.get(traits)
            if cell is not None:
                n_taken = min(n, cell.n - cell.faults.total())
                cell.n -= n_taken
                n -= n_taken
            if not n:
                return

    @property
    def are_many_failures(self) -> bool:
        """Whether so many failed that it is worth a look."""
        n = sum(cell.faults.total() for _, cells in self._buckets for cell in cells.values() if cell.faults)
        return n >= LEAST_FAILURES

    def cells(self, now_s: float) -> dict[Traits, Cell]:
        """All that is not too old, by kind."""
        self._forget(now_s)
        found: dict[Traits, Cell] = {}
        for _, cells in self._buckets:
            for traits, cell in cells.items():
                one = found.setdefault(traits, Cell())
                one.n += cell.n
                one.faults.update(cell.faults)
        self._faults = {fault for cell in found.values() for fault in cell.faults}
        return found

    def _cell(self, traits: Traits, at_s: float) -> Cell:
        start = at_s // BUCKET_S * BUCKET_S
        if not self._buckets or start > self._buckets[-1][0]:
            self._buckets.append((start, {}))
            self._forget(at_s)
        cells = self._buckets[-1][1]  # also for what comes a little late
        if traits not in cells and len(cells) >= MOST_KINDS:
            traits = traits._replace(tags=())
            if traits not in cells and len(cells) >= 2 * MOST_KINDS:
                traits = Traits("", "", "", (), "")
        return cells.setdefault(traits, Cell())

    def _forget(self, now_s: float) -> None:
        while self._buckets and self._buckets[0][0] <= now_s - WINDOW_BUCKETS * BUCKET_S:
            self._buckets.popleft()

    def _known(self, fault: str) -> str:
        if fault not in self._faults:
            if len(self._faults) >= MOST_FAULTS:
                return OTHER
            self._faults.add(fault)
        return fault


def diagnose(cells: Cells, known: Collection[Finding] = ()) -> list[Finding]:
    """What explains failures; nothing where they are few, or chance.

    Args:
        known: what has been found before and goes on; messages that are so are left out.
    """
    totals: Counter[str] = Counter()
    for cell in cells.values():
        totals.update(cell.faults)
    found = []
    for fault, n_failed in totals.most_common(FAULTS_LOOKED_AT):
        if n_failed < LEAST_FAILURES:
            break
        of_fault = [finding for finding in known if finding.fault == fault]
        finding = _explain(fault, [one for one in _rates(cells, fault) if not _are_known(one[0], of_fault)])
        if finding is not None:
            found.append(finding)
    return found


def look_again(finding: Finding, cells: Cells) -> Finding | None:
    """The same with the figures of now; None when it is over."""
    inside, outside = [0, 0], [0, 0]
    for conditions, rate in _rates(cells, finding.fault):
        side = inside if conditions.issuperset(finding.conditions) else outside
        side[0] += rate.n_failed
        side[1] += rate.n
    now = finding._replace(inside=Rate(*inside), outside=Rate(*outside))
    return now if now.inside.n_failed and now.inside.share >= CLEARED_BELOW else None


_Kinds = Sequence[tuple[frozenset[Condition], Rate]]


def _rates(cells: Cells, fault: str) -> Iterator[tuple[frozenset[Condition], Rate]]:
    for traits, cell in cells.items():
        yield frozenset(c for c in traits.conditions() if c.value), Rate(cell.faults[fault], cell.n)


def _are_known(conditions: frozenset[Condition], known: Collection[Finding]) -> bool:
    return any(conditions.issuperset(finding.conditions) for finding in known)


def _explain(fault: str, kinds: _Kinds) -> Finding | None:
    total = Rate(sum(rate.n_failed for _, rate in kinds), sum(rate.n for _, rate in kinds))
    if total.n_failed < LEAST_FAILURES:
        return None
    rates = _compare(kinds)
    best, found = _likelihood(total), None  # chance alone, which costs nothing
    price = math.log(total.n) + 2 * math.log(len(rates) + 1)
    for conditions, inside in rates.items():
        outside = Rate(total.n_failed - inside.n_failed, total.n - inside.n)
        if inside.between()[0] < max(RAISED_ABOVE, outside.between()[1]):
            continue
        score = _likelihood(inside) + _likelihood(outside) - price * len(conditions)
        if score > best:
            best, found = score, Finding(fault, conditions, inside, outside)
    if found is not None:
        return found._replace(besides=_find_besides(found, rates))
    if total.between()[0] < ALL_ABOVE:
        return None
    common = tuple(c[0] for c, rate in rates.items() if len(c) == 1 and rate.n_failed == total.n_failed)
    return Finding(fault, (), total, Rate(0, 0), common)


def _compare(kinds: _Kinds) -> dict[Conditions, Rate]:
    """Every explanation that is worth a look: values, and pairs of them, that failures have."""
    failed: Counter[Conditions] = Counter()
    for conditions, rate in kinds:
        if rate.n_failed:
            failed.update(dict.fromkeys(_explanations(conditions), rate.n_failed))
    worth = {explanation for explanation, n in failed.items() if n >= LEAST_FAILURES}
    totals: Counter[Conditions] = Counter()
    for conditions, rate in kinds:
        totals.update(dict.fromkeys(worth.intersection(_explanations(conditions)), rate.n))
    ordered = sorted(worth, key=lambda e: (len(e), [_ORDER[c.what] for c in e], e))
    return {explanation: Rate(failed[explanation], totals[explanation]) for explanation in ordered}


_ORDER: Final = {"channel": 0, "carrier": 1, "prefix": 2, "tag": 3, "category": 4}


def _explanations(conditions: frozenset[Condition]) -> Iterator[Conditions]:
    ordered = sorted(conditions, key=lambda c: (_ORDER[c.what], c.value))
    for condition in ordered:
        yield (condition,)
    yield from combinations(ordered, 2)


def _likelihood(rate: Rate) -> float:
    """Twice the logarithm of how likely a rate is, where it is the true one."""
    parts = ((rate.n_failed, rate.share), (rate.n - rate.n_failed, 1 - rate.share))
    return 2 * sum(n * math.log(p) for n, p in parts if n)


def _find_besides(finding: Finding, rates: Mapping[Conditions, Rate]) -> Conditions:
    """Other values that all the same messages have, and no other message."""
    return tuple(
        conditions[0]
        for conditions, rate in rates.items()
        if len(conditions) == 1 and rate == finding.inside and conditions[0] not in finding.conditions
    )
