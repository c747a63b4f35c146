"""``[[signatures]]`` and ``[[opt_out_lines]]``: what the gateway adds to texts at their beginning and end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.model.message import Category
from gateway.policy.rules.opt_out_line import OptOutLine, Script
from gateway.policy.signatures import ALL_CARRIERS, Filing, FilingState, Signature, find_signature_fault
from gateway.settings.forms import BadValue, Filled, Form, Text, Words, list_of, one_of, parse_filled, show

MOST_SIGNATURES: Final = 1_000
MOST_LINES: Final = 200
_MOST_LINE_CHARS: Final = 60
_CATEGORIES: Final = tuple(category.value for category in Category)
_STATES: Final = tuple(state.value for state in FilingState)
_SCRIPTS: Final = tuple(script.value for script in Script)


def _parse_signature(value: object) -> str:
    text = parse_filled(value)
    if fault := find_signature_fault(text):
        raise BadValue(f"{show(text)} {fault}")
    return text


def _parse_day(value: Any) -> date:
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadValue(f'{show(value)} is not a day; write it as "2027-03-31"') from None


def _parse_line(value: object) -> str:
    text = parse_filled(value)
    if len(text) > _MOST_LINE_CHARS:
        raise BadValue(f"has {len(text)} characters; write at most {_MOST_LINE_CHARS}")
    if not any(char.isalnum() for char in text):
        raise BadValue(f'{show(text)} says nothing; write how to opt out, such as "回T退订"')
    return text


Day = Annotated[date, Form(_parse_day)]


class FilingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one carrier knows of a signature: an element of ``filings``.

    Args:
        carrier: as the carrier files name it, such as ``cmcc``; ``*`` for all others.
        state: draft, submitted, filed, rejected or expired.
        since: the first day on which a filing holds.
        until: the last; the signature is expired afterwards.
    """

    carrier: Filled
    state: Annotated[Literal["draft", "submitted", "filed", "rejected", "expired"], Form(one_of(*_STATES))]
    since: Day | None = None
    until: Day | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """A filing ends after it began."""
        if self.since is not None and self.until is not None and self.until < self.since:
            yield "until", "is before since; write a later day"

    def filing(self) -> Filing:
        """The same as the rules have it."""
        return Filing(self.carrier, FilingState(self.state), self.since, self.until)


class SignatureSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[signatures]]``: who speaks, in front of texts: 【…】.

    Args:
        text: without the brackets: 2 to 18 letters and digits.
        brand: in whose name the messages go; empty for every brand.
        key: who sends them: an API key's name, ``smpp:NAME`` or ``kannel:NAME``; empty for all.
        category: of the messages; empty for all.
        other: what becomes of a text that begins with another signature: ``refuse`` or ``keep``.
        unfiled: of a message to a carrier that has not filed the signature: ``warn`` or ``refuse``.
        filings: what the carriers know of it; without one nobody watches over that.
    """

    text: Annotated[str, Form(_parse_signature)]
    brand: Text = ""
    key: Text = ""
    category: Annotated[tuple[str, ...], Form(list_of(one_of(*_CATEGORIES)))] = ()
    other: Annotated[Literal["refuse", "keep"], Form(one_of("refuse", "keep"))] = "refuse"
    unfiled: Annotated[Literal["warn", "refuse"], Form(one_of("warn", "refuse"))] = "warn"
    filings: tuple[FilingSettings, ...] = ()

    def signature(self) -> Signature:
        """The same as the rules have it."""
        return Signature(
            text=self.text,
            brand=self.brand,
            key=self.key,
            category=frozenset(map(Category, self.category)),
            keeps_others=self.other == "keep",
            refuses_unfiled=self.unfiled == "refuse",
            filings=tuple(one.filing() for one in self.filings),
        )


class OptOutLineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[opt_out_lines]]``: how to opt out, at the end of texts of marketing.

    Args:
        text: with whatever is to stand between it and the text before it.
        brand: in whose name the messages go; empty for every brand.
        script: what most letters of a text are: ``han``, ``kana``, ``hangul``, ``latin``, ``cyrillic``, ``greek``,
            ``arabic``, ``hebrew``, ``devanagari`` or ``thai``; empty for all.
        accepted: other wordings; a text that has one of them gets no line.
    """

    text: Annotated[str, Form(_parse_line)]
    brand: Text = ""
    script: Annotated[str, Form(one_of(*_SCRIPTS, ""))] = ""
    accepted: Words = ()

    def line(self) -> OptOutLine:
        """The same as the rule has it."""
        return OptOutLine(
            text=self.text,
            brand=self.brand,
            script=Script(self.script) if self.script else None,
            accepted=self.accepted,
        )


def signature_faults(
    tables: Sequence[SignatureSettings], brands: Collection[str], carriers: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Brands and carriers that there are not, and one carrier twice.

    Args:
        brands: names of all.
        carriers: names of all.
    """
    if len(tables) > MOST_SIGNATURES:
        yield "signatures", f"has {len(tables)} tables; write at most {MOST_SIGNATURES}"
    for i, table in enumerate(tables):
        if table.brand and table.brand not in brands:
            yield f"signatures[{i}].brand", f'there is no brand "{table.brand}"; write a [[brands]] table'
        named: set[str] = set()
        for n, filing in enumerate(table.filings):
            path = f"signatures[{i}].filings[{n}].carrier"
            if filing.carrier != ALL_CARRIERS and filing.carrier not in carriers:
                known = ", ".join(sorted(carriers))
                yield path, f'there is no carrier "{filing.carrier}"; known: {known}, and * for all others'
            if filing.carrier in named:
                yield path, f'has a filing already; write one for "{filing.carrier}"'
            named.add(filing.carrier)


def opt_out_line_faults(
    tables: Sequence[OptOutLineSettings], brands: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Brands that there are not, and lines that none would take for a way to opt out."""
    if len(tables) > MOST_LINES:
        yield "opt_out_lines", f"has {len(tables)} tables; write at most {MOST_LINES}"
    for i, table in enumerate(tables):
        if table.brand and table.brand not in brands:
            yield f"opt_out_lines[{i}].brand", f'there is no brand "{table.brand}"; write a [[brands]] table'


def signatures_of(tables: Iterable[SignatureSettings]) -> tuple[Signature, ...]:
    """All, in the order of the file."""
    return tuple(table.signature() for table in tables)
