"""Where a stick is and who it is: usb, probe, finder, checkup."""
