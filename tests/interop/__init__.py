"""Against programs that are not ours."""
