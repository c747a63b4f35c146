"""The schema's history: numbered files that run once each, in order; `gateway.store.migration` runs them.

``0007_what_it_is.sql`` is a script. ``m0016_what_it_is.py`` moves data in pieces: it holds ``MIGRATION``, a
`gateway.store.migration.Stepwise`. A file that was released is never changed, and calls nothing that may change: no
repository, no codec of today.
"""
