"""A storm of pushes: whatever dies meanwhile, each ends once, and the newest is released."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.storm import Storm
from sandbox.box import Box
from sandbox.part import stop_all
from sandbox.parts import PARTS
from slipway.domain.delivery import Outcome
from tests.sandbox import postgres

# A thousand pushes are spread over a minute and a half; Prefect starts twice, slowly where others
# are busy.
pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture
def box() -> Iterator[Box]:
    """A box without anything running yet; whatever the storm has started is ended."""
    made = Box(Path(tempfile.mkdtemp(prefix="slipway-storm-")))
    yield made
    stop_all(made, [each for each in PARTS if each.name in {"git", "github", "prefect", "webhook"}])
    shutil.rmtree(made.root, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=postgres.needed)])
def ledger(request: pytest.FixtureRequest) -> Iterator[str]:
    """The ledger's URL; empty for the file of the sandbox."""
    if request.param == "sqlite":
        yield ""
        return
    with postgres.running() as server:
        yield postgres.new_database(server)


async def test_in_a_storm_every_push_ends_once_and_the_newest_is_released(
    box: Box, ledger: str
) -> None:
    storm = Storm(box, ledger)

    left = await storm.rage()

    assert left.flaws() == []
    assert len(left.kept) == storm.pushes
    ends = [one.ending.outcome for each in left.kept for one in each.at if one.ending is not None]
    assert set(ends) <= {Outcome.STARTED, Outcome.SUPERSEDED}
    assert 2 <= ends.count(Outcome.STARTED) == len(left.runs)
