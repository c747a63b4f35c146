"""What monitoring tools send, and the same as values: what they add is passed over, and everything is bounded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

MOST_ALERTS: Final = 5_000
"""In one call; Alertmanager can be asked for fewer by `max_alerts`."""
MOST_LABELS: Final = 100
"""Of one alarm that are looked at."""
MOST_VALUE_CHARS: Final = 500
"""Of a label's or an annotation's value."""
_MOST_NAME_CHARS = 128
_MOST_FINGERPRINT_CHARS = 64

_Values = dict[str, str] | None


class _Alarm(msgspec.Struct, kw_only=True, rename="camel"):
    """What the alarms of both tools have.

    Args:
        status: ``firing`` or ``resolved``; what it is not is taken for firing.
        labels: what the alarm is; tables of the config look at them.
        annotations: what is said of it.
        starts_at: when it began to fire.
        fingerprint: of its labels; made of them where it is missing.
    """

    status: str | None = None
    labels: _Values = None
    annotations: _Values = None
    starts_at: str | None = None
    fingerprint: str | None = None


class AlertmanagerAlarm(_Alarm, kw_only=True, rename="camel"):
    """One alarm of Prometheus' Alertmanager."""


class GrafanaAlarm(_Alarm, kw_only=True, rename="camel"):
    """One alarm of Grafana.

    Args:
        values: what was measured.
    """

    values: dict[str, Any] | None = None


class AlertmanagerPayload(msgspec.Struct, kw_only=True, rename="camel"):
    """What Alertmanager posts to a webhook (version 4); other versions are read as far as they are like it.

    Args:
        status: of alarms that have none of their own.
        truncated_alerts: how many more there are that it left out.
    """

    alerts: Annotated[list[AlertmanagerAlarm], Meta(max_length=MOST_ALERTS)]
    status: str | None = None
    truncated_alerts: Annotated[int, Meta(ge=0)] | None = None


class GrafanaPayload(msgspec.Struct, kw_only=True, rename="camel"):
    """What a contact point of Grafana's alerting posts to a webhook.

    Args:
        status: of alarms that have none of their own.
        truncated_alerts: how many more there are that it left out.
    """

    alerts: Annotated[list[GrafanaAlarm], Meta(max_length=MOST_ALERTS)]
    status: str | None = None
    truncated_alerts: Annotated[int, Meta(ge=0)] | None = None


class Alarm(NamedTuple):
    """One alarm.

    Args:
        starts_ms: when it began, in milliseconds since 1970; 0 where that is not said.
        values: what was measured, as text; empty where that is not said.
    """

    fingerprint: str
    is_firing: bool
    starts_ms: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    values: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.labels.get("alertname") or "alarm"


class Report(NamedTuple):
    """What one call says.

    Args:
        source: the tool: ``alertmanager`` or ``grafana``.
        alarms: each fingerprint once; of those that stand there twice the last.
        n_left_out: alarms that the tool has besides.
    """

    source: str
    alarms: list[Alarm]
    n_left_out: int = 0


def read_report(source: str, payload: AlertmanagerPayload | GrafanaPayload) -> Report:
    """A payload as values."""
    alarms = (_read_alarm(alarm, payload.status) for alarm in payload.alerts)
    return Report(
        source, list({alarm.fingerprint: alarm for alarm in alarms}.values()), payload.truncated_alerts or 0
    )


def _read_alarm(alarm: AlertmanagerAlarm | GrafanaAlarm, status: str | None) -> Alarm:
    labels = _bound(alarm.labels)
    given = (alarm.fingerprint or "").strip()
    if not given or len(given) > _MOST_FINGERPRINT_CHARS or not given.isprintable():
        given = sha256(msgspec.json.encode([alarm.fingerprint, sorted(labels.items())])).hexdigest()[:32]
    return Alarm(
        fingerprint=given,
        is_firing=(alarm.status or status or "").lower() != "resolved",
        starts_ms=_read_instant(alarm.starts_at or ""),
        labels=labels,
        annotations=_bound(alarm.annotations),
        values=_show_values(alarm.values) if isinstance(alarm, GrafanaAlarm) and alarm.values else "",
    )


def _bound(values: _Values) -> dict[str, str]:
    items: Iterable[tuple[str, str]] = list((values or {}).items())[:MOST_LABELS]
    return {name[:_MOST_NAME_CHARS]: _plain(value) for name, value in items}


def _plain(value: str) -> str:
    """A value as one line of what can be shown, cut where it is too long."""
    line = value[: 2 * MOST_VALUE_CHARS]
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in line)
    line = " ".join(line.split())
    return line if len(line) <= MOST_VALUE_CHARS else line[: MOST_VALUE_CHARS - 1] + "…"


def _show_values(values: Mapping[str, Any]) -> str:
    shown = (
        f"{_plain(name)}={value:g}"
        for name, value in list(values.items())[:10]
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    )
    return ", ".join(shown)[:MOST_VALUE_CHARS]


def _read_instant(text: str) -> int:
    try:
        at = msgspec.convert(text, datetime)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return max(0, int(at.timestamp() * 1_000))
    except (msgspec.ValidationError, ValueError, OverflowError):
        return 0
