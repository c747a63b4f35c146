"""What happened, for those who follow it: the delivery log."""
