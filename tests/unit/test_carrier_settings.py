"""What a carrier's table says beyond single values."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from drivers.smpp.client.inbound import decode_receipts
from drivers.smpp.wire.pdus import DeliverSm
from gateway import clock
from gateway.channels.lanes import LaneMaker
from gateway.clock import SystemClock
from gateway.settings.config import Settings, SettingsErrors, load_settings
from gateway.settings.kinds.carrier_rules import make_receipt_rules
from gateway.settings.store import StoreSettings

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


def test_what_a_carriers_own_words_mean(tmp_path: Path) -> None:
    line = 'receipt_words = ["Hlr Err = undeliverable", "RT:0148=rejected", "err:034=expired", "1=delivered"]'
    settings = read(tmp_path, line, "one_receipt = true").smpp[0]
    rules = make_receipt_rules(settings)
    assert rules.one_report
    for text, state in (
        (b"id:7 stat:HLRERR", "undeliverable"),
        (b"id:7 stat:rt:0148 err:148", "rejected"),
        (b"id:7 stat:UNKNOWN err:34", "expired"),
        (b"id:7 stat:1", "delivered"),
        (b"id:7 stat:DELIVRD", "delivered"),
    ):
        [receipt] = decode_receipts(DeliverSm(esm_class=4, short_message=text), rules)
        assert receipt.state == state


@pytest.mark.parametrize("value", ['"HLRERR"', '["HLRERR"]', '["HLRERR=gone"]', '["=delivered"]', "[1]"])
def test_a_word_without_a_meaning_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsErrors, match=r"smpp\[0\]\.receipt_words"):
        read(tmp_path, f"receipt_words = {value}")


def test_a_bind_of_smpp_3_3_takes_no_parameters(tmp_path: Path) -> None:
    settings = read(tmp_path, 'interface_version = "3.3"')
    assert not settings.smpp[0].takes_parameters
    maker = LaneMaker(StoreSettings(url=f"sqlite:///{tmp_path}/s.db"), SystemClock())
    lane = maker.make(settings.smpp[0])
    assert not lane.taker(1, clock.read(SystemClock())).takes_options


@pytest.mark.parametrize("value", ["12", "true", '"16"', "16.0"])
def test_a_reference_has_8_or_16_bits(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsErrors, match=r"text\.reference_bits: .*write 8 or 16"):
        read(tmp_path, "[text]", f"reference_bits = {value}")
