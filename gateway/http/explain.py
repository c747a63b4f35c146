"""msgspec's complaints as field errors: a JSON pointer, a stable code, a sentence that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from gateway.errors import FieldError
from gateway.model.request import PATTERN_WORDS
from gateway.views.consents import PATTERN_WORDS as CONSENT_WORDS

_MAX_ECHO_CHARS = 40
_MAX_READ_CHARS = 1_000
_PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_LOCATED = re.compile(r"(?s)(?P<what>.*?)(?: - at `(?:key` in `)?(?P<path>\$[^`]*)`)?")
_WRONG_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>\w+)`")
_LENGTH = re.compile(
    r"Expected `(?P<kind>str|array|object)(?: \| null)?` of length (?P<sign>[<>=]=) (?P<n>\d+)"
)
_RANGE = re.compile(r"Expected `(?:int|float)(?: \| null)?` (?P<sign>[<>]=?) (?P<n>\S+)")
_PATTERN = re.compile(r"(?s)Expected `str(?: \| null)?` matching regex (?P<quoted>.+)")
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SIGNS = {"<=": "at most", ">=": "at least", "==": "exactly", "<": "less than", ">": "more than"}
_COUNTED = {"str": "characters", "array": "entries", "object": "entries"}
WORDS = PATTERN_WORDS | CONSENT_WORDS
"""What each pattern of the API asks for, to people."""
_QUOTED_WORDS = {repr(pattern): words for pattern, words in WORDS.items()}
_NAMED_FIELD = re.compile(r"(?s)Object (?P<fault>missing required|contains unknown) field `(?P<name>.*)`")

_CODES = (
    ("Invalid enum value", "unknown_value"),
    ("Invalid RFC3339", "wrong_time"),
    ("Expected `datetime` with", "wrong_time"),
    ("Expected `str` of length >=", "too_short"),
    ("Expected `str` of length <=", "too_long"),
    ("Expected `str` matching", "wrong_format"),
    ("Expected `array` of length", "wrong_count"),
    ("Expected `int` ", "out_of_range"),
    ("Number out of range", "out_of_range"),
    ("Integer value out of range", "out_of_range"),
    ("Expected `", "wrong_type"),
)
"""How msgspec's sentences begin, and the code for each; the first that fits counts."""


def explain(error: msgspec.ValidationError, shape: Any) -> FieldError:
    """The fault that msgspec found (it stops at the first).

    Args:
        error: from decoding into ``shape``.
        shape: the struct; it knows the fields and values that would have been right.
    """
    fields = _field_types(shape)
    text = _cut_middle(str(error))
    path = ""
    # An unknown field's name is the client's own text and may look like a path: it is cut off first.
    if (located := _LOCATED.fullmatch(text)) is not None:
        text, path = located["what"], located["path"] or ""
    pointer = to_pointer(path)
    if (named := _NAMED_FIELD.fullmatch(text)) is not None:
        name = named["name"]
        if named["fault"] == "missing required":
            return FieldError(f"{pointer}/{escape(name)}", "missing_field", f"`{name}` is required")
        return FieldError(f"{pointer}/{escape(_clip(name))}", "unknown_field", unknown_name(name, fields))
    code = next((code for start, code in _CODES if text.startswith(start)), "invalid")
    if code == "unknown_value":
        text = _list_values(fields.get(pointer.rpartition("/")[2])) or text
    if code == "wrong_time":
        return FieldError(pointer, code, _DAY if text == "Invalid RFC3339 encoded date" else _TIME)
    return FieldError(pointer, code, in_words(text))


_DAY = "write a day, such as 2026-12-24"
_TIME = "write a time with its zone, such as 2026-12-24T08:00:00+08:00"


def in_words(complaint: str) -> str:
    """A complaint of msgspec for people who know JSON, and neither Python nor regular expressions.

    >>> in_words("Expected `str` of length <= 64")
    'write at most 64 characters'
    """
    if found := _WRONG_TYPE.fullmatch(complaint):
        wanted = [
            kind for kind in found["wanted"].split(" | ") if kind != "null" or found["wanted"] == "null"
        ]
        if "datetime" in wanted:
            return _TIME
        kinds = " or ".join(_KINDS.get(kind, kind) for kind in wanted)
        return f"write {kinds}, not {_KINDS.get(found['got'], found['got'])}"
    if found := _LENGTH.fullmatch(complaint):
        return f"write {_SIGNS[found['sign']]} {found['n']} {_COUNTED[found['kind']]}"
    if found := _RANGE.fullmatch(complaint):
        return f"write {_SIGNS[found['sign']]} {found['n']}"
    if found := _PATTERN.fullmatch(complaint):
        return _QUOTED_WORDS.get(
            found["quoted"], "this is written in another form; GET /openapi.json says in which"
        )
    return complaint


def _cut_middle(text: str) -> str:
    """A sentence that quotes a name of a megabyte, without the middle of that; its path stands at the end."""
    return (
        text if len(text) <= 2 * _MAX_READ_CHARS else text[:_MAX_READ_CHARS] + "…" + text[-_MAX_READ_CHARS:]
    )


def unknown_name(name: str, known: Iterable[str]) -> str:
    """The sentence about a name that we don't know; it names the nearest that we do."""
    names = list(known)
    nearest = get_close_matches(name[:_MAX_ECHO_CHARS], names, n=1, cutoff=0.5)
    hint = f"did you mean `{nearest[0]}`?" if nearest else f"known are {', '.join(names)}"
    return f"`{_clip(name)}` is not known here; {hint}"


def to_pointer(path: str) -> str:
    """The path in a complaint as a JSON pointer.

    >>> to_pointer("$.messages[3].to")
    '/messages/3/to'
    """
    return "".join(f"/{escape(name or index)}" for name, index in _PATH_STEP.findall(path))


def escape(name: str) -> str:
    """One step of a JSON pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def _clip(name: str) -> str:
    return name if len(name) <= _MAX_ECHO_CHARS else name[:_MAX_ECHO_CHARS] + "…"


@lru_cache(maxsize=64)
def _field_types(shape: Any) -> dict[str, Any]:
    if not isinstance(shape, type) or not issubclass(shape, msgspec.Struct):
        return {}
    hints = get_type_hints(shape)
    return {
        spelled: hints[name]
        for name, spelled in zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True)
    }


def _list_values(hint: Any) -> str | None:
    """``write one of a, b, c``, when the type is an enumeration or a literal (perhaps or null)."""
    for choice in (hint, *get_args(hint)):
        if get_origin(choice) is Literal:
            return f"write one of {', '.join(map(str, get_args(choice)))}"
        if isinstance(choice, type) and issubclass(choice, Enum):
            return f"write one of {', '.join(str(member.value) for member in choice)}"
    return None
