"""PostgreSQL behind the store's ports.

In reading order: portable (our SQL in its words), errors, session (one connection),
transaction, writer (group commit), readers, listener (what other processes commit), migrate, engine (the store).
"""
