"""What the demonstration shows while it runs: a live screen on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gateway.cli.tail import format_event

LOG_LINES = 12
_ENDS = {"delivered", "undelivered", "failed", "expired", "canceled", "blocked", "uncertain"}


class View:
    """Follows the events; draws them if there is a terminal.

    Args:
        live: the screen; None for plain lines on stdout.
    """

    def __init__(self, live: Live | None) -> None:
        self._live = live
        self._ended: set[str] = set()
        self._changed = asyncio.Event()
        self._channels: list[dict[str, Any]] = []
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._progress = Progress(
            TextColumn("settled"), BarColumn(bar_width=60), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._progress.add_task("settled", total=0)
        self._expected = 0

    def expect(self, n: int) -> None:
        """So many messages more are to be settled."""
        self._expected += n
        self._progress.update(self._task, total=self._expected)

    def ended(self, message_id: str) -> bool:
        """Whether a message has come to its end."""
        return message_id in self._ended

    async def changed(self) -> None:
        """Wait for the next event."""
        self._changed.clear()
        await self._changed.wait()

    def show_event(self, event: dict[str, Any]) -> None:
        """One line of the delivery log."""
        data = event["data"]
        if event["type"].startswith("message.") and data["status"] in _ENDS:
            self._ended.add(data["id"])
            self._progress.update(self._task, completed=min(len(self._ended), self._expected))
        line = format_event(event, with_id=self._live is None)  # the screen is too narrow for whole ids
        if self._live is None:
            print(line, flush=True)
        else:
            self._log.append(line)
            self._live.update(self._screen())
        self._changed.set()

    def show_channels(self, channels: list[dict[str, Any]]) -> None:
        """The channels' counters."""
        self._channels = channels
        if self._live is not None:
            self._live.update(self._screen())

    def _screen(self) -> Group:
        table = Table("channel", "kind", "state", "on the wire", "sent", "received", expand=True)
        for c in self._channels:
            row = (c["name"], c["kind"], c["state"], c["in_flight"], c["sent"], c["received"])
            table.add_row(*map(str, row))
        log = Panel(
            Group(*(Text.from_ansi(line, no_wrap=True, overflow="ellipsis") for line in self._log)),
            title="delivery log",
            height=LOG_LINES + 2,
        )
        return Group(self._progress, table, log)


@contextmanager
def make_view(n_channels: int) -> Iterator[View]:
    """The view for this stdout."""
    if not sys.stdout.isatty():
        print(
            f"hongyan demo: a daemon with {n_channels} simulated channels, on this machine only", flush=True
        )
        yield View(None)
        return
    console = Console()
    with Live(console=console, refresh_per_second=10) as live:
        yield View(live)
