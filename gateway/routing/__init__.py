"""Which channel takes what: pure functions over snapshots."""
