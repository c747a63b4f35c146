"""Tests of drivers/at."""
