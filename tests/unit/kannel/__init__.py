"""Kannel's two calls, in pure code."""
