"""Who may be sent what: pure decisions."""
