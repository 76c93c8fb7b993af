"""The production flows and recovery over an in-memory world, in virtual time, by seed.

`story.py` says what happens in one run, as plain data made from a seed; `weather.py` lets it happen
around every call of a port; `witness.py` watches what must hold all along and `invariants.py` what
must hold when the storm is over; `simulator.py` joins them; `shrinking.py` finds the shortest story
that still fails; `matrix.py` goes through every cell of step, fault and point.
"""
