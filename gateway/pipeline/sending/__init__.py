"""From the queue to the wire.

`schedule` claims for lanes, `dispatch` submits in `turns`, `outcomes` and `retry` follow, `standstill` watches.
"""
