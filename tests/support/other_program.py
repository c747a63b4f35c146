"""Peers by others that run as processes of their own and tell what they see, one JSON object a line."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.peers import need_peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

INTEROP = Path(__file__).parent.parent / "interop"
NODE = INTEROP / "node"
PEERS = INTEROP / "peers"
DEADLINE_S = 60.0


class OtherProgram:
    """What such a process tells, and a way to give it orders.

    Attributes:
        told: every fact so far; each has the key ``event``.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._stdout = process.stdout
        self.told: list[dict[str, Any]] = []

    async def wait_for(self, event: str, **values: object) -> dict[str, Any]:
        """The next fact of this kind that has these values; those before it are kept in ``told``."""
        async with asyncio.timeout(DEADLINE_S):
            while line := await self._stdout.readline():
                fact: dict[str, Any] = json.loads(line)
                self.told.append(fact)
                if fact["event"] == event and values.items() <= fact.items():
                    return fact
        raise AssertionError(f"the other program ended without {event}; it told {self.told}")

    def order(self, **order: object) -> None:
        """Tell it to do something."""
        self._stdin.write(json.dumps(order).encode() + b"\n")

    def end(self) -> None:
        """Let the process finish."""
        self._stdin.close()


@asynccontextmanager
async def other_program(*command: str) -> AsyncIterator[OtherProgram]:
    """Run it for as long as the block; closing its input is the sign for it to end."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    peer = OtherProgram(process)
    try:
        yield peer
    finally:
        peer.end()
        try:
            await asyncio.wait_for(process.wait(), DEADLINE_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def node_command(script: str, *arguments: object) -> tuple[str, ...]:
    """How to run one of the scripts in ``tests/interop/node``; skips or fails without npm's smpp."""
    need_peer("node")
    need_peer("smpp of npm", present=(NODE / "node_modules" / "smpp").is_dir())
    return ("node", str(NODE / script), *map(str, arguments))
