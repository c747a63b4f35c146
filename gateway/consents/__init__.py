"""Consents as people and programs bring them, and the proof of them: desk, pack, check."""
