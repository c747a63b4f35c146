"""SMS out, and SMS and status reports in, by way of the stick's storages."""
