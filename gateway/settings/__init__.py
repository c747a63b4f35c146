"""The config file: reader and forms read single settings, a file a table, `config` is the whole; doubts, secrets."""
