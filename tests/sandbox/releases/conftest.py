"""The example, running: everything of the sandbox but Prefect, started once for these tests."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from sandbox import example
from sandbox.box import Box
from sandbox.docker_engine import Docker
from sandbox.image_registry import Registry
from sandbox.kubernetes import Kubernetes
from sandbox.part import Part
from sandbox.parts import Example
from sandbox.pulumi import PulumiCloud
from sandbox.repository import Repository
from slipway.ledger.settings import VARIABLE
from tests.sandbox.conftest import running
from tests.sandbox.releases.ends import Told
from tests.sandbox.releases.real_world import RealWorld, make_world

PARTS: list[Part] = [Docker(), Registry(), Repository(), PulumiCloud(), Kubernetes(), Example()]


Moved = Callable[[str], Awaitable[None]]


@pytest.fixture(scope="session")
def example_box() -> Iterator[Box]:
    """A box with the example deployed by hand."""
    yield from running(PARTS)


@pytest.fixture
async def world(example_box: Box, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RealWorld]:
    """The example through Slipway's real clients."""
    made = make_world(example_box)
    monkeypatch.setenv("XDG_STATE_HOME", str(example_box.folder("state")))
    monkeypatch.setenv("SLIPWAY_LEDGER_URL", made.environment["SLIPWAY_LEDGER_URL"])
    yield made
    await made.close()


@pytest.fixture
async def ledger_at(world: RealWorld, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Moved]:
    """Gives what lets the stack belong to another ledger; at the end it is the sandbox's again."""
    usual = world.environment[VARIABLE]

    async def move(url: str) -> None:
        world.moved[VARIABLE] = url
        monkeypatch.setenv(VARIABLE, url)
        code, printed, errors = await world.type(
            "ledger", "adopt", example.STACK, "--reason", "a test"
        )
        assert code == 0, printed + errors

    yield move
    await move(usual)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """What a release tells people."""
    caplog.set_level(logging.INFO, "slipway")
    return Told(caplog)
