"""Releases as runs of Prefect: what people start, see and cancel in its UI."""
