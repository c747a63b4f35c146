"""What stores of one database tell each other after a commit, by NOTIFY."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

CHANNEL: Final = "hongyan"
_MOST_OCTETS: Final = 7_000
"""PostgreSQL takes less than 8,000."""


class Notice(NamedTuple):
    """One commit.

    Args:
        store: who committed.
        last_seq: of the timeline after it; 0 when it got nothing.
        queues: where it left something claimable; None where there are too many to name.
    """

    store: str
    last_seq: int
    queues: frozenset[str] | None


def write_notice(store: str, last_seq: int, queues: Iterable[str]) -> str:
    """As text."""
    named = msgspec.json.encode((store, last_seq, sorted(queues)))
    if len(named) > _MOST_OCTETS:
        named = msgspec.json.encode((store, last_seq, None))
    return named.decode()


def read_notice(text: str) -> Notice | None:
    """From text; None where somebody else uses our channel."""
    try:
        store, last_seq, queues = msgspec.json.decode(text, type=tuple[str, int, list[str] | None])
    except msgspec.DecodeError:
        return None
    return Notice(store, last_seq, None if queues is None else frozenset(queues))
