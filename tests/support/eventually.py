"""Waiting for what nobody announces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], bool | Awaitable[bool]], deadline_s: float = 60.0) -> None:
    """Look at the condition turn by turn of the loop until it holds; TimeoutError when it never does."""
    async with asyncio.timeout(deadline_s):
        while True:
            held = condition()
            if await held if isinstance(held, Awaitable) else held:
                return
            await asyncio.sleep(0.001)
