"""What somebody outside is owed: `egress` says where calls may go and makes them safe."""
