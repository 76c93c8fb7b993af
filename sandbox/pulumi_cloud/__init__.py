"""A stand-in for Pulumi Cloud: stack state and ESC over the REST routes that the real CLI calls.

`contract.md` says which routes, where each fact comes from and what is left out.
"""
