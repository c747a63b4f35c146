"""The command `hongyan`: one file a family of commands."""
