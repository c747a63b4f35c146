"""A simulated SMSC: SMPP 3.4 over TCP in front of the simulated operator."""
