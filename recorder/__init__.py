"""Rooms to files: what is sent is kept as it is, in a process of its own."""
