"""A way out for lines that must hold up nobody: a thread of its own writes them to a descriptor.

What reads a log may be gone (a terminal that was closed, ``| tee`` after Ctrl-C), full (a disk) or stand still (a
pager, a terminal after Ctrl-S). Who logs never waits for that and never learns of it by an exception.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

ROOM = 4_000_000
"""Octets that may wait: some ten thousand lines."""
RETRY_S = 1.0
"""Between two tries of a patient outlet."""


class Outlet:
    """Writes to one descriptor, in order; the thread begins with the first line.

    Args:
        fd: where to; stays its owner's.
        patient: what can't be written now is tried again until it can; without it, it is dropped.
        on_lost: told, in the outlet's thread, how many lines were dropped, once a later one could be written.
        on_error: told, in the outlet's thread, why nothing can be written; once for each row of failures.
        room: octets that may wait; what comes beyond is dropped.
    """

    def __init__(
        self,
        fd: int,
        *,
        patient: bool = False,
        on_lost: Callable[[int], None] | None = None,
        on_error: Callable[[OSError], None] | None = None,
        room: int = ROOM,
    ) -> None:
        self._fd = fd
        self._patient = patient
        self._on_lost = on_lost
        self._on_error = on_error
        self._room = room
        self._waiting: deque[bytes] = deque()
        self._n_waiting = 0
        self._n_lost = 0
        self._failing = False
        self._cut = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def n_waiting(self) -> int:
        """Octets that are not written yet."""
        return self._n_waiting

    def put(self, lines: bytes) -> None:
        """Hand over whole lines; returns at once."""
        with self._changed:
            if self._n_waiting + len(lines) > self._room and self._waiting:
                self._n_lost += 1
                return
            self._waiting.append(lines)
            self._n_waiting += len(lines)
            self._changed.notify_all()
            if self._thread is None:
                # A daemon thread: one that hangs in a write must not keep the process from its end.
                self._thread = threading.Thread(target=self._work, name="outlet", daemon=True)
                self._thread.start()

    def drain(self, patience_s: float) -> bool:
        """Wait until all is written or dropped, but no longer than so many seconds; whether nothing was lost."""
        deadline = time.monotonic() + patience_s
        with self._changed:
            while self._waiting:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
            return self._n_lost == 0

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                lines = self._waiting[0]
            written = self._write(lines)
            with self._changed:
                self._waiting.popleft()
                self._n_waiting -= len(lines)
                n_lost = self._n_lost
                self._n_lost = 0 if written else n_lost + 1
                self._changed.notify_all()
            if written and n_lost and self._on_lost:
                self._on_lost(n_lost)

    def _write(self, lines: bytes) -> bool:
        rest = memoryview(b"\n" + lines if self._cut else lines)
        while rest:
            try:
                n_written = os.write(self._fd, rest)
            except BlockingIOError:  # whoever shares the descriptor with us made it so
                self._wait_for_room()
            except OSError as error:
                self._complain(error)
                if not self._patient:
                    # The next line must not stand behind half a line.
                    self._cut = self._cut or 0 < len(rest) < len(lines)
                    return False
                threading.Event().wait(RETRY_S)
            else:
                rest = rest[n_written:]
        self._cut = self._failing = False
        return True

    def _wait_for_room(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll(RETRY_S * 1_000)

    def _complain(self, error: OSError) -> None:
        if not self._failing and self._on_error:
            self._on_error(error)
        self._failing = True


class LogStream:
    """An outlet in the form of a text file, for those who log; neither call ever waits or fails."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def write(self, text: str) -> int:
        """Hand over whole lines."""
        self._outlet.put(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Nothing is kept here."""
