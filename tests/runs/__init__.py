"""Flow runs: what Prefect shows of a release, on its own test server."""
