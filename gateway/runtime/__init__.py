"""Composition and supervision: the only place that opens stores and builds channels."""
