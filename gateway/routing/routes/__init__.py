"""Rules for where messages go. Read: carriers, conditions, table (which decides), fitness, explain."""
