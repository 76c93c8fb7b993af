"""Audits find nothing that is not there, of quiet systems and in the middle of releases."""

import pytest

from tests.simulation.audits import System, tell_until
from tests.simulation.simulator import quiet

AUDITS = 150
"""Of either kind; `make audits N=1000` does more."""


@pytest.mark.timeout(600)
def test_some_hundred_audits_find_what_waits_and_nothing_else() -> None:
    looks, _ = tell_until(lambda so_far: min(so_far.quiet, so_far.amid) >= AUDITS)

    assert looks.false == []
    assert looks.true.keys() == {"IMG009", "IMG011"}
    assert looks.ends.keys() == {"live", "restored", "refused"}


async def test_what_a_story_does_not_tell_of_would_be_noticed() -> None:
    """Planted: the stack file shadows the adapter's key, which no story does."""
    system = System(0)
    key = system.world.target.config_key.key
    system.world.stack.shadows[key] = "elsewhere/image"

    with quiet():
        looks = await system.tell()

    assert any(
        "SYS002 at ls-triton-adapter-prod, which is not there" in each for each in looks.false
    )
