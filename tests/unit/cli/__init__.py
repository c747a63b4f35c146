"""The command line, without a gateway behind it."""
