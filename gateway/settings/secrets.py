"""Secrets of the configuration: given as a value, a file or an environment variable, never shown.

Reads them; does not store, rotate or generate any.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gateway.files import decode_text, why_unreadable
from gateway.settings.forms import BadValue

FORMS = ("", "_file", "_env")
"""What may follow a secret's key: nothing (the value itself), ``_file`` or ``_env``."""


class Secret:
    """A password or PIN that no repr, format or traceback shows; `reveal` hands it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the wire, never for a log or an error."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def secret_keys(key: str) -> tuple[str, ...]:
    """The three spellings under which the secret ``key`` may stand."""
    return tuple(key + form for form in FORMS)


def read_secret(key: str, table: Mapping[str, object]) -> Secret | None:
    """The secret that ``table`` gives under ``key``, ``key_file`` or ``key_env``.

    Returns:
        None when it gives none.

    Raises:
        BadValue: more than one is given, or the one given can't be read. The sentence says what to
            write and never holds the secret.
    """
    given = [name for name in secret_keys(key) if name in table]
    if not given:
        return None
    if len(given) > 1:
        raise BadValue(f"{' and '.join(given)} are given; write only one of them")
    name, value = given[0], table[given[0]]
    if not isinstance(value, str):
        raise BadValue(f'{name} is not text; write it in quotes: {name} = "..."')
    if name == key:
        return _filled(value, f"{name} is empty; write the secret itself")
    if name.endswith("_file"):
        return _from_file(name, value)
    found = os.environ.get(value, "")
    return _filled(found, f"the environment variable {value} ({name}) is not set; set it before the start")


def _from_file(name: str, path: str) -> Secret:
    """One secret a file; the line end that editors add does not belong to it."""
    try:
        text = decode_text(Path(path).read_bytes())
    except OSError as error:
        raise BadValue(f"cannot read {path} ({name}): {why_unreadable(Path(path), error)}") from None
    except ValueError as error:
        # Of the path, or of what is in the file.
        reason = "there can be no such path" if "\0" in path else f"{error}; write the secret alone into it"
        raise BadValue(f"{path} ({name}) {reason}") from None
    return _filled(text.rstrip("\r\n"), f"{path} ({name}) is empty; write the secret alone into it")


def _filled(value: str, otherwise: str) -> Secret:
    if not value:
        raise BadValue(otherwise)
    return Secret(value)
