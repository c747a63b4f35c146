"""What Prometheus may know of a running gateway: every counter by name, in one registry of its own.

Labels are few and small: states, channels, routes; never a number, an id or a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the exposition format that `Metrics.render` speaks."""

_GROUP_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
_DISK_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_NETWORK_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 60)
_HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

Instrument = TypeVar("Instrument", Counter, Histogram)

ReadByLabels = Callable[[], Mapping[tuple[str, ...], float]]
"""Reads a gauge: label values -> value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All instruments of one daemon; made by `make_metrics`, incremented where things happen.

    Args:
        registry: holds them; nothing is registered globally.
        messages: by ``status`` reached and ``category``; counted when that is committed.
        segments: by ``channel`` and ``outcome``: ``accepted``, ``uncertain`` or the kind of the fault.
        balance: what is left on the SIM, by ``channel``, as last told.
        channel_notices: what channels had to tell (recovery steps, a swapped SIM ...), by ``channel`` and ``code``.
        alarms_raised: alarms, by ``kind``.
        channel_standstills: times that messages could go on a ``channel`` and none did, for some seconds.
        receipts: delivery reports, by ``channel`` and ``state``.
        receipts_not_understood: those whose state is said in no way that is known, by ``channel``.
        inquiries: segments asked after, by ``channel`` and what the network answered: a state, or ``refused``.
        inbound: joined messages, by ``channel``.
        submit_seconds: from handing a segment to a driver to its result, by ``channel``.
        commit_operations: operations that shared one durable transaction.
        commit_seconds: how long such a transaction took.
        http_requests: by ``method``, ``route`` (the pattern, not the path) and ``status``.
        http_request_seconds: until the answer was made, by ``route``.
        event_streams: open server-sent event streams.
        alerts: alarms of monitoring tools, by ``receiver`` (the table of the config) and ``outcome``.
        retention: records deleted, or emptied, because of their age, by ``kind``.
        cost_micros: what segments cost that the network took, in millionths, by ``channel`` and ``currency``.
        cost_segments: how many these are, by the same.
        webhook_calls: calls to receivers of events, by ``outcome``.
        webhook_events: events of which receivers have heard.
        webhook_call_seconds: how long such a call took.
        webhooks_disabled: webhooks that are not called any more because nobody heard.
        probes: probes of channels, by what came of them.
        probe_delivery_seconds: how long the last one took from the network's answer to its delivery report.
        limit_refusals: times that somebody was refused because of a ``limit``, by whose it is: a key, or ``all``.
    """

    registry: CollectorRegistry
    messages: Counter
    segments: Counter
    balance: Gauge
    channel_notices: Counter
    alarms_raised: Counter
    channel_standstills: Counter
    receipts: Counter
    receipts_not_understood: Counter
    inquiries: Counter
    inbound: Counter
    submit_seconds: Histogram
    commit_operations: Histogram
    commit_seconds: Histogram
    http_requests: Counter
    http_request_seconds: Histogram
    event_streams: Gauge
    alerts: Counter
    retention: Counter
    cost_micros: Counter
    cost_segments: Counter
    webhook_calls: Counter
    webhook_events: Counter
    webhook_call_seconds: Histogram
    webhooks_disabled: Counter
    limit_refusals: Counter
    probes: Counter
    probe_delivery_seconds: Gauge

    def watch(
        self, name: str, documentation: str, label: str, read: Callable[[], Mapping[str, float]]
    ) -> None:
        """Add a gauge with one label that is read when somebody looks; see `watch_by`."""
        self.watch_by(name, documentation, (label,), lambda: {(key,): value for key, value in read().items()})

    def watch_by(self, name: str, documentation: str, labels: Sequence[str], read: ReadByLabels) -> None:
        """Add a gauge that is read when somebody looks.

        Args:
            name: with the prefix ``hongyan_``.
            documentation: one sentence.
            labels: the names of its labels.
            read: label values -> value; called in the event loop at every scrape, so it must not block.
        """
        self.registry.register(_Watched(name, documentation, labels, read))

    def render(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self.registry)


def labeled(instrument: Instrument, *values: str) -> Instrument:
    """``instrument.labels(*values)``, remembered: looking it up costs more than counting, and labels are few."""
    child: Instrument = _child(instrument, values)
    return child


@lru_cache(maxsize=1_000)
def _child(instrument: Any, values: tuple[str, ...]) -> Any:
    return instrument.labels(*values)


class _Watched(Collector):
    """A gauge whose values are asked for at every scrape."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], read: ReadByLabels) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(self._name, self._documentation, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, reading in self._read().items():
            family.add_metric(values, reading)
        return [family]


def make_metrics() -> Metrics:
    """A fresh set in a fresh registry, with the process's own figures (memory, CPU, descriptors)."""
    registry = CollectorRegistry()
    ProcessCollector(namespace="hongyan", registry=registry)

    def counter(name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"hongyan_{name}", documentation, labels, registry=registry)

    def histogram(name: str, documentation: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(f"hongyan_{name}", documentation, labels, buckets=tuple(buckets), registry=registry)

    return Metrics(
        registry=registry,
        messages=counter("messages_total", "Messages that reached a status.", "status", "category"),
        segments=counter("segments_total", "Segments handed to a channel.", "channel", "outcome"),
        balance=Gauge(
            "hongyan_channel_balance",
            "What is left on the SIM, as last told.",
            ["channel"],
            registry=registry,
        ),
        channel_notices=counter(
            "channel_notices_total", "What channels had to tell: recovery steps ...", "channel", "code"
        ),
        alarms_raised=counter("alarms_raised_total", "Alarms that were raised.", "kind"),
        channel_standstills=counter(
            "channel_standstills_total",
            "Times that messages could go on a channel, and none did for some seconds.",
            "channel",
        ),
        receipts=counter("receipts_total", "Delivery reports.", "channel", "state"),
        receipts_not_understood=counter(
            "receipts_not_understood_total", "Delivery reports whose state is not known.", "channel"
        ),
        inquiries=counter("inquiries_total", "Segments that were asked after.", "channel", "outcome"),
        inbound=counter("inbound_total", "Mobile-originated messages.", "channel"),
        submit_seconds=histogram(
            "submit_seconds", "From a segment to the network's answer.", _NETWORK_BUCKETS, "channel"
        ),
        commit_operations=histogram("commit_operations", "Operations in one transaction.", _GROUP_BUCKETS),
        commit_seconds=histogram("commit_seconds", "Time of one durable transaction.", _DISK_BUCKETS),
        http_requests=counter("http_requests_total", "Requests answered.", "method", "route", "status"),
        http_request_seconds=histogram(
            "http_request_seconds", "Time until the answer was made.", _HTTP_BUCKETS, "route"
        ),
        event_streams=Gauge("hongyan_event_streams", "Open server-sent event streams.", registry=registry),
        alerts=counter("alerts_total", "Alarms that monitoring tools sent.", "receiver", "outcome"),
        retention=counter(
            "retention_deleted_rows_total", "Records deleted, or emptied, because of their age.", "kind"
        ),
        cost_micros=counter(
            "cost_micros_total",
            "What segments cost that the network took, in millionths of the currency's unit.",
            "channel",
            "currency",
        ),
        probes=counter("probes_total", "Probes of channels.", "channel", "outcome"),
        probe_delivery_seconds=Gauge(
            "hongyan_probe_delivery_seconds",
            "From the network's answer to the delivery report, of the last probe that was delivered.",
            ["channel"],
            registry=registry,
        ),
        limit_refusals=counter(
            "limit_refusals_total", "Times that a limit refused somebody.", "limit", "owner"
        ),
        cost_segments=counter(
            "cost_segments_total", "Segments with a price that the network took.", "channel", "currency"
        ),
        webhook_calls=counter("webhook_calls_total", "Calls to receivers of events.", "outcome"),
        webhook_events=counter("webhook_events_total", "Events of which receivers have heard."),
        webhook_call_seconds=histogram(
            "webhook_call_seconds", "Time of a call to a receiver of events.", _NETWORK_BUCKETS
        ),
        webhooks_disabled=counter(
            "webhooks_disabled_total", "Webhooks that are not called any more because nobody heard."
        ),
    )
