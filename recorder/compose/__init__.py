"""Composites: all tracks of a room as one picture and one mix, live or afterwards."""
