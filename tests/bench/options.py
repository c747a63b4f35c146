"""What the table of the ground floor can be asked for, and the places that its rounds run in."""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from gateway.store.sealing.operator_key import OperatorKey

Store = Literal["sqlite", "postgres"]


@dataclass(slots=True)
class Options:
    """See `parse_options`."""

    names: list[str]
    store: Store
    n_rounds: int
    messages: int
    finished: int
    queued: int
    folder: Path
    encrypted: bool = False
    cluster: Any = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def rounds(self) -> range:
        """One after the other."""
        return range(self.n_rounds)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[Path, str | None]]:
        """A fresh folder, and the URL of an empty database if it is not to be a file in that folder."""
        folder = self.folder / f"place-{next(self._numbers)}"
        folder.mkdir()
        if self.encrypted:
            (folder / "store.key").write_text(OperatorKey.make().write())
        try:
            if self.cluster is None:
                yield folder, None
            else:
                name = self.cluster.make_database()
                yield folder, self.cluster.url(name)
                self.cluster.drop_database(name)
        finally:
            shutil.rmtree(folder)

    @contextmanager
    def scratch(self) -> Iterator[None]:
        """The folder of all places, and the server of all databases, for as long."""
        parent = self.folder
        parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=parent)))
            if self.store == "postgres":
                support = import_module("tests.support.postgres")  # only where it is asked for
                self.cluster = stack.enter_context(support.running_cluster(durable=True))
            yield


def parse_options(names: Collection[str], arguments: Sequence[str]) -> Options:
    """From the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench ground-floor", description="The figures of the ground floor."
    )
    parser.add_argument("names", nargs="*", metavar="ROW", help=f"of {', '.join(names)}; all without")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=3, dest="n_rounds")
    parser.add_argument("--messages", type=int, default=6_000, help="of a round; batches: twice as many")
    parser.add_argument("--finished", type=int, default=1_000_000, help="for stored")
    parser.add_argument("--queued", type=int, default=100_000, help="for stored, besides")
    parser.add_argument("--folder", type=Path, default=Path("var/bench"), help="on the disk to be measured")
    parser.add_argument("--encrypted", action="store_true", help="the store is encrypted")
    found = parser.parse_args(arguments)
    if unknown := [name for name in found.names if name not in names]:
        parser.error(f"{unknown[0]} is not one of {', '.join(names)}")
    found.folder = found.folder.absolute()
    return Options(**vars(found))
