"""The file of an SQLite store: made for nobody else, locked for one daemon, opened so that what is committed stays."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from gateway.errors import StoreBusy, StoreError, StoreFull, StoreUnavailable

BUSY_TIMEOUT_S = 5.0
"""How long another process (``hongyan keys create``) may hold the write lock before we give up."""
MODE = 0o640
"""It holds texts and numbers. The WAL beside it takes the same mode."""


def make_file(path: Path) -> None:
    """An empty file for nobody else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=MODE)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to it, whose commits are on the disk when they return."""
    db = sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("PRAGMA cache_size = -32768")
    except BaseException:
        db.close()
        raise
    return db


def lock(path: Path) -> int:
    """Be its one daemon, until the handle is closed.

    Raises:
        StoreBusy: there is one already.
    """
    lock_path = path.with_name(path.name + ".lock")
    handle = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(handle)
        raise StoreBusy(f"{path}: another hongyan is running on this store; stop it first") from exc
    return handle


def explain_open(path: Path, exc: Exception) -> StoreError:
    """Why a store can't be opened; SQLite calls a full disk an I/O error where its shared memory needs room."""
    if isinstance(exc, StoreError):
        return exc
    with suppress(OSError):
        if os.statvfs(path.parent).f_bavail == 0:
            return StoreFull(f"{path}: no room left where the store is; make room there")
    return StoreUnavailable(f"{path}: {exc}")
