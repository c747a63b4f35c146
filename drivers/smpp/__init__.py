"""SMPP: `wire` (pure), `session` (sans-IO), `client` (we bind to a carrier), `server` (applications bind to us).

`connection` carries a session of either; `text`, `times`, `alphabet` and `incidents` serve both sides.
"""
