"""Stands in for `ghcr.io/token`: who may pull and push, as a registry's bearer tokens."""
