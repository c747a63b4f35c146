"""Carrier options: what a client gave comes out at the driver, and what 0.1.0 stored is still read."""

import pytest

from drivers.carrier_options import read_options, write_options
from drivers.errors import DecodeError


def test_what_is_given_is_read_again_in_its_order():
    given = {"0x1403": "", "0x1400": "00fF"}
    assert read_options(write_options(given)) == ((0x1403, b""), (0x1400, b"\x00\xff"))


def test_none_given_is_none():
    assert write_options({}) is None
    assert read_options(None) == ()


def test_what_version_0_1_0_stored_is_read():
    assert read_options('[[5120, "3132"], [5123, ""]]') == ((0x1400, b"12"), (0x1403, b""))


@pytest.mark.parametrize("text", ["", "{", "5", "[5]", '[["x", "00"]]', '[[1, "0"]]', "[[1, null]]"])
def test_anything_else_is_a_decode_error(text):
    with pytest.raises(DecodeError):
        read_options(text)
