"""What differs by the kind of a channel: sticks and their SIMs, carriers."""
