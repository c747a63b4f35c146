"""One SMPP session without I/O: machine, rules, window."""
