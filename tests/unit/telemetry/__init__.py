"""Logs and what they must not show."""
