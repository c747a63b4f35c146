"""SMPP: wire, session, window, texts and faults."""
