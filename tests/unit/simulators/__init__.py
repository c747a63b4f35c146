"""Simulators, as far as they are pure."""
