"""The audit's decisions: a picture of one target from every side, and the rules that judge it."""
