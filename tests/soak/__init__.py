"""Real releases in Prefect while whatever they need is killed, stopped and ended at random."""
