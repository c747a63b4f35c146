"""Exported audit trails: JSON lines that anybody can check without the store.

The first line says what the first entry follows, the last line where the trail ended. Between them is one line for
each entry, as `gateway.model.audit.AuditEntry` is encoded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from gateway.model.audit import FORM, AuditEntry, Break, ChainCheck, Head, Why, mask_subject

MOST_LINE_OCTETS: Final = 262_144
"""Of one line: more than any entry takes."""
_encode = msgspec.json.Encoder().encode


class _Beginning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line.

    Args:
        audit: the form of the file.
        after: what the first entry follows, by number and hash.
        masked: numbers are shown in part.
    """

    audit: int
    after: Head
    masked: bool
    exported_at: datetime


class _End(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last line: number and hash of the last entry."""

    head: Head


_read_beginning = msgspec.json.Decoder(_Beginning).decode
_read_entry = msgspec.json.Decoder(AuditEntry).decode
_read_end = msgspec.json.Decoder(_End).decode


async def make_lines(
    after: Head, head: Head, pages: AsyncIterator[Sequence[AuditEntry]], now: datetime, *, masked: bool
) -> AsyncIterator[bytes]:
    """The lines of a file, some at a time.

    Args:
        after: what the first entry follows.
        head: the last entry.
        pages: the entries, in order.
        masked: hide most digits of numbers.
    """
    yield _encode(_Beginning(audit=FORM, after=after, masked=masked, exported_at=now)) + b"\n"
    async for page in pages:
        shown = [mask_subject(entry) for entry in page] if masked else page
        yield b"".join(_encode(entry) + b"\n" for entry in shown)
    yield _encode(_End(head=head)) + b"\n"


class AuditFile:
    """A file that `hongyan audit export` wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self, remembered: Head | None) -> tuple[ChainCheck, Break | None]:
        """Go through it, line by line; what was checked, and the first thing that is wrong.

        Raises:
            OSError: it can't be read.
        """
        with self._path.open("rb") as file:
            try:
                begins = _read_beginning(file.readline(MOST_LINE_OCTETS))
            except (msgspec.DecodeError, UnicodeDecodeError):
                nothing = ChainCheck(Head(0, ""))
                return nothing, Break(0, Why.CHANGED, "has no first line of an exported audit trail")
            if begins.audit != FORM:
                detail = f"is of form {begins.audit}, which this program does not know"
                return ChainCheck(begins.after), Break(0, Why.CHANGED, detail)
            check = ChainCheck(begins.after, remembered, masked=begins.masked)
            before = b""
            while line := file.readline(MOST_LINE_OCTETS):
                if before and (broken := _take(check, before)) is not None:
                    return check, broken
                before = line
        return check, _end(check, before)


def _take(check: ChainCheck, line: bytes) -> Break | None:
    try:
        entry = _read_entry(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Break(check.head.seq + 1, Why.CHANGED, "was changed: its line is no entry")
    if _encode(entry) + b"\n" != line:  # a name that is there twice, or more than belongs to an entry
        return check.take(entry) or Break(
            entry.seq, Why.CHANGED, "was changed: its line is spelled otherwise"
        )
    return check.take(entry)


def _end(check: ChainCheck, line: bytes) -> Break | None:
    try:
        return check.end(_read_end(line).head, complete=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    broken = _take(check, line) if line else None
    return broken or Break(check.head.seq + 1, Why.CUT_OFF, "may be missing: the last line of the file is")
