"""Whatever stands in a file: it loads, or every fault is a `SettingsError`; a secret is never repeated."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsError
from gateway.settings.config import Settings
from gateway.settings.reader import known_keys, read_table, table_kind

pytestmark = pytest.mark.property

SECRET = "hunter2-hunter2"
SCALARS = st.one_of(
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.sampled_from(
        ["1s", "99999999999999999999s", "1/min", "0/s", "+8613800138000", "[::1]:1", "CN", "/\0", "default"]
    ),
)
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=5), SCALARS, max_size=2)
)


def tables(kind: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables with keys that are mostly known and values that are mostly wrong."""
    return st.dictionaries(
        st.one_of(st.sampled_from(known_keys(kind)), st.text(max_size=8)), VALUES, max_size=6
    )


def sections() -> st.SearchStrategy[dict[str, Any]]:
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(Settings):
        inner = table_kind(field.type)
        assert inner
        kind, is_array = inner
        right = st.lists(tables(kind), max_size=2) if is_array else tables(kind)
        optional[field.encode_name] = st.one_of(right, VALUES)
    return st.fixed_dictionaries({}, optional=optional)


@given(sections())
def test_any_document_is_settings_or_faults(document: dict[str, Any]) -> None:
    faults: list[SettingsError] = []
    settings = read_table(Settings, document, "", faults)
    assert (settings is None) == bool(faults)
    for fault in faults:
        assert fault.key_path
        assert fault.reason


@given(st.dictionaries(st.sampled_from(["pin", "pin_file", "pin_env", "name", "port"]), VALUES))
def test_no_fault_repeats_a_secret(table: dict[str, Any]) -> None:
    faults: list[SettingsError] = []
    read_table(Settings, {"modems": [{**table, "pin": SECRET}]}, "", faults)
    assert faults
    assert SECRET not in "".join(map(str, faults))
