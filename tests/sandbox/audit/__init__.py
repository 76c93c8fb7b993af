"""Audits, drills and retention against real parts."""
