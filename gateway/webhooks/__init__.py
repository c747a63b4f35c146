"""The door to receivers of events: `follow` reads the timeline, `bodies` is what they get, `caller` calls them.

`directory` knows who they are, `desk` is how people change that, `signing` proves who calls.
"""
