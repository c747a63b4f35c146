"""Pure code, tested alone."""
