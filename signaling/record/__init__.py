"""The command `aiosfu record`: has a server record a room, and shows how it goes."""
