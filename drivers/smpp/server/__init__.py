"""The SMSC's side: listener, guests, submit."""
