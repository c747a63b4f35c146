"""Kannel's two calls, as its clients know them: `sendsms` with delivery callbacks, and inbound messages to a URL."""
