"""SMPP: the wire (pure), the session (sans-IO), and the ESME driver on asyncio."""
