"""The shortest story that still breaks an invariant, told so that a person can read it."""

from collections.abc import Callable

from tests.simulation.simulator import Result, simulate
from tests.simulation.story import Story

KEPT_LINES = 60

Tell = Callable[[Story], Result]


def shrink(failed: Result, tell: Tell = simulate) -> Result:
    """Drop events one by one, and begin again after each that was not needed."""
    broken = {each.invariant for each in failed.violations}
    shortest = failed
    dropped = True
    while dropped:
        dropped = False
        for event in shortest.story.events:
            shorter = tell(shortest.story.without(event))
            if broken & {each.invariant for each in shorter.violations}:
                shortest, dropped = shorter, True
                break
    return shortest


def told(result: Result) -> str:
    """A story, what it broke, and what happened towards its end."""
    lines = result.trace
    skipped = [f"  … {len(lines) - KEPT_LINES} lines before"] if len(lines) > KEPT_LINES else []
    return "\n".join(
        [
            f"seed {result.story.seed}, the shortest story:",
            str(result.story),
            "broken:",
            *(f"  {each}" for each in result.violations),
            "how the releases ended:",
            *(f"  {each}" for each in result.ends),
            "what happened:",
            *skipped,
            *(f"  {each}" for each in lines[-KEPT_LINES:]),
        ]
    )
