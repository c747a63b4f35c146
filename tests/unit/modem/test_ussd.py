import pytest

from drivers.codec.gsm7 import encode_gsm7, pack_septets
from drivers.modem.ussd import read_text

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "dcs", "expected"),
    [
        ("Balance 42.00 CNY", 15, "Balance 42.00 CNY"),
        ("00420061006C0061006E00630065", 15, "Balance"),
        ("4F59989D", 72, "余额"),
        (pack_septets(encode_gsm7("Balance 42.00 CNY")).hex(), 15, "Balance 42.00 CNY"),
        ("", 15, ""),
        ("4200", 15, "4200"),
        ("ABC", 15, "ABC"),
    ],
)
def test_answers_in_every_spelling(text, dcs, expected):
    assert read_text(text, dcs) == expected
