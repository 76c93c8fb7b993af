"""The command line over the seed's system in memory, in virtual time."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner, Result

from slipway.cli.main import main
from slipway.cli.session import Session
from slipway.ports import Ledger, Ports
from tests.fakes.virtual_time import VirtualTimeLoop
from tests.fakes.world import World

ADAPTER = "ls-triton-adapter-prod"
SINK = "annotations-sink-prod"
T = TypeVar("T")


class WorldSession(Session):
    """One loop for all commands of a test, so that time goes on between them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(Path("slipway.toml"))
        self.loop = loop
        self.world = self.run(_seeded())

    def targets(self) -> list[str]:
        return list(self.world.targets)

    def ports(self, target: str) -> Ports:
        return self.world.ports(target)

    def ledger(self) -> Ledger:
        return self.world.ledger

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(work)


class Terminal:
    """Somebody who types `slipway …`."""

    def __init__(self, session: WorldSession) -> None:
        self.session = session
        self.world = session.world

    def type(self, *words: str) -> Result:
        """Run a command; a defect in it is raised here."""
        result = CliRunner().invoke(main, words, obj=self.session)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        """The command's JSON, and nothing beside it on its output."""
        result = self.type(*words, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def deploy(self, name: str, code: int = 0) -> Any:
        """Deploy a commit of the world by its name."""
        commit = self.world.commits[name].sha
        return self.json("deploy", ADAPTER, commit, "--reason", "a test", "--local", code=code)


async def _seeded() -> World:
    return World.seeded()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    loop = VirtualTimeLoop()
    yield Terminal(WorldSession(loop))
    asyncio.set_event_loop(None)
    loop.close()
