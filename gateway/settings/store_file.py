"""Where the store is, by the URL in the config: its file, and what belongs beside it."""

from __future__ import annotations

from pathlib import Path

_SQLITE = "sqlite:///"
CONTROL = ".simulated"
"""Behind the store's name: the file that holds the control port of the simulated network, while there is one."""


def store_path(url: str) -> Path:
    """The database file: ``sqlite:///x`` is relative to the working directory, ``sqlite:////x`` absolute."""
    return Path(url.removeprefix(_SQLITE))


def beside_store(url: str, suffix: str) -> Path:
    """A file that belongs to a store, beside it."""
    path = store_path(url)
    return path.with_name(path.name + suffix)
