"""The program's own log, on stderr: one chain for structlog and for the drivers' stdlib loggers.

Lines are JSON for machines and coloured text for people on a terminal; both are redacted. The delivery
log is another thing (`gateway.pipeline.publish`).
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

from gateway.telemetry.redact import redact_event

_QUIET = {"aiohttp.access": logging.WARNING, "asyncio": logging.INFO}
"""Access lines would carry what clients put into query strings; asyncio's debug lines are for its authors."""


def configure_log(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to one place in one form.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``json``, ``console``, or ``auto``: console if ``stream`` is a terminal.
        stream: where to; None for stderr.
    """
    stream = stream or sys.stderr
    for_people = form == "console" or (form == "auto" and stream.isatty())
    chain = _chain(for_people=for_people)
    renderer = _renderer(for_people=for_people, colours=stream.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*chain, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *chain],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, threshold))


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
        return structlog.dev.ConsoleRenderer(colors=colours)
    return structlog.processors.JSONRenderer(ensure_ascii=False)
