"""The pages, one file a family: each has a tuple ``PAGES``, which `gateway.console.table` joins."""
