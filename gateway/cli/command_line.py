"""The command line as others see it: `ps` shows to every user of the machine what was typed."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

_ARG_START, _ARG_END = 47, 48
"""Where ``/proc/PID/stat`` says that the arguments lie; counted from 0 (proc(5))."""


def cover(secret: str) -> None:
    """Write over a secret that was an argument, so that `ps` shows it no more; where that can't be, nothing happens.

    It was to be seen until now: better is an environment variable or a file.
    """
    if not secret or not any(secret in argument for argument in sys.argv):
        return
    octets = secret.encode("utf-8", "surrogateescape")
    with suppress(OSError, ValueError, IndexError):
        fields = (
            Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        # The process's number and name stand before them.
        start, end = int(fields[_ARG_START - 2]), int(fields[_ARG_END - 2])
        shown = ctypes.string_at(start, end - start)
        at = shown.find(octets)
        while at >= 0:
            ctypes.memset(start + at, ord("*"), len(octets))
            at = shown.find(octets, at + len(octets))
