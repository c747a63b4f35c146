"""SMS over AT commands, and the life of a stick.

`find`: where it is. `bringup`: from an open port to service. `memories`: where it keeps messages. `messages`: SMS out
and in. `recovery`: what is done about a stick in trouble. `session` is one open port, `driver` the channel over all of
them.
"""
