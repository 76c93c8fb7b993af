"""What is struck when, and how: from a seed, so that a soak can be begun again as it was."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Victim(StrEnum):
    """A process, or the processes of a part."""

    FLOW = "flow process"
    PULUMI = "pulumi"
    WORKER = "worker"
    PREFECT = "Prefect server"
    REGISTRY = "registry"
    API_SERVER = "API server"


class Blow(StrEnum):
    """How it is struck."""

    KILL = "SIGKILL"
    STOP = "SIGSTOP, SIGCONT"
    TERM = "SIGTERM"


PAUSE = {
    Victim.FLOW: 8.0,
    Victim.PULUMI: 12.0,
    Victim.WORKER: 35.0,
    Victim.PREFECT: 90.0,
    Victim.REGISTRY: 25.0,
    Victim.API_SERVER: 25.0,
}
"""Seconds from one blow's end to the next at the same victim, on average: a server needs longer to
come back than a process to be struck again, and some releases shall come to their end."""
LATEST = {Victim.FLOW: 30.0, Victim.PULUMI: 2.5}
"""Seconds: what it takes about; a blow falls at any moment of it."""
LONGEST_STOP, LONGEST_ABSENCE = 20.0, 6.0
"""Seconds; a lease lasts fifteen."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow."""

    victim: Victim
    blow: Blow
    after: float
    """Seconds since there was something to strike."""
    lasts: float
    """Seconds until it may go on, or is started again."""
    pause: float
    """Seconds until the next may fall there."""
    which: float
    """Between 0 and 1: which one, where there are several of the kind."""


def strikes(seed: int, victim: Victim) -> Iterator[Strike]:
    """Blows at one victim without end; each kind comes before any comes again."""
    chance = random.Random(f"{seed} {victim}")  # noqa: S311 - no secret
    while True:
        for blow in chance.sample(list(Blow), len(Blow)):
            after = chance.uniform(0.0, LATEST.get(victim, 6.0))
            longest = LONGEST_STOP if blow is Blow.STOP else LONGEST_ABSENCE
            pause = chance.uniform(0.0, 2 * PAUSE[victim])
            lasts = chance.uniform(0.2, longest)
            yield Strike(victim, blow, after, lasts, pause, chance.random())
