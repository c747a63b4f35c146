"""What each commit of the store adds to the instruments."""

from __future__ import annotations

from collections.abc import Callable

from gateway.model.events import reached_status
from gateway.pipeline.alarms import tell_alarm
from gateway.pipeline.intake.limits import Limits
from gateway.store.ports import CommitFigures
from gateway.telemetry.metrics import Metrics, labeled


def make_observer(metrics: Metrics, limits: Limits) -> Callable[[CommitFigures], None]:
    """What the store is to call after each commit."""

    def observe(figures: CommitFigures) -> None:
        limits.note(figures)
        metrics.commit_operations.observe(figures.n_operations)
        metrics.commit_seconds.observe(figures.seconds)
        for event in figures.events:
            if (reached := reached_status(event)) is not None:
                labeled(metrics.messages, *reached).inc()
            else:
                tell_alarm(event, metrics)
        for place, spent in figures.spent.items():
            labeled(metrics.cost_micros, *place).inc(spent.micros)
            labeled(metrics.cost_segments, *place).inc(spent.segments)

    return observe
