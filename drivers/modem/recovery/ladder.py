"""The recovery ladder as a value: which rung comes next for a stick in trouble, and after what pause.

Pure: ``now`` comes in, a step and the next ladder come out. What a rung does is in `drivers.modem.recovery.rescue`.
Gentle rungs come first, each a few times at most in one episode; an episode ends when the stick has been in
service for a while, not when it came up: a stick that fails again soon goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Trouble(StrEnum):
    """What is wrong, as far as it decides what may help."""

    SILENT = "silent"
    """The port is open and nothing is answered: not even AT."""
    UNWELL = "unwell"
    """AT is answered, but there is no service: no network, no SIM, sends without an answer."""
    GONE = "gone"
    """The port hung up or is not there."""
    BLOCKED = "blocked"
    """The port is there and not ours: held by another program, or not permitted. Nothing we could do to the
    stick helps."""


class Rung(StrEnum):
    """From gentle to rough."""

    RESYNC = "resync"
    """ESC and AT, by the dialogue itself; no step of `Ladder.climb`."""
    SOFT_RESET = "soft_reset"
    """ATZ."""
    RADIO_CYCLE = "radio_cycle"
    """AT+CFUN=4, then 1."""
    REOPEN = "reopen"
    MODEM_RESET = "modem_reset"
    """AT+CFUN=1,1, or what the profile says."""
    USB_REBIND = "usb_rebind"
    COMMAND = "command"
    """The operator's own: a power relay, say."""
    QUARANTINE = "quarantine"


OVER_PORT = frozenset({Rung.SOFT_RESET, Rung.RADIO_CYCLE})
"""Done over the open port; it stays open."""

_ALL = frozenset(Trouble)
_STICK = frozenset({Trouble.SILENT, Trouble.UNWELL})
_LADDER: tuple[tuple[Rung, frozenset[Trouble]], ...] = (
    (Rung.SOFT_RESET, frozenset({Trouble.UNWELL})),
    (Rung.RADIO_CYCLE, frozenset({Trouble.UNWELL})),
    (Rung.REOPEN, _ALL),
    (Rung.MODEM_RESET, _STICK),
    (Rung.USB_REBIND, _STICK | {Trouble.GONE}),
    (Rung.COMMAND, _STICK | {Trouble.GONE}),
)
"""Which rung may cure what, in order; QUARANTINE follows for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderPolicy:
    """How patient the ladder is; times in seconds.

    Args:
        reopen_tries: how often the port is opened anew in one episode before something rougher is done.
        reopen_s, reopen_cap_s: first and longest pause before that; each doubles the last.
        quarantine_s, quarantine_cap_s: first and longest quarantine; each doubles the last.
        well_s: so long in service, and the next quarantine is as short as the first: what was done before helped.
        calm_s: so long in service ends the episode.
    """

    reopen_tries: int = 3
    reopen_s: float = 1.0
    reopen_cap_s: float = 60.0
    quarantine_s: float = 60.0
    quarantine_cap_s: float = 600.0
    well_s: float = 15.0
    calm_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do now.

    Args:
        rung: what.
        attempt: which time in this episode, from 1.
        pause_s: wait so long first (of QUARANTINE: that is all of it).
    """

    rung: Rung
    attempt: int
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """One stick's way up.

    Args:
        policy: its patience.
        tries: how often each rung was climbed in this episode.
        counts: how often since the start of the program.
        n_quarantines: in this episode.
        well_since: when it came into service; None while it is not.
    """

    policy: LadderPolicy = field(default_factory=LadderPolicy)
    tries: Mapping[Rung, int] = field(default_factory=dict)
    counts: Mapping[Rung, int] = field(default_factory=dict)
    n_quarantines: int = 0
    well_since: float | None = None

    @property
    def n_recoveries(self) -> int:
        """Rungs climbed since the start of the program."""
        return sum(self.counts.values())

    def in_service(self, now: float) -> Ladder:
        """The stick works again, since ``now``; the episode goes on until it has worked for a while."""
        return replace(self, well_since=now)

    def resynced(self) -> Ladder:
        """The dialogue went through `Rung.RESYNC` by itself."""
        return replace(self, counts=_plus_one(self.counts, Rung.RESYNC))

    def climb(
        self, trouble: Trouble, now: float, able: frozenset[Rung] = frozenset(Rung)
    ) -> tuple[Step, Ladder]:
        """Choose the next step.

        Args:
            trouble: what is wrong.
            now: the loop's clock.
            able: rungs that can be climbed here; REOPEN and QUARANTINE always can.

        Returns:
            The step, and the ladder after it.
        """
        served_s = 0.0 if self.well_since is None else now - self.well_since
        ladder = replace(
            self,
            tries={} if served_s >= self.policy.calm_s else self.tries,
            n_quarantines=0 if served_s >= self.policy.well_s else self.n_quarantines,
            well_since=None,
        )
        for rung, cures in _LADDER:
            if trouble in cures and (rung in able or rung is Rung.REOPEN) and ladder.may_try(rung, trouble):
                return ladder.step_to(rung)
        return ladder.step_to(Rung.QUARANTINE)

    def may_try(self, rung: Rung, trouble: Trouble) -> bool:
        """Whether this rung was not climbed too often in this episode."""
        if rung is not Rung.REOPEN:
            return rung not in self.tries
        # Somebody else has the port: only patience helps, and trying costs nothing.
        return trouble is Trouble.BLOCKED or self.tries.get(rung, 0) < self.policy.reopen_tries

    def step_to(self, rung: Rung) -> tuple[Step, Ladder]:
        """Climb a rung, whatever it is."""
        policy = self.policy
        attempt = self.tries.get(rung, 0) + 1
        after = replace(self, counts=_plus_one(self.counts, rung), tries=_plus_one(self.tries, rung))
        pause_s = 0.0
        if rung is Rung.REOPEN:
            pause_s = _doubled(policy.reopen_s, policy.reopen_cap_s, attempt - 1)
        elif rung is Rung.QUARANTINE:
            attempt = self.n_quarantines + 1
            pause_s = _doubled(policy.quarantine_s, policy.quarantine_cap_s, self.n_quarantines)
            # Then everything may be tried once more, from the foot.
            after = replace(after, tries={}, n_quarantines=attempt)
        return Step(rung=rung, attempt=attempt, pause_s=pause_s), after


def _plus_one(counts: Mapping[Rung, int], rung: Rung) -> dict[Rung, int]:
    return {**counts, rung: counts.get(rung, 0) + 1}


def _doubled(first_s: float, cap_s: float, times: int) -> float:
    return min(cap_s, first_s * 2.0 ** min(times, 30))
