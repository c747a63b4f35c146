"""The audit trail: who did what, when and from where, as links of one chain of hashes. Pure.

Each entry's hash covers the hash of the entry before it and all that the entry says, in one spelling. Who changes,
removes or moves an entry breaks the chain there. Who cuts off its end is found out by a head (`Head`) that was
written down elsewhere.

What an entry is about, its subject, may be a person's number. The hash covers a seal of the subject, made with a salt
of its own: where the number must go, subject and salt are emptied and the chain holds on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from gateway.clock import format_ms
from gateway.model.actor import Actor
from gateway.telemetry.redact import mask_number

DetailValue = str | int | bool | None | Sequence[str]
Details = Mapping[str, DetailValue]
"""What there is to say beside the subject: never a text, a secret or a number of a person."""
NO_DETAILS: Final[Details] = {}

MOST_CHARS: Final = 300
"""Of one text of an entry."""
MOST_NAMES: Final = 100
"""Of one list of an entry."""
MOST_DETAILS: Final = 30
_NUMBER: Final = re.compile(r"\+?\d{5,20}")
DROPPED: Final = "audit.dropped"
"""The action of an entry that says which ones were dropped because they were old: up to which, and its hash."""
FORM: Final = 1
"""Of the encoding that hashes cover, and of exported files."""

_encode = msgspec.json.Encoder(order="sorted").encode


class Head(NamedTuple):
    """How far a chain goes.

    Args:
        seq: of its last entry; 0 before the first.
        hash: of that entry, in hex.
    """

    seq: int
    hash: str

    def __str__(self) -> str:
        """To be written down elsewhere: ``1234:5f3a...``."""
        return f"{self.seq}:{self.hash}"


BEGINNING: Final = Head(0, "0" * 64)
"""What the first entry of all follows."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One deed.

    Args:
        seq: from 1, without gaps; in the order of commits.
        actor: who (`gateway.model.actor.Actor`), such as ``key:billing``.
        origin: from where: the door and the address there, such as ``api 203.0.113.7``.
        action: what, in the words of the timeline: ``channel.paused``.
        subject: what it was done to: an id, a name, a number; empty where there is nothing to name, or where it was
            erased.
        salt: the seal was made with it, in hex; empty where the subject was erased, or is masked.
        seal: of the subject, in hex.
        details: a JSON object with its names in order.
        hash: of the entry before it and of this one, in hex.
    """

    seq: int
    at: datetime
    actor: str
    origin: str
    action: str
    subject: str
    salt: str
    seal: str
    details: msgspec.Raw
    hash: str


class Why(StrEnum):
    """What is wrong with a chain."""

    MISSING = "missing"
    CHANGED = "changed"
    ORDER = "order"
    CUT_OFF = "cut_off"


class Break(NamedTuple):
    """Where a chain does not hold.

    Args:
        seq: of the first entry that is wrong, or that is not there.
    """

    seq: int
    why: Why
    detail: str


def seal_subject(subject: str, salt: str) -> str:
    """What stands for a subject in the chain."""
    return sha256(f"{salt}\n{subject}".encode()).hexdigest()


def encode_details(details: Details) -> bytes:
    """Details in their one spelling, and within bounds: what is longer is cut."""
    kept = {str(name)[:MOST_CHARS]: _bounded(value) for name, value in [*details.items()][:MOST_DETAILS]}
    return _encode(kept)


def _bounded(value: DetailValue) -> object:
    match value:
        case str():
            return fit(value)
        case bool() | int() | None:
            return value
        case _:
            return [fit(str(one)) for one in value[:MOST_NAMES]]


def fit(text: str) -> str:
    """A text as an entry may have it: not too long, and spelled alike by every store."""
    text = text.replace("\0", "\u2400")
    return text if len(text) <= MOST_CHARS else text[: MOST_CHARS - 1] + "…"


def make_entry(
    head: Head,
    actor: Actor,
    action: str,
    subject: str,
    details: Details,
    *,
    at: datetime,
    salt: str,
) -> AuditEntry:
    """The entry that follows ``head``.

    Args:
        salt: 32 hexadecimal digits by chance.
    """
    subject = fit(subject)
    entry = AuditEntry(
        seq=head.seq + 1,
        at=at,
        actor=fit(str(actor)),
        origin=fit(actor.origin),
        action=action,
        subject=subject,
        salt=salt,
        seal=seal_subject(subject, salt),
        details=msgspec.Raw(encode_details(details)),
        hash="",
    )
    return msgspec.structs.replace(entry, hash=hash_entry(head.hash, entry))


def hash_entry(hash_before: str, entry: AuditEntry) -> str:
    """SHA-256, in hex, of the hash before it, a line feed, and the entry as a JSON array without spaces.

    The array is ``[seq, at in ms since 1970, actor, origin, action, seal, details]``, in UTF-8; the names of details
    are in the order of their characters.
    """
    told = [
        entry.seq,
        format_ms(entry.at),
        entry.actor,
        entry.origin,
        entry.action,
        entry.seal,
        entry.details,
    ]
    return sha256(hash_before.encode() + b"\n" + _encode(told)).hexdigest()


def mask_subject(entry: AuditEntry) -> AuditEntry:
    """An entry that shows a number in part only; its hash holds."""
    if not _NUMBER.fullmatch(entry.subject):
        return entry
    return msgspec.structs.replace(entry, subject=mask_number(entry.subject), salt="")


class _Dropped(msgspec.Struct, frozen=True):
    """The details of an entry with the action `DROPPED`."""

    up_to: int
    hash: str


def _read_dropped(details: msgspec.Raw) -> Head:
    try:
        dropped = msgspec.json.decode(details, type=_Dropped)
    except msgspec.DecodeError:
        return BEGINNING
    return Head(dropped.up_to, dropped.hash)


class ChainCheck:
    """Goes along a chain, entry by entry, and says where it breaks first.

    Args:
        after: what the first entry follows.
        remembered: a head that was written down elsewhere; None for none.
        masked: numbers are shown in part only; they have no salt and are not compared with their seals.

    Attributes:
        after: what the first entry follows.
        head: up to where all is well.
        n_erased: entries whose subject was erased.
    """

    def __init__(self, after: Head, remembered: Head | None = None, *, masked: bool = False) -> None:
        self.head = after
        self.n_erased = 0
        self.after = after
        self._dropped = BEGINNING
        self._remembered = remembered
        self._masked = masked

    def take(self, entry: AuditEntry) -> Break | None:
        """The next entry; what is wrong with it."""
        awaited = self.head.seq + 1
        if entry.seq > awaited:
            return Break(awaited, Why.MISSING, f"is missing; entry {entry.seq} stands where it should")
        if entry.seq < awaited:
            return Break(awaited, Why.ORDER, f"is not in its place; entry {entry.seq} stands there")
        if not (entry.salt or entry.subject):
            self.n_erased += 1
        elif (entry.salt or not self._masked) and seal_subject(entry.subject, entry.salt) != entry.seal:
            return Break(awaited, Why.CHANGED, "was changed: its subject is not the one that was sealed")
        if hash_entry(self.head.hash, entry) != entry.hash:
            return Break(awaited, Why.CHANGED, "was changed, or the one before it was")
        self.head = Head(entry.seq, entry.hash)
        if entry.action == DROPPED:
            self._dropped = _read_dropped(entry.details)
        return self._compare(self.head)

    def take_all(self, entries: Iterable[AuditEntry]) -> Break | None:
        """Several entries; the first thing that is wrong."""
        for entry in entries:
            if (broken := self.take(entry)) is not None:
                return broken
        return None

    def end(self, own: Head, *, complete: bool = True) -> Break | None:
        """There are no more; what is missing behind the last one, or before the first one.

        Args:
            own: where the chain itself says that it ends.
            complete: nothing is missing before the first one but what an entry says was dropped.
        """
        last = self.head.seq
        for wanted, whose in ((own, "the trail's own"), (self._remembered, "the remembered")):
            if wanted is not None and wanted.seq > last:
                return Break(last + 1, Why.CUT_OFF, f"is missing: {whose} head is entry {wanted.seq}")
        if own != self.head:
            return Break(
                own.seq, Why.CHANGED, f"is the end, says the trail, but entry {last} is, or its hash differs"
            )
        if self._remembered is not None and self._remembered.seq < self.after.seq:
            return Break(
                self._remembered.seq,
                Why.MISSING,
                f"is remembered; what is here begins behind {self.after.seq}",
            )
        if complete and self._dropped != self.after:
            return Break(
                self.after.seq,
                Why.MISSING,
                "and those before it are gone, and no entry says that they were old",
            )
        return self._compare(self.after)

    def _compare(self, head: Head) -> Break | None:
        known = self._remembered
        if known is None or known.seq != head.seq or known.hash == head.hash:
            return None
        return Break(head.seq, Why.CHANGED, "has another hash than the remembered head: all was written anew")
