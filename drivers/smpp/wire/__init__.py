"""SMPP 3.4 PDUs: octets to values and back. Pure; knows nothing of sessions or sockets."""
