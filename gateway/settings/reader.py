"""Reads TOML tables into frozen structs and collects every fault on the way instead of stopping at the first.

A struct field says by its annotation how it is written: a `gateway.settings.forms.Form`, a `Secret`, another
struct (a table) or a tuple of structs (an array of tables).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_args, get_origin, runtime_checkable

import msgspec

from gateway.errors import SettingsError
from gateway.files import decode_text, why_unreadable
from gateway.settings.forms import BadValue, Form, show
from gateway.settings.secrets import Secret, read_secret, secret_keys

S = TypeVar("S", bound=msgspec.Struct)

_FAULTY = object()
"""Stands for a value that could not be read; its fault is already on record."""


@runtime_checkable
class Checked(Protocol):
    """A struct whose fields must also fit each other."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """What does not fit: the key to blame, and what is wrong and what to write."""
        ...


def read_document(path: Path) -> dict[str, object]:
    """A file's tables as they stand there.

    Raises:
        SettingsError: it can't be read, or is no TOML.
    """
    try:
        return dict(msgspec.toml.decode(decode_text(path.read_bytes())))
    except msgspec.DecodeError as error:
        reason = f"is not valid TOML: {error}"
    except OSError as error:
        reason = f"cannot read it: {why_unreadable(path, error)}"
    except ValueError as error:
        reason = f"cannot read it: {why_unreadable(path, error)}" if "\0" in str(path) else str(error)
    raise SettingsError("", reason)


def read_data_file(path: Path) -> dict[str, object]:
    """`read_document` of a file that a setting names.

    Raises:
        BadValue: it can't be read, or is no TOML; names the file.
    """
    try:
        return read_document(path)
    except SettingsError as error:
        raise BadValue(f"{path} {error.reason}") from None


def read_table(kind: type[S], value: object, path: str, faults: list[SettingsError]) -> S | None:
    """Read one table.

    Args:
        kind: the struct it becomes.
        value: what stands in the file; anything.
        path: where it stands, such as ``modems[0]``; empty for the whole file.
        faults: every fault is appended here.

    Returns:
        None when something in it was wrong.
    """
    if not isinstance(value, Mapping):
        faults.append(
            SettingsError(path, f"{show(value)} is not a table; write [{path}] on a line of its own")
        )
        return None
    n_before = len(faults)
    fields = msgspec.structs.fields(kind)
    faults.extend(_unknown_keys(value, path, known_keys(kind)))
    values: dict[str, Any] = {}
    for field in fields:
        found = _read_field(field, value, path, faults)
        if found is not None:
            values[field.name] = found
    if len(faults) > n_before:
        return None
    result = kind(**values)
    if isinstance(result, Checked):
        faults.extend(SettingsError(_join(path, key), reason) for key, reason in result.faults())
    return result if len(faults) == n_before else None


def known_keys(kind: type[msgspec.Struct]) -> list[str]:
    """The keys that a table of this kind may have."""
    return [
        key
        for field in msgspec.structs.fields(kind)
        for key in (secret_keys(field.encode_name) if _is_secret(field.type) else (field.encode_name,))
    ]


def table_kind(hint: object) -> tuple[type[msgspec.Struct], bool] | None:
    """The struct behind an annotation and whether it is an array of them; None for a plain value."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint, False
    if get_origin(hint) is tuple and (inner := table_kind(get_args(hint)[0])):
        return inner[0], True
    return None


def _read_field(
    field: msgspec.structs.FieldInfo, table: Mapping[str, object], path: str, faults: list[SettingsError]
) -> object | None:
    """One field's value; None when the file does not give it, `_FAULTY` when it is wrong."""
    key = field.encode_name
    where = _join(path, key)
    if found := table_kind(field.type):
        return _read_tables(*found, table.get(key), where, faults)
    try:
        value = read_secret(key, table) if _is_secret(field.type) else _parse(field.type, table.get(key))
    except BadValue as error:
        faults.append(SettingsError(where, str(error)))
        return _FAULTY
    if value is None and field.required:
        faults.append(SettingsError(where, f"is missing; write {' or '.join(_spellings(field))}"))
        return _FAULTY
    return value


def _read_tables(
    kind: type[msgspec.Struct], is_array: bool, value: object, path: str, faults: list[SettingsError]
) -> object:
    if not is_array:
        return read_table(kind, {} if value is None else value, path, faults) or _FAULTY
    if value is None:
        return ()
    if not isinstance(value, list):
        faults.append(
            SettingsError(path, f"is one table and may be many; write [[{path}]] with two brackets")
        )
        return _FAULTY
    return tuple(read_table(kind, element, f"{path}[{i}]", faults) for i, element in enumerate(value))


def _parse(hint: object, value: object) -> object | None:
    return None if value is None else _form_of(hint).parse(value)


def _form_of(hint: object) -> Form:
    """The form in an annotation, also when it is one side of ``| None``."""
    for side in (hint, *get_args(hint)):
        for mark in getattr(side, "__metadata__", ()):
            if isinstance(mark, Form):
                return mark
    raise TypeError(f"{hint} has no form")


def _is_secret(hint: object) -> bool:
    return Secret in (hint, *get_args(hint))


def _spellings(field: msgspec.structs.FieldInfo) -> Iterable[str]:
    keys = secret_keys(field.encode_name) if _is_secret(field.type) else (field.encode_name,)
    return (f"{key} = ..." for key in keys)


def _unknown_keys(table: Mapping[str, object], path: str, known: list[str]) -> Iterator[SettingsError]:
    for key in table:
        if key in known:
            continue
        near = difflib.get_close_matches(key, known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        yield SettingsError(_join(path, key), f"unknown key; {advice}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
