"""SMS over AT commands, and the life of a stick."""
