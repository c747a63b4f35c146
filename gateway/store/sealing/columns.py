"""Which parameter of a statement goes into, or is compared with, which column; and what is kept in a column.

A statement is read once. Nothing depends on a reader that knows all of SQL: a place that it can't tell is `Kind.OTHER`,
and there octets and numbers in international form are sealed by what they look like. So a new table is covered before
anybody thinks of it; a line here is needed for texts, for numbers without a plus, and for octets that are looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from functools import lru_cache
from types import MappingProxyType
from typing import Final


class Kind(Enum):
    """What is kept in a column.

    Attributes:
        EQUAL: looked up or joined by its value.
        CONTENT: read only.
        PLAIN: never sealed: octets that tell nothing and are looked up.
        OTHER: not known here: octets are content, a number in international form is looked up, all else is plain.
    """

    EQUAL = auto()
    CONTENT = auto()
    PLAIN = auto()
    OTHER = auto()


_EVERYWHERE: Final[Mapping[str, Kind]] = MappingProxyType(
    dict.fromkeys(
        ("recipient", "sender", "number", "reading", "destination", "concat_key", "dedupe_key"), Kind.EQUAL
    )
)
"""By the column's name alone."""
_IN_TABLE: Final[Mapping[str, Mapping[str, Kind]]] = MappingProxyType(
    {
        "alerts": {"line": Kind.CONTENT},
        "api_keys": {"secret_hash": Kind.PLAIN},
        "audit": {"subject": Kind.EQUAL, "salt": Kind.CONTENT, "details": Kind.CONTENT},
        "consent_events": {"evidence": Kind.CONTENT},
        "consent_files": {"statement": Kind.CONTENT},
        "consent_keys": {"public_key": Kind.PLAIN},
        "consent_wordings": {"text": Kind.CONTENT},
        "esme_submits": {"source": Kind.EQUAL},
        "holds": {"detail": Kind.CONTENT, "text_key": Kind.EQUAL},
        "idempotency": {"answer": Kind.EQUAL},
        "inbound": {"text": Kind.CONTENT},
        "inbound_parts": {"payload": Kind.EQUAL},
        "reviews": {"reason": Kind.CONTENT},
        "sessions": {"token_hash": Kind.PLAIN, "origin": Kind.CONTENT, "agent": Kind.CONTENT},
        "suppressions": {"reason": Kind.CONTENT},
        "users": {"email": Kind.EQUAL},
        "webhook_secrets": {"secret": Kind.EQUAL},
    }
)
"""By table and column."""
_WORD: Final = re.compile(
    r"""'(?:[^']|'')*' | (?:\w+\.)?(?P<name>[A-Za-z_]\w*) | (?P<mark>\?) | (?P<sign><>|<=|>=|!=|\|\||[=<>(),*]) """
    r"""| (?P<number>\d+) """,
    re.VERBOSE,
)
_TABLE: Final = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)", re.IGNORECASE)
_INSERT: Final = re.compile(r"\s*INSERT\s+INTO\s+\w+\s*\(([^)]*)\)(\s*VALUES\b)?", re.IGNORECASE)
_COMPARISONS: Final = frozenset({"=", "<>", "!=", "<", ">", "<=", ">="})
_WRAPPERS: Final = frozenset({"coalesce", "cast"})
_MOST: Final = 4_096


def kind_of(table: str, column: str) -> Kind:
    """What is kept in a column."""
    return _IN_TABLE.get(table, {}).get(column) or _EVERYWHERE.get(column, Kind.OTHER)


@lru_cache(_MOST)
def plan_insert(into: str) -> tuple[Kind, ...]:
    """For each column of ``INSERT INTO table (columns)``."""
    (table,) = _TABLE.findall(into)[:1]
    found = _INSERT.match(into)
    assert found is not None, "an insert names its columns"
    return tuple(kind_of(table.lower(), column.strip().lower()) for column in found[1].split(","))


@lru_cache(_MOST)
def plan_statement(sql: str) -> tuple[Kind, ...]:
    """For each ``?`` of a statement.

    >>> [kind.name for kind in plan_statement("SELECT id FROM messages m WHERE m.recipient IN (?, ?) AND class = ?")]
    ['EQUAL', 'EQUAL', 'OTHER']
    """
    tables = tuple(dict.fromkeys(table.lower() for table in _TABLE.findall(sql)))
    inserted = _INSERT.match(sql)
    columns = [one.strip().lower() for one in inserted[1].split(",")] if inserted and inserted[2] else []
    body = sql[inserted.end() :] if columns and inserted else sql
    words = _words(body)
    values = _places_of_values(words, columns) if columns else {}
    found = []
    for place, word in enumerate(words):
        if word == "?":
            column = values.get(place) or _column_of(words, place)
            found.append(_kind_among(tables, column))
    return tuple(found)


def _words(sql: str) -> list[str]:
    return [
        (match["name"] or match["mark"] or match["sign"] or match["number"] or "'").lower()
        for match in _WORD.finditer(sql)
    ]


def _kind_among(tables: Iterable[str], column: str | None) -> Kind:
    if column is None:
        return Kind.OTHER
    return next((kind for table in tables if (kind := kind_of(table, column)) is not Kind.OTHER), Kind.OTHER)


def _places_of_values(words: list[str], columns: list[str]) -> dict[int, str]:
    """Place of a ``?`` -> its column, in the rows behind VALUES; a ``?`` within an expression is none of these."""
    found: dict[int, str] = {}
    depth = item = 0
    for place, word in enumerate(words):
        if word == "(":
            depth += 1
            item = 0 if depth == 1 else item
        elif word == ")":
            depth -= 1
        elif depth == 1 and word == ",":
            item += 1
        elif depth == 1 and word == "?" and item < len(columns) and words[place - 1] in {"(", ","}:
            found[place] = columns[item]
        elif depth == 0 and word != ",":
            break  # ON CONFLICT, RETURNING
    return found


def _column_of(words: list[str], place: int) -> str | None:
    """The column that a ``?`` is compared with or becomes: the name before the sign before it."""
    before = place - 1
    while before > 0 and words[before] == "(" and words[before - 1] in _WRAPPERS:
        before -= 2
    if before < 1:
        return None
    if words[before] in _COMPARISONS:
        return _name_at(words, before - 1)
    if words[before] == "from" and words[before - 1] == "distinct":
        skipped = 3 if words[before - 2] == "is" else 4  # IS DISTINCT FROM, IS NOT DISTINCT FROM
        return _name_at(words, before - skipped)
    if words[before] in {"(", ","}:
        return _column_of_list(words, before)
    return None


def _column_of_list(words: list[str], before: int) -> str | None:
    """Of a ``?`` in ``name IN (?, ?)``, ``(a, b) = (?, ?)`` and ``(a, b) IN ((?, ?), (?, ?))``."""
    nth = 0
    while before >= 0 and words[before] in {",", "?"}:
        nth += words[before] == ","
        before -= 1
    if before < 1 or words[before] != "(":
        return None
    before -= 1
    while before > 0 and words[before] in {",", "(", ")", "?"}:  # earlier pairs of the list
        before -= 1
    if words[before] == "values":
        before -= 2 if words[before - 1] == "(" else 1
    if words[before] == "in":
        before -= 2 if words[before - 1] == "not" else 1
    elif words[before] in _COMPARISONS:
        before -= 1
    else:
        return None
    if words[before] != ")":
        return _name_at(words, before)
    names: list[str] = []
    before -= 1
    while before >= 0 and words[before] != "(":
        if words[before] != ",":
            names.insert(0, words[before])
        before -= 1
    return names[nth] if nth < len(names) else None


def _name_at(words: list[str], place: int) -> str | None:
    return words[place] if place >= 0 and words[place].isidentifier() else None
