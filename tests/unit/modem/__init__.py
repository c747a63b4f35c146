"""Tests of drivers/modem."""
