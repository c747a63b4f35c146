"""The file of an SQLite store: made for nobody else, locked for one daemon, opened so that what is committed stays."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from gateway.errors import StoreBusy, StoreError, StoreFull, StoreUnavailable
from gateway.files import find_closed, why_unreadable

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
        db.execute(
            "PRAGMA secure_delete = ON"
        )  # as Debian's is anyway; others leave what was erased in the file
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
    if _is_full(path):
        return StoreFull(f"{path}: no room left where the store is; make room there")
    if _code_of(exc) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy(f"{path}: {why_unusable(path, exc)}")
    return StoreUnavailable(f"{path}: {why_unusable(path, exc)}")


def why_unusable(path: Path, exc: Exception, *, to_write: bool = True) -> str:
    """Why a store's file can't be used and what mends it, by what is true of the file, its folder and its disk.

    Args:
        exc: what SQLite, or the system, said.
        to_write: whether it was to be written, or only to be read.
    """
    # Who only reads a store needs the files beside it, too, and they may have to be made.
    needs_all = to_write or _code_of(exc) in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
    if (closed := find_closed(path, to_write=needs_all)) is not None:
        return closed
    if path.is_dir():
        return "it is a folder; name a file in store.url"
    if isinstance(exc, OSError):
        return why_unreadable(path, exc)
    match _code_of(exc):
        case sqlite3.SQLITE_NOTADB:
            return "it is no store; name the store's own file in store.url, or put a backup in its place"
        case sqlite3.SQLITE_CORRUPT:
            return f"it is damaged ({exc}); stop hongyan, keep this file aside and put a backup in its place"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process holds it; try again, or end that process"
        case sqlite3.SQLITE_FULL:
            return "no room left where the store is; make room there"
        case sqlite3.SQLITE_IOERR if _is_full(path):
            return "no room left where the store is; make room there"
        case sqlite3.SQLITE_READONLY if _is_read_only(path):
            return "its file system is mounted read-only; see what the kernel says of the disk (dmesg)"
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_READONLY:
            return f"its disk does not do what is asked ({exc}); see what the kernel says of the disk (dmesg)"
        case _:
            return str(exc)


def _code_of(exc: Exception) -> int:
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF


def _is_full(path: Path) -> bool:
    with suppress(OSError):
        return os.statvfs(path.parent).f_bavail == 0
    return False


def _is_read_only(path: Path) -> bool:
    with suppress(OSError):
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    return False
