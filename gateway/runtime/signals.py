"""What signals ask of the daemon: an orderly end, an end at once, or its logs opened anew.

SIGTERM and SIGINT stop. SIGHUP means two things. Where the daemon was started on a terminal and that terminal is gone,
it stops, as every program on that terminal does. Everywhere else it opens the logs anew: for a service, which has no
terminal; under ``nohup``, which asks to outlive the terminal; on a terminal that is still there, when somebody sends
the signal by hand.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog

from gateway.telemetry.outlet import Outlet

SAME_SIGNAL_S = 1.0
"""A signal that comes twice within this is one: sent to us and to our process group, or passed on by a wrapper."""
HASTY_WORDS_S = 0.2
"""For the last line of the log, where somebody wants an end at once."""

_log = structlog.get_logger("gateway.daemon")


class Signals:
    """The daemon's signals, from its first step on; handlers act first and log then.

    Args:
        log: drained before an end at once.

    Attributes:
        stopping: an orderly end was asked for.
        reopen: opens the logs anew; None until there are any.
    """

    def __init__(self, log: Outlet) -> None:
        self.stopping = asyncio.Event()
        self.reopen: Callable[[], None] | None = None
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._first_at = 0.0
        self._has_terminal = False

    def watch(self) -> None:
        """Take the signals over."""
        self._has_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _terminal_is_there()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop, number.name)
        self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    async def stop_before(self, starting: asyncio.Task[Any]) -> bool:
        """Wait until the start is done; a signal meanwhile cancels it.

        Returns:
            Whether it came to its end. Its exception is raised.
        """
        stop = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait({starting, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.wait({starting})
            if starting.cancelled():
                return False
            starting.result()
            return True
        finally:
            stop.cancel()
            if not starting.done():
                starting.cancel()

    def _stop(self, name: str) -> None:
        """The first signal asks for an orderly end; whoever sends a second one will not wait for it."""
        if not self.stopping.is_set():
            self._first_at = self._loop.time()
            self.stopping.set()
            _log.info("stopping", signal=name)
        elif self._loop.time() - self._first_at >= SAME_SIGNAL_S:
            _log.warning("stopped at once", signal=name)
            self._log.drain(HASTY_WORDS_S)
            os._exit(1)  # what is on a wire becomes uncertain at the next start; nothing is lost

    def _hang_up(self) -> None:
        if self._has_terminal and not _terminal_is_there():
            self._stop("SIGHUP")
        elif self.reopen is not None:
            self.reopen()


def _terminal_is_there() -> bool:
    """Whether this process has a controlling terminal; one that hung up is none."""
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
        return True
    return False
