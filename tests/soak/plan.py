"""What is struck when, and how: from a seed, so that a soak can be begun again as it was."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product


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


OFTEN = {
    Victim.FLOW: 5,
    Victim.PULUMI: 4,
    Victim.WORKER: 2,
    Victim.PREFECT: 1,
    Victim.REGISTRY: 2,
    Victim.API_SERVER: 2,
}
"""Those that work on a release more often than what they need: a part takes its time to return."""
LATEST = {Victim.FLOW: 12.0, Victim.PULUMI: 2.5}
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


def strikes(seed: int) -> Iterator[Strike]:
    """Blows without end; of each row of them every kind falls on every victim at least once."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    every = list(product(Victim, Blow))
    while True:
        row = every + chance.choices(every, [OFTEN[victim] for victim, _ in every], k=len(every))
        chance.shuffle(row)
        for victim, blow in row:
            after = chance.uniform(0.0, LATEST.get(victim, 6.0))
            longest = LONGEST_STOP if blow is Blow.STOP else LONGEST_ABSENCE
            yield Strike(victim, blow, after, chance.uniform(0.2, longest))
