"""Alarms of monitoring tools become texts.

``payload`` what came > ``receivers`` who gets it > ``judge`` whether it is news > ``wording`` how it reads > ``door``.
"""
