"""The AT traces of modems while they run: one masked file for all (``--trace``), or one a channel, on and off."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol, runtime_checkable

from drivers.at.trace import TraceFile, TraceSwitch
from gateway.errors import Conflict, NotSupported
from gateway.pipeline.sending.lane import Lane
from gateway.routing.channel import TraceReply

MAX_OCTETS = 50_000_000
"""Of one channel's file, some days of a busy modem; what comes later is not written down."""
_FACT = "trace"


@runtime_checkable
class SpeaksAt(Protocol):
    """A driver that talks to a modem."""

    @property
    def trace(self) -> TraceSwitch:
        """Put a listener in to hear every octet of the port, from now on."""
        ...


class Traces:
    """Who writes down what is said to which modem.

    Args:
        folder: for the files of single channels; made when the first is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, TraceFile] = {}
        self._common: TraceFile | None = None

    def write_all(self, file: TraceFile, lanes: list[Lane]) -> None:
        """One file for all modems; it stays its owner's to close."""
        self._common = file
        for lane in lanes:
            if isinstance(lane.driver, SpeaksAt):
                lane.driver.trace.inner = file.tap(lane.name)

    def take_over(self, lane: Lane) -> None:
        """A lane's driver is new: what is written down of its channel goes on."""
        if isinstance(lane.driver, SpeaksAt) and (file := self._files.get(lane.name)) is not None:
            lane.driver.trace.inner = file.tap(lane.name)
            lane.facts = {**lane.facts, _FACT: str(self._path(lane))}
        elif isinstance(lane.driver, SpeaksAt) and self._common is not None:
            lane.driver.trace.inner = self._common.tap(lane.name)

    def switch(self, lane: Lane, *, on: bool) -> TraceReply:
        """Begin or end one channel's own file. Begun a second time it goes on; begun after an end it is made anew.

        Raises:
            NotSupported: the channel is no modem.
            Conflict: the file can't be written.
        """
        driver = lane.driver
        if not isinstance(driver, SpeaksAt):
            raise NotSupported(f"a channel of kind {lane.traits.kind} speaks no AT; traces are for modems")
        path = self._path(lane)
        if on and lane.name not in self._files:
            file = self._files[lane.name] = self._open(path)
            driver.trace.inner = file.tap(lane.name)
            lane.facts = {**lane.facts, _FACT: str(path)}
        elif not on and (ended := self._files.pop(lane.name, None)) is not None:
            driver.trace.inner = self._common.tap(lane.name) if self._common else None
            ended.close()
            lane.facts = {key: value for key, value in lane.facts.items() if key != _FACT}
        return TraceReply(on=on, file=str(path) if on else None)

    def close(self) -> None:
        """End them all."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _path(self, lane: Lane) -> Path:
        return self._folder / f"{lane.name}.trace"

    def _open(self, path: Path) -> TraceFile:
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            return TraceFile(path, asyncio.get_running_loop().time, max_octets=MAX_OCTETS)
        except OSError as error:
            raise Conflict(f"the trace can't be written: {error.strerror}") from error
