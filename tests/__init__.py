"""Tests of hongyan."""
