"""A small life of the gateway that dies at one of its commits: run as a program, for every one of them.

``python -m tests.support.crash_scenario FOLDER ON_UNCERTAIN`` makes ``FOLDER/1``, ``FOLDER/2`` ... each with the
store and the journal of a run that was killed: the odd ones right before a commit began, the even ones right
after it had become durable and before anybody was told. The last one ran to its end.

Each run is a fork of this process, so that Python is started once only.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

from drivers.base import Accepted, OutboundSegment, SubmitResult
from gateway.pipeline.sending.retry import OnUncertain, RetryPolicy
from gateway.store.sqlite.writer import GroupWriter
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import receipt, running

KILLED = 137
MAX_MOMENTS = 120
TWO_PARTS = "雁" * 100


class JournalingDriver(ScriptedDriver):
    """Writes down each segment before it answers, as a network would that is not ours to forget.

    Args:
        journal: the file; one segment's id a line.
    """

    def __init__(self, name: str, journal: Path) -> None:
        super().__init__(name)
        self._journal = journal

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Journal, then accept under the segment's own id."""
        write_down(self._journal, segment.segment_id)
        await super().submit(segment)
        return Accepted(reference=segment.segment_id)


def write_down(journal: Path, line: str) -> None:
    """Append one line that survives the process."""
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, line.encode() + b"\n")
    os.close(handle)


def die_at(moment: int) -> None:
    """Let this process die before or after one of the commits to come."""
    moments = count(1)
    commit_group = GroupWriter.commit

    def step() -> None:
        if next(moments) == moment:
            os._exit(KILLED)

    def dying(self: GroupWriter, group: Any) -> Any:
        step()
        committed = commit_group(self, group)
        step()
        return committed

    GroupWriter.commit = dying  # type: ignore[method-assign]


async def live(folder: Path, on_uncertain: OnUncertain) -> None:
    """Accept a message of two parts, send it, take its receipts."""
    driver = JournalingDriver("a", folder / "submitted")
    policy = RetryPolicy(on_uncertain=on_uncertain, first_s=1.0)
    async with running(folder / "s.db", driver, policy=policy) as rig:
        message = await rig.send(text=TWO_PARTS)
        write_down(folder / "answered", message.id)
        await rig.until_status(message, "sent")
        for part in (1, 2):
            await driver.report(receipt(f"{message.id}:{part}"))
            write_down(folder / "receipts", f"{message.id}:{part}")


def main() -> None:
    """Fork for k = 1, 2 ... until a run reaches its end."""
    root, on_uncertain = Path(sys.argv[1]), OnUncertain(sys.argv[2])
    for moment in range(1, MAX_MOMENTS):
        folder = root / str(moment)
        folder.mkdir()
        child = os.fork()
        if child == 0:
            try:
                die_at(moment)
                asyncio.run(live(folder, on_uncertain))
            except BaseException:  # noqa: BLE001 - a fork must never go on as its parent
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return
        if code != KILLED:
            sys.exit(code)
    sys.exit(f"the scenario did not end within {MAX_MOMENTS} moments")


if __name__ == "__main__":
    main()
