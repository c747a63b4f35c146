"""Programs by others that interop tests need."""

from __future__ import annotations

import os
import shutil

import pytest


def need_peer(name: str, *, present: bool | None = None) -> None:
    """Skip the test when a peer is missing, or fail it where peers are required (``HONGYAN_REQUIRE_PEERS``).

    Args:
        name: a program on the PATH, or what to call the peer when ``present`` is given.
        present: whether it is there, for peers that are not programs.
    """
    if present is None:
        present = shutil.which(name) is not None
    if present:
        return
    if os.environ.get("HONGYAN_REQUIRE_PEERS"):
        pytest.fail(f"{name} is required here and missing")
    pytest.skip(f"{name} is not installed")
