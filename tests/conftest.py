"""Which clock a test runs by."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

from tests.fakes.virtual_time import VirtualTimeLoop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
# How long an example takes is the machine's affair: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
STORIES = {"dispatching", "flows", "simulation", "test_cluster.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Stories run in virtual time, where a ten-minute timeout takes milliseconds."""
    if STORIES & set(item.path.relative_to(item.config.rootpath).parts):
        return {"virtual-time": VirtualTimeLoop}
    return {"asyncio": asyncio.new_event_loop}
