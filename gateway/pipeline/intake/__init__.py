"""From a request to a message on disk: plan, drafts, admission, accept, batches."""
