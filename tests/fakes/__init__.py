"""Hand-written fakes of the ports, kept honest by the contract tests that the real ones pass."""
