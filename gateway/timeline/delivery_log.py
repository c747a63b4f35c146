"""The timeline as a log that operators can tail.

Its place in the timeline is the ``seq`` in its own last line; while a new or rotated file has no line yet, it is in a
small file beside it, ``NAME.place``. The table of readers is told it now and then, so that nothing is deleted that
the log has not written yet.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.model.events import Event
from gateway.model.lines import read_lines
from gateway.store.events import Lines, last_seq, load_lines
from gateway.store.ports import Store
from gateway.store.readers import register_place
from gateway.telemetry.outlet import Outlet
from gateway.telemetry.redact import mask_number
from gateway.timeline.follow import BATCH, SEEN_S, hand_events

_log = logging.getLogger(__name__)

READER = "delivery_log"
REGISTER_S = 10.0
"""How often the table of readers is told the place, while it moves."""
WRITE_RETRY_S = 1.0
STREAM_BACKLOG = 1_000_000
"""Octets that may wait for the reader of a stream before the log waits with it."""
STREAM_ROOM_S = 0.05
"""Between two looks whether the reader of a stream has caught up."""
STREAM_END_S = 2.0
"""For the reader of a stream, when the daemon stops."""
_STDOUT = 1
_TAIL_OCTETS = 65_536
"""Enough for the last line: a line is bounded by the fields of a message event."""

_LOGGED = {"message", "inbound", "subscription"}
"""What the delivery log tells; the state of channels is in the program's log, receipts are in the timeline."""
_OTHERS = re.compile(rb'^\{"seq":\d+,"at":"[^"]*","type":"(?!message\.)', re.MULTILINE)
"""Lines of other events than messages'."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class DeliveryLog:
    """JSON lines, one per state change, in order for each message.

    A file is written by the event loop and knows its own place. A stream (stdout, a pipe, a device) is written by a
    thread and has no place: a reader that is gone, or stands still, holds up this log and nothing else.

    Args:
        store: whose timeline it follows.
        clock: for when the place was told.
        target: a file's path, or ``-`` for stdout.
        mask_numbers: hide all but the first and last digits of numbers.
    """

    def __init__(self, store: Store, clock: Clock, target: str, *, mask_numbers: bool) -> None:
        self._store = store
        self._clock = clock
        self._path = None if target == "-" else Path(target)
        self._mask = mask_numbers
        self._file: int | None = None
        self._stream: Outlet | None = None
        self._seq = 0
        self._registered = 0
        self._registered_at = 0.0
        self._failing = False

    async def open(self) -> None:
        """Open the file and find the place to go on from.

        That is behind the event of its last line. A file without a line begins where ``NAME.place`` says, and a log
        that is new begins with the present.

        Raises:
            OSError: it can't be opened.
        """
        await self._find_place()
        await self._register()

    async def _find_place(self) -> None:
        newest = await self._store.read(last_seq)
        if self._path is None or _is_stream(self._path):
            self._seq = newest
            self._file = _STDOUT if self._path is None else os.open(self._path, _STREAM_FLAGS)
            self._stream = Outlet(self._file, patient=True, on_error=_complain)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = _last_seq_of(self._path)
        if written is None:
            written = _load_place(self._path)
        self._seq = newest if written is None else min(written, newest)
        self._file = _open(self._path)
        _save_place(self._path, self._seq)

    def adopt(self, *, mask_numbers: bool) -> None:
        """Show numbers in another way, from the next line on."""
        self._mask = mask_numbers

    def reopen(self) -> None:
        """Open the file anew, after it was moved away by logrotate; no line is lost or split.

        Where that can't be done, the old file is written on.
        """
        if self._path is None or self._file is None or self._stream is not None:
            return
        try:
            fresh = _open(self._path)
        except OSError as exc:
            _log.error(
                "cannot open the delivery log anew, writing on to the old file: %s: %s",
                self._path,
                exc.strerror or exc,
            )
            return
        with suppress(OSError):
            os.close(self._file)
        self._file = fresh
        _save_place(self._path, self._seq)

    def close(self) -> None:
        """Close the file."""
        if self._path is not None and self._file is not None and self._stream is None:
            with suppress(OSError):
                os.close(self._file)
            _save_place(self._path, self._seq)  # the file may be moved away before the next start
        self._file = None

    async def run(self) -> None:
        """Write until the store closes. Cancel: whole lines are written; `write_rest` goes on from there."""
        await hand_events(
            self._store, lambda: self._seq, self._write, "the delivery log", idle_s=self._idle_s
        )

    async def write_rest(self) -> None:
        """At stop: write what was committed since `run` was cancelled, once; no room leaves it to the next start."""
        if self._file is None:  # it could not be opened: that is what ends the daemon
            return
        while lines := await self._store.read(lambda tx: load_lines(tx, self._seq, BATCH)):
            if not self._append(self._show(lines.octets)):
                break
            self._seq = lines.last_seq
        with suppress(StoreError):
            await self._register()
        if self._stream is not None:
            await asyncio.to_thread(self._stream.drain, STREAM_END_S)

    def _idle_s(self) -> float:
        return REGISTER_S if self._seq > self._registered else SEEN_S

    async def _register(self) -> None:
        """Tell the table of readers the place; the file's is the truth."""
        seq, now = self._seq, self._clock.now()
        await self._store.write(lambda tx: register_place(tx, READER, seq, now))
        self._registered, self._registered_at = seq, asyncio.get_running_loop().time()

    async def _write(self, lines: Lines | None) -> None:
        if lines is None:
            await self._register()
            return
        shown = self._show(lines.octets)
        if self._stream is not None:
            while self._stream.n_waiting > STREAM_BACKLOG:  # noqa: ASYNC110 - a reader tells nobody that it reads
                await asyncio.sleep(STREAM_ROOM_S)
        while not self._append(shown):  # noqa: ASYNC110 - nothing tells us when a disk has room again
            await asyncio.sleep(WRITE_RETRY_S)
        self._seq = lines.last_seq
        if asyncio.get_running_loop().time() - self._registered_at >= REGISTER_S:
            with suppress(StoreError):  # the lines are written: they must not be written again
                await self._register()

    def _show(self, lines: bytes) -> bytes:
        """What the log tells of some lines of the timeline; nearly always those lines as they are."""
        if not self._mask and _OTHERS.search(lines) is None:
            return lines
        return b"".join([self._show_line(line) for line in lines.splitlines(keepends=True)])

    def _append(self, lines: bytes) -> bool:
        """Write whole lines, or nothing and return False."""
        if self._stream is not None:
            self._stream.put(lines)
            return True
        assert self._file is not None
        try:
            start = os.fstat(self._file).st_size
            written = os.write(self._file, lines)
            if written < len(lines):
                os.ftruncate(self._file, start)  # a line that was cut would be there twice after the next try
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as exc:
            if not self._failing:
                _complain(exc)
            self._failing = True
            return False
        if self._failing:
            _log.warning("the delivery log is written again")
        self._failing = False
        return True

    def _show_line(self, line: bytes) -> bytes:
        if not self._mask and _OTHERS.search(line) is None:
            return line
        (event,) = read_lines(line)
        fields = _fields(event)
        if fields is None:
            return b""
        if self._mask:
            for name in ("to", "from", "number"):
                if name in fields:
                    fields[name] = mask_number(str(fields[name]))
        return bytes(_encode(fields)) + b"\n"


def _fields(event: Event) -> dict[str, Any] | None:
    """What the log tells of an event; None for nothing."""
    kind, _, verb = event.type.partition(".")
    if kind not in _LOGGED:
        return None
    data: dict[str, Any] = _decode(event.data)
    fields: dict[str, Any] = {"seq": event.seq, "at": event.at, "type": event.type}
    if kind == "message":
        return fields | data
    if kind == "inbound":
        fields |= {"id": event.subject, "from": data["from"], "channel": data["channel"]}
        return fields | {"parts": data["parts"], "keyword": data["keyword"]}
    return fields | {"number": event.subject, "status": verb, "source": data.get("source")}


_STREAM_FLAGS = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""A named pipe without a reader is an error at the start, not a start that waits for ever."""


def _is_stream(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # it is not there yet, or opening it will tell what is wrong
        return False


def _complain(error: OSError) -> None:
    _log.error("cannot write the delivery log, trying again: %s", error.strerror or error)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


def _save_place(path: Path, seq: int) -> None:
    """Remember up to where earlier files go; without it a crash before the first line would skip events."""
    fresh = path.with_name(f"{path.name}.place.new")
    try:
        fresh.touch(mode=0o640)
        with fresh.open("w") as file:
            file.write(f"{seq}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path.with_name(f"{path.name}.place"))
    except OSError as exc:  # a full disk, or a folder that is not ours: the log itself works all the same
        _log.warning("cannot remember the place of the delivery log: %s", exc.strerror or exc)


def _load_place(path: Path) -> int | None:
    try:
        return int(path.with_name(f"{path.name}.place").read_text())
    except (OSError, ValueError):
        return None


def _last_seq_of(path: Path) -> int | None:
    """The ``seq`` of the last whole line; a half line (power loss) is cut off. None for a new file."""
    try:
        with path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            start = file.seek(max(0, end - _TAIL_OCTETS))
            tail = file.read()
            whole = tail.rfind(b"\n") + 1
            if whole < len(tail):
                file.truncate(start + whole)
    except FileNotFoundError:
        return None
    for line in reversed(tail[:whole].splitlines()):
        try:
            return int(_decode(line)["seq"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            continue
    return None
