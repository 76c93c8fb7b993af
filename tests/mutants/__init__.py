"""Planted bugs, and the proof that each is noticed: a suite that sees nothing proves nothing."""
