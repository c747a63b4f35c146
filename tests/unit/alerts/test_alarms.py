"""Alarms in pure code: what tools send, who gets it, whether it is news, how it reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway.alerts.judge import News, judge, let_pass
from gateway.alerts.payload import (
    MOST_LABELS,
    MOST_VALUE_CHARS,
    Alarm,
    AlertmanagerPayload,
    GrafanaPayload,
    Report,
    read_report,
)
from gateway.alerts.receivers import BadMatcher, Receiver, find_receivers, parse_matcher
from gateway.alerts.wording import find_template_fault, write_held, write_line, write_text
from gateway.policy.text import cut_text
from gateway.settings.alerts import AlertSettings
from gateway.settings.forms import Rate, parse_hours
from gateway.store.alerts import Heard, HeldKind, Window
from tests.support.vectors import load_vectors

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
BODIES = {entry["name"]: entry for entry in load_vectors("alerts", "bodies")}


def read(name: str) -> Report:
    tool, body = BODIES[name]["tool"], BODIES[name]["body"]
    if tool == "grafana":
        return read_report(tool, msgspec.json.decode(body, type=GrafanaPayload))
    return read_report(tool, msgspec.json.decode(body, type=AlertmanagerPayload))


def receiver(**settings: object) -> Receiver:
    return AlertSettings(**{"name": "on-call", "to": ("+8613800138000",)} | settings).receiver()  # type: ignore[arg-type]


def alarm(**fields: object) -> Alarm:
    values = {"fingerprint": "f", "is_firing": True, "starts_ms": 1_000, "labels": {}, "annotations": {}}
    return Alarm(**values | fields)  # type: ignore[arg-type]


def cut(text: str, most: int, rest: str = "") -> str:
    return cut_text(text, most, mark=True, rest=rest)


# --- what tools send ---


def test_bodies_of_the_tools_are_read():
    first, second = read("alertmanager firing").alarms
    assert (first.fingerprint, first.name, first.is_firing) == ("1a30ba71cca2921f", "InstanceDown", True)
    assert second.labels["instance"] == "web-2:9100"
    assert first.starts_ms == second.starts_ms  # one instant in two zones, one with nanoseconds
    (ended,) = read("alertmanager resolved, no fingerprint (before 0.19), of a version to come").alarms
    assert not ended.is_firing
    assert len(ended.fingerprint) == 32
    (memory,) = read("grafana firing").alarms
    assert memory.values == "B=44.2394, C=1"
    (no_data,) = read("grafana no data, values null").alarms
    assert (no_data.name, no_data.values) == ("DatasourceNoData", "")


def test_without_a_fingerprint_the_labels_make_one():
    def fingerprint(**labels: str) -> str:
        body = {"alerts": [{"status": "firing", "labels": labels}]}
        return read_report("grafana", msgspec.convert(body, GrafanaPayload)).alarms[0].fingerprint

    assert fingerprint(a="1", b="2") == fingerprint(b="2", a="1")
    assert fingerprint(a="1") != fingerprint(a="2") != fingerprint()


def test_what_is_huge_or_strange_is_bounded():
    labels = {f"l{n}": "雁" * 10_000 for n in range(1_000)} | {"x" * 10_000: "y"}
    body = {"alerts": [{"labels": labels, "startsAt": "yesterday", "fingerprint": "f" * 5_000}] * 3}
    report = read_report("grafana", msgspec.convert(body, GrafanaPayload))
    (one,) = report.alarms
    assert len(one.labels) == MOST_LABELS
    assert {len(value) for value in one.labels.values()} == {MOST_VALUE_CHARS}
    assert one.labels["l0"].endswith("雁…")
    assert (one.starts_ms, len(one.fingerprint), one.is_firing) == (0, 32, True)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-13-01", ""])
def test_no_time_is_too_strange(at):
    body = {"alerts": [{"startsAt": at}]}
    assert read_report("grafana", msgspec.convert(body, GrafanaPayload)).alarms[0].starts_ms >= 0


def test_line_feeds_and_control_characters_of_values_do_not_reach_a_handset():
    body = {"alerts": [{"labels": {"alertname": "a\n\x00 b\u202e"}}]}
    assert read_report("grafana", msgspec.convert(body, GrafanaPayload)).alarms[0].name == "a b"


# --- who gets it ---


@pytest.mark.parametrize(
    ("text", "labels", "fits"),
    [
        ('severity="critical"', {"severity": "critical"}, True),
        ("severity=critical", {"severity": "critical"}, True),
        ("severity = warning", {"severity": "critical"}, False),
        ('severity!="critical"', {}, True),
        ('job=~"db|web"', {"job": "web"}, True),
        ('job=~"db|web"', {"job": "web-1"}, False),  # the whole value, as Alertmanager has it
        ('job!~"web.*"', {"job": "web-1"}, False),
        ('team=""', {}, True),
        ("team=", {"team": "x"}, False),
    ],
)
def test_matchers_mean_what_they_mean_to_alertmanager(text, labels, fits):
    assert parse_matcher(text).takes(labels) is fits


@pytest.mark.parametrize("text", ["", "severity", "=critical", "1a=b", 'job=~"("'])
def test_what_is_no_matcher_is_refused(text):
    with pytest.raises(BadMatcher):
        parse_matcher(text)


def test_the_first_table_that_fits_takes_an_alarm_and_others_where_it_says_so():
    tables = [
        receiver(name="log", goes_on=True),
        receiver(name="page", match=('severity="critical"',)),
        receiver(name="rest", match=('env!="test"',)),
    ]
    assert [r.name for r in find_receivers(tables, {"severity": "critical"})] == ["log", "page"]
    assert [r.name for r in find_receivers(tables, {"severity": "info"})] == ["log", "rest"]
    assert [r.name for r in find_receivers(tables[1:], {"env": "test"})] == []


# --- whether it is news ---


def heard(**fields: object) -> Heard:
    row = Heard(
        "i", "on-call", "grafana", "f", "A", "A", True, 1_000, NOW, told_at=NOW - timedelta(minutes=10)
    )
    return row._replace(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "before", "news"),
    [
        ({}, None, News.TELL),
        ({}, heard(), News.KNOWN),
        ({"starts_ms": 2_000}, heard(), News.TELL),  # it fires anew
        ({"starts_ms": 500}, heard(), News.KNOWN),  # another Alertmanager saw it earlier
        ({}, heard(told_at=NOW - timedelta(hours=1)), News.TELL),  # repeat_after
        ({}, heard(held=True, told_at=None), News.KNOWN),
        ({}, heard(is_firing=False), News.TELL),  # Prometheus was cut off from Alertmanager meanwhile
        ({}, heard(told_at=None), News.TELL),  # nobody could be told then
        ({"is_firing": False}, None, News.SILENT),
        ({"is_firing": False}, heard(), News.TELL),
        ({"is_firing": False}, heard(is_firing=False), News.KNOWN),
        ({"is_firing": False, "starts_ms": 500}, heard(), News.KNOWN),  # the end of an older one
        ({"is_firing": False}, heard(told_at=None), News.SILENT),
        ({"is_firing": False}, heard(told_at=None, held=True), News.TELL),
    ],
)
def test_what_is_news(fields, before, news):
    assert judge(alarm(**fields), before, receiver(), NOW) is news


def test_who_wants_no_ends_is_told_none():
    assert judge(alarm(is_firing=False), heard(), receiver(send_resolved=False), NOW) is News.SILENT


def test_the_storm_guard_lets_so_many_pass_and_says_when_the_rest_is_told():
    guarded = receiver(storm=Rate(2, 600.0))
    window, passed = Window(0, NOW, 0), []
    for _ in range(4):
        passes, window = let_pass(guarded, window, NOW + timedelta(seconds=60))
        passed.append(passes)
    assert passed == [True, True, False, False]
    assert window.due_at == NOW + timedelta(seconds=600)
    passes, window = let_pass(guarded, window._replace(due_at=None), NOW + timedelta(seconds=601))
    assert (passes, window.n_texts) == (True, 1)


def test_outside_of_its_hours_a_table_holds_everything():
    day = receiver(active_hours=parse_hours("08:00-22:00"))
    night = NOW.astimezone().replace(hour=23, minute=0)
    passes, window = let_pass(day, Window(0, NOW, 0), night)
    assert not passes
    assert window.due_at is not None
    assert window.due_at.astimezone().hour == 8
    assert window.due_at > night


# --- how it reads ---


def test_one_alarm_reads_as_its_template_says():
    (first, _) = read("alertmanager firing").alarms
    assert (
        write_text(receiver(), [first], 0, cut) == "[FIRING] InstanceDown web-1:9100: web-1 does not answer"
    )
    own = receiver(template="{severity} {labels.job} {annotations.summary} {labels.none}", firing="告警")
    assert write_text(own, [first], 0, cut) == "[告警] critical node web-1 does not answer"


def test_what_an_alarm_does_not_have_leaves_no_gap():
    assert write_line(alarm(), "{alertname} {instance}: {summary}") == "alarm"
    named = alarm(labels={"alertname": "A"}, annotations={"description": "d"})
    assert write_line(named, "{alertname} {instance}: {summary}") == "A: d"


@pytest.mark.timeout(10)
def test_a_line_of_marks_is_written_at_once():
    marks = ":" * 1_000_000
    assert write_line(alarm(labels={"alertname": f"{marks}x"}), "{alertname}") == f"{marks}x"
    assert write_line(alarm(labels={"alertname": f"x{marks} (–"}), "{alertname}") == "x"


def test_several_alarms_share_a_text_and_those_that_do_not_fit_are_counted():
    alarms = [
        alarm(fingerprint=str(n), labels={"alertname": "Down", "instance": f"web-{n}"}) for n in range(143)
    ]
    text = write_text(receiver(max_segments=2), alarms, 7, cut)
    assert text.startswith("[FIRING 150] Down web-0\nDown web-1\n")
    n_shown = text.count("web-")
    assert text.endswith(f"\nand {150 - n_shown} more")
    assert n_shown > 15
    assert cut_text(text, 2) == text


def test_a_single_line_that_is_too_long_is_cut_where_one_sees_it():
    plain = alarm(labels={"alertname": "A"}, annotations={"summary": "disk is full " * 50})
    text = write_text(receiver(max_segments=1), [plain], 0, cut)
    assert len(text) <= 160
    assert text.endswith("...")  # the character of that look would halve the room
    chinese = alarm(labels={"alertname": "A"}, annotations={"summary": "磁盘已满" * 50})
    text = write_text(receiver(max_segments=1), [chinese], 0, cut)
    assert len(text) == 70
    assert text.endswith("…")
    both = write_text(receiver(max_segments=1), [chinese, chinese._replace(fingerprint="g")], 998, cut)
    assert both.endswith("…\nand 999 more")
    assert len(both) <= 70


def test_what_was_held_is_told_by_name_and_number():
    kinds = [HeldKind("Down", "Down web-1", 140, 12), HeldKind("Full", "Full db-1: 99 %", 1, 0)]
    assert (
        write_held(receiver(), kinds, cut)
        == "and 141 more alarms, 12 of them over: Down x140; Full db-1: 99 %"
    )


def test_templates_name_what_there_is():
    assert find_template_fault("{alertname} {labels.x} {annotations.y/z}") is None
    assert "{status}" in str(find_template_fault("{status} {alertname}"))
