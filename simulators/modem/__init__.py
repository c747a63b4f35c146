"""Simulated GSM modems on pseudo-terminals: what a program sees on a serial port."""
