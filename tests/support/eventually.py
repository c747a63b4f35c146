"""Waiting for what nobody announces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def eventually(condition: Callable[[], bool], deadline_s: float = 60.0) -> None:
    """Look at the condition turn by turn of the loop until it holds; TimeoutError when it never does."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.001)
