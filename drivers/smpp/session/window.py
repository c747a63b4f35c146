"""Requests that wait for their answers: who asked, and until when. Pure; ``now`` is passed in."""

from __future__ import annotations

from typing import Generic, TypeVar

W = TypeVar("W")


class Window(Generic[W]):
    """Waiters by sequence number.

    A waiter is entered before its request is written, and leaves in the same step that hands it out:
    with the answer (`take`), by time (`take_expired`) or with the link (`take_all`). So each ends once.
    """

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[int, tuple[W, float]] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, sequence_number: int, waiter: W, deadline: float) -> None:
        """Enter a waiter before its request is written.

        Raises:
            ValueError: the sequence number is still waiting; its waiter stays.
        """
        if sequence_number in self._waiters:
            raise ValueError(f"sequence number {sequence_number} is still waiting")
        self._waiters[sequence_number] = (waiter, deadline)

    def take(self, sequence_number: int) -> W | None:
        """Remove and return the waiter of an answer; None when nobody waits for it (any more)."""
        entry = self._waiters.pop(sequence_number, None)
        return entry[0] if entry is not None else None

    def take_expired(self, now: float) -> list[tuple[int, W]]:
        """Remove and return those whose deadline has come, oldest first."""
        expired = [number for number, (_, deadline) in self._waiters.items() if deadline <= now]
        return [(number, self._waiters.pop(number)[0]) for number in expired]

    def postpone(self, by_s: float) -> None:
        """Give everyone that much longer: for a time their answers could not be read."""
        for number, (waiter, deadline) in self._waiters.items():
            self._waiters[number] = (waiter, deadline + by_s)

    def take_all(self) -> list[tuple[int, W]]:
        """Remove and return everyone, oldest first: the link is gone."""
        everyone = [(number, waiter) for number, (waiter, _) in self._waiters.items()]
        self._waiters.clear()
        return everyone
