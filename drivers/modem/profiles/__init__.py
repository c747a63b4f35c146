"""Profiles that come with us: data, no code."""
