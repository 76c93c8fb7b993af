"""Stories by seed."""

from dataclasses import replace
from random import Random

from tests.simulation.story import (
    ADAPTER,
    COMMITS,
    SINK,
    ByHand,
    Edit,
    Event,
    Fault,
    Held,
    Holder,
    HoldsEnded,
    Outage,
    Pushed,
    Revoked,
    Says,
    Start,
    Story,
    System,
    Trouble,
    Vetoed,
)

PLACES = (
    ("ledger.open", 1),
    ("source.fetch", 1),
    ("registry.find", 6),
    ("builder.build", 1),
    ("builder.push", 1),
    ("ledger.record_published", 1),
    ("ledger.acquire", 3),
    ("ledger.unfinished", 2),
    ("ledger.renew", 3),
    ("ledger.save", 12),
    ("ledger.give_back", 1),
    ("ledger.holds", 4),
    ("ledger.vetoes", 2),
    ("ledger.lift_hold", 1),
    ("stack.state", 8),
    ("stack.preview", 2),
    ("config.read", 4),
    ("config.write", 2),
    ("config.write", 2),
    ("stack.up", 2),
    ("stack.up", 1),
    ("stack.refresh", 1),
    ("cluster.observe", 20),
    ("cluster.health", 4),
    ("registry.tag", 1),
)
"""Where trouble may strike: an effect, and up to which call of it. Dearer places stand twice."""
PLACES_OF_THE_WEBHOOK = (
    ("ledger.waiting", 4),
    ("ledger.started", 3),
    ("ledger.end_doubt", 2),
    ("source.fetch", 2),
    ("prefect.start", 2),
    ("prefect.state", 4),
    ("prefect.give_up", 1),
    ("ledger.started_again", 1),
    ("ledger.left_open", 3),
)

ANYWHERE = (Fault.KILL, Fault.KILL, Fault.POWER, Fault.STOP, Fault.TERM, Fault.TERM, Fault.CLOCK)
ON_A_CALL = (Fault.REFUSED, Fault.LOST, Fault.DOWN, Fault.HANGS, Fault.DENIED, Fault.OVERLOADED)


def story_of(seed: int) -> Story:
    """The story of a seed: one to four processes, mostly a webhook's beside them, and faults."""
    random = Random(seed)  # noqa: S311 - a story, not a secret
    pushes = [_pushed(random) for _ in range(random.choice((0, 0, 0, 1, 1, 2)))]
    count = random.choice((1, 1, 2, 2) if pushes else (1, 2, 2, 3, 4))
    starts = [_start(random, "ABCD"[number]) for number in range(count)]
    starts[0] = replace(starts[0], at=0.0)
    if random.random() < 0.3:
        at = round(random.uniform(5, 120), 1)
        starts.append(Start(at, "R", "recover", random.choice((ADAPTER, SINK))))
    said = [_by_hand(random) for _ in range(random.choice((0, 0, 0, 0, 1, 2)))]
    names = [each.name for each in starts]
    names += ["G1", "G1", "W", f"G{len(pushes) + 1}"] if pushes else []
    faults: list[Event] = [_trouble(random, random.choice(names)) for _ in range(2)]
    faults.extend(_fault(random, names) for _ in range(random.randint(1, 4)))
    return Story(seed, (*starts, *dict.fromkeys((*pushes, *said, *faults))))


def _at(random: Random) -> float:
    return round(random.choice((random.uniform(0, 5), random.uniform(0, 60))), 1)


def _pushed(random: Random) -> Pushed:
    at = random.choice((_at(random), round(random.uniform(20, 150), 1)))
    return Pushed(at, _commit(random, random.choice((ADAPTER, ADAPTER, SINK))))


def _by_hand(random: Random) -> ByHand:
    at, target, dice = _at(random), random.choice((ADAPTER, ADAPTER, SINK)), random.random()
    if dice < 0.35:
        return Held(at, target, random.choice((None, round(random.uniform(5, 60), 0))))
    if dice < 0.6:
        return HoldsEnded(at, target)
    return Vetoed(at, target, _commit(random, target), lifted=random.random() < 0.3)


def _start(random: Random, name: str) -> Start:
    at, target = _at(random), random.choice((ADAPTER, ADAPTER, SINK))
    if random.random() < 0.25:
        return Start(at, name, "rollback", target, random.choice(("previous", "first")))
    what = "automatic" if random.random() < 0.2 else "deploy"
    says = random.choices(list(Says), (8, 1, 1))[0]
    return Start(at, name, what, target, _commit(random, target), says)


def _commit(random: Random, target: str) -> str:
    """Mostly a good one."""
    place = min(int(random.expovariate(0.45)), len(COMMITS[target]) - 1)
    return COMMITS[target][place]


def _fault(random: Random, names: list[str]) -> Event:
    dice = random.random()
    at = round(random.uniform(0, 40), 1)
    if dice < 0.7:
        return _trouble(random, random.choice(names))
    if dice < 0.82:
        return Outage(random.choice(list(System)), at, round(random.uniform(2, 200), 0))
    if dice < 0.90:
        return Edit(at, "otherKey", f"edit-{at:g}")
    if dice < 0.97:
        return Holder(at, round(random.uniform(5, 120), 0))
    return Revoked(at, round(random.uniform(5, 60), 0))


def _trouble(random: Random, who: str) -> Trouble:
    effect, last = random.choice(PLACES_OF_THE_WEBHOOK if who == "W" else PLACES)
    nth = min(random.randint(1, last), random.randint(1, last))
    moment = random.choice(("before", "after"))
    fault = random.choice(ANYWHERE if random.random() < 0.6 else ON_A_CALL)
    if effect == "stack.up" and random.random() < 0.2:
        fault = random.choice((Fault.PULUMI_KILLED, Fault.PULUMI_HANGS))
    if fault in ON_A_CALL:
        moment = "after" if fault is Fault.LOST else "before"
    return Trouble(who, effect, nth, moment, fault)
