"""What delivery reports say of messages.

`match`, `dialects`, `by_handset` find the segment; `settle` writes what follows; `apply` is the whole. `late` answers,
`inquiry` after receipts that never came, `unmatched` ones.
"""
