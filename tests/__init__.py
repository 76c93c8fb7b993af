"""Promises, and what holds them."""
