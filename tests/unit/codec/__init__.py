"""Unit tests of `drivers.codec`."""
