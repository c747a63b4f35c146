"""How alarms read as a text: a template for each, several in one, and what is cut is marked as cut. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from gateway.alerts.payload import Alarm
from gateway.alerts.receivers import Receiver
from gateway.store.alerts import HeldKind

DEFAULT_TEMPLATE: Final = "{alertname} {instance}: {summary}"
FIELDS: Final = ("alertname", "instance", "severity", "summary", "description", "values")
"""What a template may name, beside ``labels.NAME`` and ``annotations.NAME``."""
LINE_CHARS: Final = 80
"""Of each alarm where several share a text."""
KEPT_CHARS: Final = 200
"""Of the line that is kept with an alarm."""
_FIELD = re.compile(r"\{([^{}]*)\}")
_ANY_FIELD = re.compile(r"(?:labels|annotations)\.[a-zA-Z0-9_./-]+")
_SUMMARIES = ("summary", "description", "message", "title")

Cut = Callable[[str, int, str], str]
"""Text, segments, rest: the text with the rest behind it, its end left out and marked where both don't fit."""


def find_template_fault(template: str) -> str | None:
    """What is wrong with a template; None if nothing."""
    for field in _FIELD.findall(template):
        if field not in FIELDS and not _ANY_FIELD.fullmatch(field):
            known = ", ".join((*FIELDS, "labels.NAME", "annotations.NAME"))
            return f"names {{{field}}}, which is not known; write one of {known}"
    return None


def write_line(alarm: Alarm, template: str) -> str:
    """One alarm by a template; what it does not have leaves no gap."""
    line = " ".join(_FIELD.sub(lambda field: _value(alarm, field[1]), template).split())
    line = re.sub(r" ([:;,.])", r"\1", line)
    return line.rstrip(" :;,(–-") or alarm.name


def write_text(receiver: Receiver, alarms: Sequence[Alarm], n_left_out: int, cut: Cut) -> str:
    """One text for alarms that all fire, or are all over.

    Args:
        n_left_out: alarms besides, of which nothing more is known.
    """
    word = receiver.firing if alarms[0].is_firing else receiver.resolved
    n = len(alarms) + n_left_out
    head = f"[{word}]" if n == 1 else f"[{word} {n}]"
    # Of thousands only those are written that can find room.
    lines = [write_line(alarm, receiver.template) for alarm in alarms[: 80 * receiver.max_segments]]
    if n == 1:
        return cut(f"{head} {lines[0]}", receiver.max_segments, "")
    lines = [line if len(line) <= LINE_CHARS else line[: LINE_CHARS - 3] + "..." for line in lines]

    def write(n_lines: int) -> tuple[str, str]:
        left = n - n_lines
        return "\n".join([f"{head} {lines[0]}", *lines[1:n_lines]]), f"\nand {left} more" if left else ""

    low, high = 1, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        body, rest = write(middle)
        if cut(body, receiver.max_segments, rest) == body + rest:
            low = middle
        else:
            high = middle - 1
    body, rest = write(low)
    return cut(body, receiver.max_segments, rest)


def write_held(receiver: Receiver, kinds: Sequence[HeldKind], cut: Cut) -> str:
    """One text for all alarms that were held back.

    Args:
        kinds: the most frequent first; the last may stand for all others.
    """
    n, n_over = sum(kind.n for kind in kinds), sum(kind.n_over for kind in kinds)
    over = f", {n_over} of them over" if n_over else ""
    shown = [kind.line if kind.n == 1 else f"{kind.name} x{kind.n}" for kind in kinds]
    head = f"and {n} more alarm{'s' if n > 1 else ''}{over}: "
    return cut(head + "; ".join(shown), receiver.max_segments, "")


def _value(alarm: Alarm, field: str) -> str:
    group, dot, name = field.partition(".")
    if dot:
        return (alarm.labels if group == "labels" else alarm.annotations).get(name, "")
    match field:
        case "alertname":
            return alarm.name
        case "values":
            return alarm.values
        case "summary":
            return next((alarm.annotations[key] for key in _SUMMARIES if alarm.annotations.get(key)), "")
        case "description":
            return alarm.annotations.get("description", "")
        case _:
            return alarm.labels.get(field, "")
