"""What a carrier's table says beyond single values."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from gateway.clock import SystemClock
from gateway.runtime.lanes import make_lanes
from gateway.runtime.settings import Settings, SettingsErrors, StoreSettings, load_settings

pytestmark = pytest.mark.unit


def read(tmp_path: Path, *lines: str) -> Settings:
    path = tmp_path / "hongyan.toml"
    table = ["[[smpp]]", 'name = "a"', 'host = "127.0.0.1"', 'system_id = "x"', 'password = "x"']
    path.write_text("\n".join((*table, *lines)))
    return load_settings(path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [("", 3_600.0), ('query_after = "20m"', 1_200.0), ('query_after = "never"', math.inf)],
)
def test_how_long_a_receipt_may_take(tmp_path: Path, line: str, expected: float) -> None:
    assert read(tmp_path, line).smpp[0].query_after_s == expected


@pytest.mark.parametrize("value", ['"soon"', "60", '"0s"'])
def test_another_word_than_never_is_refused_with_what_to_write(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsErrors, match=r'smpp\[0\]\.query_after: .*or "never"'):
        read(tmp_path, f"query_after = {value}")


def test_a_bind_of_smpp_3_3_takes_no_parameters(tmp_path: Path) -> None:
    settings = read(tmp_path, 'interface_version = "3.3"')
    assert not settings.smpp[0].takes_parameters
    [lane] = make_lanes(
        msgspec.structs.replace(settings, store=StoreSettings(url=f"sqlite:///{tmp_path}/s.db")),
        SystemClock(),
    )
    assert not lane.taker(1).takes_parameters


@pytest.mark.parametrize("value", ["12", "true", '"16"', "16.0"])
def test_a_reference_has_8_or_16_bits(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsErrors, match=r"text\.reference_bits: .*write 8 or 16"):
        read(tmp_path, "[text]", f"reference_bits = {value}")
