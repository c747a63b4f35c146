"""What the engines, the commands and this room tell one another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from gateway.store.ports import Tx
from gateway.store.sealing.operator_key import OperatorKey

Dress = Callable[[Tx], Tx]
"""Makes the transaction that operations get of the engine's own."""


class Table(NamedTuple):
    """A table, as far as it matters here.

    Args:
        key: columns of its primary key; all, where it has none.
        texts, octets: its columns of these types.
    """

    name: str
    key: tuple[str, ...]
    texts: tuple[str, ...]
    octets: tuple[str, ...]


ListTables = Callable[[Tx], Awaitable[Sequence[Table]]]


class Unlocking(NamedTuple):
    """With what a store is opened.

    Args:
        key: the operator's; None where the config names none.
        rekeying: by a command that puts rows under another key, or goes on with that.
    """

    key: OperatorKey | None = None
    rekeying: bool = False


NO_KEY = Unlocking()
