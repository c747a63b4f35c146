"""What a message is and how it lives: values and tables, no I/O."""
