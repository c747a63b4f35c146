"""The path of a message, from accept to receipt."""
