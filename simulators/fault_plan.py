"""Which faults strike now: plans for single targets, and the desk where faults for all of them are handed in.

`FaultPlan` is pure: occasions and ``now`` in, faults out; the same seed gives the same strikes.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from simulators.faults import DEFAULT_LASTS_S, Fault, Point

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

NEVER = float("inf")


class BadFault(ValueError):
    """A fault that can't be injected; the text says what to write instead."""


@dataclass(slots=True)
class _Armed:
    """A fault on duty."""

    fault_id: int
    fault: Fault
    injected_at: float
    n_occasions: int = 0
    n_strikes: int = 0

    def strikes(self, rng: random.Random) -> bool:
        fault = self.fault
        self.n_occasions += 1
        if fault.nth is not None:
            return self.n_occasions == fault.nth
        if fault.every is not None:
            return self.n_occasions % fault.every in _last(fault.burst, fault.every)
        return fault.probability is None or rng.random() < fault.probability

    def sleeps(self, now: float) -> bool:
        return now < self.injected_at + self.fault.after_s

    def over(self, now: float) -> bool:
        fault = self.fault
        if fault.nth is not None and self.n_occasions >= fault.nth:
            return True
        limit = fault.times or (None if fault.conditional else 1)
        if limit is not None and self.n_strikes >= limit:
            return True
        return fault.for_s is not None and now >= self.injected_at + fault.after_s + fault.for_s


@dataclass(slots=True)
class FaultPlan:
    """The faults of one target.

    Args:
        target: its name.
        kinds: the kinds it knows.
        seed: of what is drawn.
        on_change: called when something was injected or cleared.

    Attributes:
        rng: for those who misbehave: which byte, which noise.
        struck: strikes by kind.
    """

    target: str
    kinds: Collection[str]
    seed: int = 0
    on_change: Callable[[], None] = lambda: None
    rng: random.Random = field(init=False)
    struck: Counter[str] = field(default_factory=Counter)
    _armed: list[_Armed] = field(default_factory=list)
    _effects: dict[str, tuple[int, Fault, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed} {self.target}")

    @property
    def quiet(self) -> bool:
        """Nothing is armed and nothing lasts."""
        return not self._armed and not self._effects

    def concerns(self, fault: Fault) -> bool:
        """Whether a fault is for this target."""
        return fault.kind in self.kinds and fnmatchcase(self.target, fault.target)

    def inject(self, fault: Fault, now: float, fault_id: int = 0) -> None:
        """Arm a fault that concerns this target."""
        self._armed.append(_Armed(fault_id, fault, now))
        self.on_change()

    def clear(self, fault_id: int | None = None) -> None:
        """Disarm a fault and end its effect; None for all."""
        self._armed = [a for a in self._armed if fault_id is not None and a.fault_id != fault_id]
        self._effects = {
            kind: effect
            for kind, effect in self._effects.items()
            if fault_id is not None and effect[0] != fault_id
        }
        self.on_change()

    def strike(self, point: Point, now: float, text: str = "") -> list[Fault]:
        """The faults that strike on this occasion, in the order of their injection; it counts for each of them.

        Args:
            point: where we are.
            now: monotonic seconds.
            text: what a fault's ``match`` looks at.
        """
        if not self._armed:
            return []
        found = []
        for armed in self._armed:
            fault = armed.fault
            if fault.point != point or fault.match not in text or armed.sleeps(now) or armed.over(now):
                continue
            if armed.strikes(self.rng):
                armed.n_strikes += 1
                self.struck[fault.kind] += 1
                self._begin(armed, now)
                found.append(fault)
        self._armed = [armed for armed in self._armed if not armed.over(now)]
        return found

    def in_effect(self, kind: str, now: float) -> Fault | None:
        """The fault of this kind that struck and still lasts."""
        effect = self._effects.get(kind)
        if effect is None:
            return None
        if now >= effect[2]:
            del self._effects[kind]
            return None
        return effect[1]

    def waits_at(self, point: Point) -> bool:
        """Some fault may still strike there."""
        return any(armed.fault.point == point for armed in self._armed)

    def armed(self) -> Iterable[tuple[int, Fault, int]]:
        """Number, fault and strikes so far of all that are armed."""
        return [(armed.fault_id, armed.fault, armed.n_strikes) for armed in self._armed]

    def _begin(self, armed: _Armed, now: float) -> None:
        lasts_s = lasting(armed.fault)
        if lasts_s is not None:
            self._effects[armed.fault.kind] = (armed.fault_id, armed.fault, now + lasts_s)


class FaultDesk:
    """Where faults are handed in by target, for all simulators of one program.

    Args:
        seed: of all plans; each target draws for itself.
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float], seed: int = 0) -> None:
        self.seed = seed
        self._clock = clock
        self._plans: dict[str, FaultPlan] = {}
        self._last_id = 0

    def plan(self, target: str, kinds: Collection[str]) -> FaultPlan:
        """The plan of a target, made at the first call."""
        if target not in self._plans:
            self._plans[target] = FaultPlan(target, frozenset(kinds), self.seed)
        return self._plans[target]

    def inject(self, fault: Fault) -> int:
        """Arm a fault in every plan it concerns; its number, for `clear`.

        Raises:
            BadFault: it makes no sense, or nobody here can have it.
        """
        for problem in fault.problems():
            raise BadFault(problem)
        concerned = [plan for plan in self._plans.values() if plan.concerns(fault)]
        if not concerned:
            raise BadFault(f'nobody here has "{fault.kind}" and a name like "{fault.target}"')
        self._last_id += 1
        for plan in concerned:
            plan.inject(fault, self._clock(), self._last_id)
        return self._last_id

    def clear(self, fault_id: int | None = None) -> None:
        """Disarm a fault and end its effects; None for all."""
        for plan in self._plans.values():
            plan.clear(fault_id)

    def armed(self) -> list[tuple[str, int, Fault, int]]:
        """Target, number, fault and strikes so far of all that are armed."""
        return [(name, *entry) for name, plan in self._plans.items() for entry in plan.armed()]

    def struck(self) -> dict[str, dict[str, int]]:
        """Strikes by target and kind, of those that were struck at all."""
        return {name: dict(plan.struck) for name, plan in self._plans.items() if plan.struck}


def lasting(fault: Fault) -> float | None:
    """How long its effect stays, `NEVER` for ever; None when it is over at once."""
    default = DEFAULT_LASTS_S.get(fault.kind)
    if default is None:
        return None
    return (default if fault.lasts_s is None else fault.lasts_s) or NEVER


def _last(burst: int, every: int) -> set[int]:
    """The remainders of the last ``burst`` occasions of each round of ``every``."""
    return {place % every for place in range(every - burst + 1, every + 1)}
