"""The base line: what the real daemon does in a second, and what it costs. Prints figures, asserts no times."""
