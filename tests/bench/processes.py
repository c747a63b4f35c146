"""Processes beside ours: started, measured from /proc, ended."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

START_S = 30.0
STOP_S = 10.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used, all of its threads."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """Resident memory now (``VmRSS``) or at its highest (``VmHWM``)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def family(*pids: int) -> list[int]:
    """These processes, those that they have started, and theirs."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parent = int(path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = list(pids)
    for parent in found:
        found += children.get(parent, ())
    return found


class Meter:
    """CPU that some processes, and those that they have started, use from now on, together."""

    def __init__(self, *pids: int) -> None:
        self._pids = family(*pids)
        self._before_s = self._now_s()

    def _now_s(self) -> float:
        return sum(cpu_s(pid) for pid in self._pids)

    @property
    def used_s(self) -> float:
        """Seconds since the meter was made."""
        return self._now_s() - self._before_s


@asynccontextmanager
async def started(
    command: Iterable[object], log: Path, *, stdin: bool = False, most_octets: int = 1 << 16
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process; its stdout is a pipe (its stdin, too, if asked), what it complains of goes to ``log``.

    Args:
        most_octets: of a line that it says.
    """
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=most_octets,
        )
    try:
        yield process
    finally:
        await end(process)


@asynccontextmanager
async def operator(kind: str, folder: Path, **options: object) -> AsyncIterator[tuple[int, Any]]:
    """A simulated operator in a process of its own; its pid, and what it says when it is ready."""
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    command = [sys.executable, "-m", "tests.bench.operator", kind, "--folder", folder, *flags]
    async with started(command, folder / f"{kind}.log") as process:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        yield process.pid, msgspec.json.decode(line)


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL for one that does not go."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
