"""What delivery reports say of messages.

`match`, `dialects`, `by_handset` find the segment; `settle` writes what follows; `apply` is the whole. `inquiry`
asks after receipts that never came, `unmatched` keeps the rest.
"""
