"""What people and programs are shown: `shapes` are the values, `messages` how they are made from the store."""
