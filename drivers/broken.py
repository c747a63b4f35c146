"""Our own code failed on a segment: how that is said without what the segment holds. Pure."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

from drivers.base import Blame, Fault, FaultKind, Refused

INTERNAL_ERROR: Final = "internal_error"
"""The code of what our own code failed on, before any octet of it was on a wire."""
_MOST_FRAMES = 6


def where_broke(error: BaseException) -> str:
    """The class of an exception and where it was raised, innermost first; never its message, which may hold a text.

    >>> try:
    ...     {}["secret"]
    ... except KeyError as error:
    ...     print(where_broke(error).partition(":")[0])
    KeyError at <doctest drivers.broken.where_broke[0]>
    """
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    places = " < ".join(f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__} at {places or 'an unknown place'}"


def refuse_broken(error: Exception) -> Refused:
    """The outcome of a segment that could not be made ready for the wire because of a fault of ours.

    It may be tried again, and is nobody else's: neither the channel nor the recipient is blamed.
    """
    detail = f"hongyan itself failed on it: {where_broke(error)}."
    return Refused(
        fault=Fault(kind=FaultKind.TEMPORARY, code=INTERNAL_ERROR, detail=detail, blame=Blame.SEGMENT)
    )
