"""Which of the errors that ended a session together says why it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.errors import DriverError, WireLost
from drivers.modem.find.finder import StickTaken
from drivers.modem.recovery.health import Unwell

if TYPE_CHECKING:
    from drivers.base import Fault


def _leaves(errors: BaseExceptionGroup[DriverError]) -> list[DriverError]:
    leaves: list[DriverError] = []
    for error in errors.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def first_unwell(errors: BaseExceptionGroup[Unwell]) -> Fault:
    """Why the stick is unwell, of all that says so."""
    leaf = _leaves(errors)[0]
    assert isinstance(leaf, Unwell)
    return leaf.fault


def worst(errors: BaseExceptionGroup[DriverError]) -> DriverError:
    """The one that says most: a lost port makes others fail."""
    leaves = _leaves(errors)
    for kind in (StickTaken, WireLost):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]
