"""What stands in the way on this machine, and its remedy: sticks, obstacles, examination."""
