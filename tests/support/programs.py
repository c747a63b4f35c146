"""Run programs that are not ours beside the test's event loop, with a deadline, and leave none behind."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STOP_DEADLINE_S = 15.0
_PATH = os.environ.get("PATH", "") + ":/usr/sbin"  # where Debian puts daemons; not on a user's own PATH
_ENVIRONMENT = {"PATH": _PATH, "LC_ALL": "C.UTF-8"}


def has_program(name: str) -> bool:
    """Whether `run_program` would find it."""
    return shutil.which(name, path=_PATH) is not None


async def run_program(*command: str, deadline_s: float = 60.0) -> str:
    """Run a program to its end and return what it printed; a failure shows that text."""
    async with started_program(*command) as process:
        async with asyncio.timeout(deadline_s):
            output, _ = await process.communicate()
    text = output.decode("utf-8", "replace")
    assert process.returncode == 0, text
    return text


@asynccontextmanager
async def started_program(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program that runs for as long as the block; SIGTERM ends it, SIGKILL if it does not listen."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_ENVIRONMENT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_DEADLINE_S):
                    await process.communicate()
            except TimeoutError:
                process.kill()
                await process.communicate()
