"""The outside world on one machine, for the demo and the tests; never part of the product."""
