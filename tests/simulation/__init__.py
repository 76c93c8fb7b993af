"""The production flows and recovery over an in-memory world, in virtual time, by seed.

`story.py` says what happens in one run, as plain data, which `seeds.py` makes from a seed;
`people.py` does what is asked for in it, and `webhook.py` what GitHub's pushes start, by the
webhook's own dispatcher; `weather.py` lets things go wrong around every call of a port;
`witness.py` watches what must hold all along and `invariants.py` what must hold when the storm is
over, `automation.py` both of what automation may not do; `simulator.py` joins them;
`shrinking.py` finds the shortest story that still fails; `matrix.py` goes through every cell of
step, fault and point.
"""
