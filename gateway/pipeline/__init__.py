"""The path of a message, from accept to receipt.

`intake`: from a request to a message on disk. `sending`: from the queue to the wire and back. `receipts`: what delivery
reports say of it. `inbound`: what people write to us. `sweep`: what time alone does. `operator`: what people may do.
"""
