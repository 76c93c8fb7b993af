"""One Prefect test server for all runs; it takes half a minute to start."""

import gc
import logging
import warnings
from collections.abc import Iterator

import pytest
from prefect.logging.configuration import setup_logging
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_EXTRA_LOGGERS,
    PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

LOGGERS = ["slipway", "flows"]


@pytest.fixture(scope="package", autouse=True)
def server() -> Iterator[None]:
    """A server of our own, in a temporary folder; what follows is outside of Prefect again."""
    with (
        prefect_test_harness(server_startup_timeout=300),
        temporary_settings(
            {
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
                PREFECT_LOGGING_EXTRA_LOGGERS: LOGGERS,
                # A world may be made ready by releases outside of any run.
                PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore",
            }
        ),
    ):
        # A worker's process reads the setting when it starts; this one has started already.
        setup_logging(incremental=False)
        yield
    with warnings.catch_warnings():
        # Prefect's client leaves sockets to the garbage collector: not at the end of all tests.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    for name in LOGGERS:
        logging.getLogger(name).handlers.clear()
