"""The AT engine: commands, answers and unsolicited lines over one serial port; it has no idea of SMS."""
