"""Real ptys, sockets and databases."""
