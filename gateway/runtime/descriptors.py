"""How many files and connections this process may have open: raised as far as the system allows, and said if low."""

from __future__ import annotations

import logging
import resource
from typing import Final

WANTED: Final = 65_536
RESERVED: Final = 200
"""For the store, modems, binds, logs and calls to applications."""

_log = logging.getLogger(__name__)


def raise_limit() -> int:
    """Raise the limit of descriptors to what the system allows; the limit that holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return WANTED if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def limit_connections(n_wanted: int, n_descriptors: int) -> int:
    """How many connections the API may have, so that descriptors are left for all else; says if it is less."""
    n_possible = max(10, n_descriptors - RESERVED)
    if n_wanted > n_possible:
        _log.warning(
            "only %d of http.max_connections = %d: the system allows %d open files; raise LimitNOFILE= of the unit,"
            " or `ulimit -n`",
            n_possible,
            n_wanted,
            n_descriptors,
        )
    return min(n_wanted, n_possible)
