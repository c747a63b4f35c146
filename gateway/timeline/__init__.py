"""What happened, for those who follow it: `follow` (the one way), `readers` (who, and up to where), `delivery_log`."""
