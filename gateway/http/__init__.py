"""HTTP itself: listener and connections, bodies in and out, queries, and problems in words."""
