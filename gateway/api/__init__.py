"""HTTP API `/v1`: parses, authenticates, asks the pipeline and the store, answers."""
