"""Slipway: from a commit to proven pods, and back again."""
