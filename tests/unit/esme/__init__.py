"""Pure parts of the SMPP server."""
