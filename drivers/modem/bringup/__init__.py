"""From an open port to a stick in service: steps, pin, unlock, message_setup, restarts."""
