"""The program's own log, on stderr: one chain for structlog and for the drivers' stdlib loggers.

Lines are JSON for machines and coloured text for people on a terminal; both are redacted. Of lines that come from one
place in the code only so many a minute are written, whatever clients and peers do. The delivery log is another thing
(`gateway.timeline.delivery_log`).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import Processor

from drivers.paced_log import LogQuota
from gateway.telemetry.outlet import LogStream, Outlet
from gateway.telemetry.redact import redact_event

_QUIET = {"aiohttp.access": logging.WARNING, "asyncio": logging.INFO}
"""Access lines would carry what clients put into query strings; asyncio's debug lines are for its authors."""

_MOST_A_MINUTE: Final = 1_000
"""Lines from one place in the code; those that others can cause at will have a lower bound of their own."""


class _Bound(logging.Filter):
    """Leaves out what goes beyond `_MOST_A_MINUTE`, and tells how much that was."""

    def __init__(self) -> None:
        super().__init__()
        self._quota = LogQuota(_MOST_A_MINUTE)

    def filter(self, record: logging.LogRecord) -> bool:
        left_out = self._quota.admit((record.pathname, record.lineno))
        if left_out:
            record.left_out = left_out
        return left_out is not None

    def bound_event(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The same for structlog's loggers, whose events are constants."""
        left_out = self._quota.admit(event.get("event"))
        if left_out is None:
            raise structlog.DropEvent
        if left_out:
            event["left_out"] = left_out
        return event


def open_log(level: str, form: str) -> Outlet:
    """Send everything that is logged in this process to stderr; see `configure_log`.

    Returns:
        What writes it, to be drained before the process ends. Logging neither waits for stderr nor fails with it.
    """
    outlet = Outlet(sys.stderr.fileno(), on_lost=_tell_lost)
    configure_log(level, form, LogStream(outlet), is_terminal=sys.stderr.isatty())
    return outlet


def configure_log(
    level: str, form: str, stream: TextIO | LogStream, *, is_terminal: bool | None = None
) -> None:
    """Send everything that is logged in this process to one place in one form.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``json``, ``console``, or ``auto``: console for a terminal.
        stream: where to.
        is_terminal: whether people read it there; None asks the stream.
    """
    if is_terminal is None:
        is_terminal = not isinstance(stream, LogStream) and stream.isatty()
    for_people = form == "console" or (form == "auto" and is_terminal)
    chain = _chain(for_people=for_people)
    renderer = _renderer(for_people=for_people, colours=is_terminal)
    bound = _Bound()
    structlog.configure(
        processors=[bound.bound_event, *chain, renderer],
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, stream)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *chain],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(bound)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """Write lines of this level and above from now on, see `configure_log`."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(threshold))
    logging.getLogger().setLevel(threshold)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, threshold))


def _tell_lost(n: int) -> None:
    logging.getLogger(__name__).warning("%d log lines were lost: they could not be written to stderr", n)


def _chain(*, for_people: bool) -> list[Processor]:
    """What both kinds of loggers pass through; redaction comes last, so that tracebacks are redacted too."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_people else "iso", utc=not for_people),
        structlog.processors.format_exc_info,
        redact_event,
    ]


def _renderer(*, for_people: bool, colours: bool) -> Processor:
    if for_people:
        # Where rich is installed, structlog would show local variables: numbers, texts, secrets.
        plain = structlog.dev.plain_traceback
        return structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)
    return structlog.processors.JSONRenderer(ensure_ascii=False)
