"""What somebody is owed: `deliver` makes it, `call` is how over HTTP, `egress` where that may go, `client` by what."""
