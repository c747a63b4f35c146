"""From the queue to the wire.

`schedule` claims for lanes, `dispatch` submits in `turns`, `outcomes` and `retry` follow, `late` answers come
when nobody waits any more, `standstill` watches.
"""
