"""All that touches a modem or an SMSC; knows nothing of the gateway."""
