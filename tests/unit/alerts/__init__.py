"""Alarms of monitoring tools."""
