"""What happens in which order: one file per story, each readable like the runbook."""

import logging

# Prefect's setting for extra loggers copies its handler to them, not its level.
for _name in ("flows", "slipway"):
    logging.getLogger(_name).setLevel(logging.INFO)
