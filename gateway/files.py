"""Files that people name: read as text whatever editor wrote them, and why one can't be read, with what mends it."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import BinaryIO


def decode_text(octets: bytes) -> str:
    """Text in UTF-8; the byte order mark that some editors put before it is no part of it.

    Raises:
        ValueError: it is not UTF-8; the sentence says where and what to do.
    """
    if octets.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise ValueError("is UTF-16; save it as UTF-8")
    try:
        return octets.removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not UTF-8 in line {line}; save it as UTF-8") from None


def open_plain(path: Path) -> BinaryIO:
    """Open a file to read. A pipe or a device is refused at once: it may have no end, or nobody who writes to it.

    Raises:
        OSError: it can't be read, or is no plain file.
        ValueError: there can be no such path.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "it is no plain file; name one")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def why_unreadable(path: Path, error: OSError | ValueError) -> str:
    """Why a file can't be read and what to do, by what is true of it.

    Args:
        error: what opening it said; ValueError is what Python says to a NUL in a path.
    """
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return f"{error.strerror}; correct the path"
        case IsADirectoryError():
            return f"{error.strerror}; name a file in it"
        case PermissionError():
            return find_closed(path, to_write=False) or f"{error.strerror}; see who may read it"
        case OSError():
            return error.strerror or type(error).__name__
        case _:
            return "there can be no such path"


def describe_owner(path: Path) -> str:
    """``owner:group`` by their names; empty when that can't be seen."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return ""
    return f"{user_name(status.st_uid)}:{group_name(status.st_gid)}"


def user_name(uid: int) -> str:
    """A user's name, or the number where there is none (a service's user that systemd makes up)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """A group's name, or its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def find_closed(path: Path, *, to_write: bool) -> str | None:
    """Whether a file, or a folder above it, is closed to this user, and who it belongs to; None when nothing is.

    Args:
        to_write: the file is also to be written, and files made beside it.
    """
    for folder in reversed(path.parents):
        if folder.exists() and not os.access(folder, os.X_OK, effective_ids=True):
            return _closed(folder, path)
    mode = os.R_OK | os.W_OK if to_write else os.R_OK
    if path.exists():
        if not os.access(path, mode, effective_ids=True):
            return _closed(path, path)
    elif not to_write:
        return None
    if to_write and path.parent.exists() and not os.access(path.parent, os.W_OK, effective_ids=True):
        return _closed(path.parent, path)
    return None


def _closed(place: Path, path: Path) -> str:
    what = "it" if place == path else str(place)
    owner = describe_owner(place) or "another user"
    me = user_name(os.geteuid())
    return f"Permission denied: {what} belongs to {owner} and is closed to {me}; run this as its owner, or by sudo"
