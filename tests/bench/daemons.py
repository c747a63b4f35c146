"""The daemon under load: started, and watched through its delivery log, which costs it nothing more."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.daemon import Daemon

POLL_S = 0.01
STUCK_S = 60.0
"""Without a new line in the delivery log for this long it will not come to an end."""


@asynccontextmanager
async def running(
    folder: Path, channels: str, *, n_up: int | None = None, store_url: str | None = None, secret: str = ""
) -> AsyncIterator[tuple[Daemon, int]]:
    """The daemon, ready, and its pid.

    Args:
        store_url: None for a file in the folder.
        secret: of a key in that store, if it has any.
    """
    daemon = Daemon(folder, channels, store_url=store_url, secret=secret)
    try:
        await daemon.start(n_up=n_up)
        assert daemon.process is not None
        yield daemon, daemon.process.pid
        await daemon.stop()
    except Exception:
        print(daemon.log(), file=sys.stderr)
        raise
    finally:
        await daemon.close()


async def wait_logged(delivery: Path, event: str, n: int, *, skip: int = 0) -> float:
    """Wait until the delivery log holds ``n`` lines of an event; the instant (`time.perf_counter`).

    Args:
        skip: lines that do not count: of earlier waits.
    """
    wanted = f'"type":"{event}"'.encode()
    found = -skip
    half_line = b""
    progress_at = time.perf_counter()
    with delivery.open("rb") as log:
        while found < n:
            fresh = log.read()
            if not fresh:
                if time.perf_counter() - progress_at > STUCK_S:
                    raise TimeoutError(f"{found} of {n} {event} and no more")
                await asyncio.sleep(POLL_S)
                continue
            progress_at = time.perf_counter()
            whole, newline, half_line = (half_line + fresh).rpartition(b"\n")
            found += (whole + newline).count(wanted)
    return time.perf_counter()
