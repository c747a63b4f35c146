"""How receivers are called."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple


class Terms(NamedTuple):
    """How long each thing may take.

    Args:
        timeout_s: a call as a whole.
        retry_for: an event is tried for so long, then it is given up.
        disable_after: all calls of a webhook may fail for so long before it is called no more.
    """

    timeout_s: float = 15.0
    retry_for: timedelta = timedelta(days=3)
    disable_after: timedelta = timedelta(days=5)
