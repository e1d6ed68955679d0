"""Traces of estimates and choices: read, played again, and shown."""
