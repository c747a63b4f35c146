"""Which channels are out of service: long enough unfit to be replaced, not yet long enough fit to be trusted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.routing.channel import ChannelState, Standing
from gateway.routing.limits import BreakerState


def find_unfitness(standing: Standing, now: datetime) -> str | None:
    """Why a channel can't be counted on: one word or two for people; None for one that can.

    One that is busy, or paced, or was asked to slow down is fit: what waits for it has its turn.
    """
    snapshot = standing.snapshot
    if snapshot.state is not ChannelState.UP:
        return snapshot.state.value
    if snapshot.breaker is not BreakerState.CLOSED:
        return "failing"
    if standing.budget is not None and standing.budget.left(now, urgent=False) == 0:
        return "without quota"
    return None


class Fitness:
    """Remembers since when channels are fit or unfit.

    Args:
        out_after_s: a channel that was unfit for so long is out of service.
        back_after_s: one that is out is back when it was fit for so long.
    """

    def __init__(self, out_after_s: float, back_after_s: float) -> None:
        self._out_after_s = out_after_s
        self._back_after_s = back_after_s
        self._known: dict[str, tuple[bool, float]] = {}
        self.out: frozenset[str] = frozenset()

    def adopt(self, out_after_s: float, back_after_s: float) -> None:
        """Go by other times from now on."""
        self._out_after_s = out_after_s
        self._back_after_s = back_after_s

    def note(self, fit: Mapping[str, bool], now: float) -> bool:
        """Look at all channels; whether `out` is another set than before.

        Args:
            fit: channel -> whether it can be counted on; channels that are missing are forgotten.
            now: monotonic seconds.
        """
        out = set()
        known = {}
        for name, is_fit in fit.items():
            was_fit, since = self._known.get(name, (is_fit, now))
            if was_fit is not is_fit:
                since = now
            known[name] = is_fit, since
            limit_s = self._back_after_s if is_fit else self._out_after_s
            has_lasted = now - since >= limit_s
            if (not is_fit and has_lasted) or (name in self.out and not (is_fit and has_lasted)):
                out.add(name)
        self._known = known
        changed = out != self.out
        self.out = frozenset(out)
        return changed
