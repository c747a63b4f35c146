"""Loader of the golden vectors in ``tests/vectors``: facts from independent origins, each with its source."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent.parent / "vectors"


def load_vectors(name: str, table: str) -> list[dict[str, Any]]:
    """The entries of ``[[table]]`` in ``tests/vectors/<name>.toml``; each must say where it comes from."""
    entries: list[dict[str, Any]] = tomllib.loads((VECTORS / f"{name}.toml").read_text("utf-8"))[table]
    for entry in entries:
        assert entry["source"].strip(), f"{name}.toml: a vector of [[{table}]] has no source"
    return entries
