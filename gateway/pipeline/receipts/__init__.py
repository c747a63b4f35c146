"""What delivery reports say of messages.

`rungs` is the ladder by which the segment is looked for, with `match`, `dialects` and `by_handset`. `settle` writes
what follows, and `apply` is the whole. `inquiry` asks after receipts that never came, `unmatched` keeps the rest.
"""
