"""What people may do to a message, and to a number: verbs, recall, suppress."""
