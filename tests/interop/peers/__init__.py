"""Programs around SMPP libraries that are not ours; each is run as a process of its own."""
