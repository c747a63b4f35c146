"""A simulated modem, SMSC and network; part of the product, never of the sending path."""
