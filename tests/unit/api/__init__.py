"""The HTTP API: pure parts."""
