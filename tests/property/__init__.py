"""Property tests: what holds for any input."""
