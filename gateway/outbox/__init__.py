"""What somebody outside is owed: `egress` says where calls may go, `client` makes them."""
