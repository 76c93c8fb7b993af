"""Whole releases on real parts: the table of what must be shown, row by row."""
