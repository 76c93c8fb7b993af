"""The ends of a release, held against the real parts: what is so, and what has not moved."""

import asyncio
import logging
import shlex
from dataclasses import dataclass, replace

import pytest

from slipway.domain.commit import Commit
from slipway.domain.fitness import PULUMI, let_go
from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Outcome, Phase, State
from slipway.domain.workloads import Workloads
from slipway.ports import Ports, StackState
from slipway.tasks.standing import look_around
from tests.sandbox.releases.real_world import ADAPTER, RealWorld


@dataclass(frozen=True)
class Facts:
    """Everything that a release may change."""

    definition: str
    revision: int
    """Of the ESC environment."""
    updates: int
    """Of the stack."""
    image: str
    """That the Deployment asks for."""
    running: frozenset[Digest]
    main: Digest | None
    """Where the service's `:main` points."""


async def facts(world: RealWorld, name: str = ADAPTER) -> Facts:
    """What is so now."""
    ports = await world.eyes(name)
    config = await world.config(name)
    last = (await ports.stack.state()).last_update
    main = await ports.registry.find(ImageReference(ports.target.service.repository, "main"))
    return Facts(
        world.esc.definition(),
        config.revision,
        last.version if last else 0,
        (await world.observe(name)).image,
        frozenset(await world.running(name)),
        main.digest if main else None,
    )


async def sound(world: RealWorld) -> Facts:
    """A world in which everything agrees on one running image: what there is, or a fresh commit.

    What a failed test has left is mended as a refusal says, so that it fails no other.
    """
    eyes = await world.eyes()
    seen = await eyes.cluster.observe(eyes.target.workload)
    if seen is not None and any(not each.startswith(PULUMI) for _, each in seen.owner_places):
        await asyncio.to_thread(world.kubectl, *shlex.split(let_go(seen))[1:])
    if seen is None or (await look_around(eyes)).disagreements:
        await asyncio.to_thread(world.operator.mend)
        outcome = await world.deploy(world.commit())
        assert outcome.state is State.LIVE, outcome.release.reason
    return await facts(world)


async def refused(
    world: RealWorld, wanted: Commit | str, code: str, *, ports: Ports | None = None
) -> Outcome:
    """Deploy something that must change nothing that deploys."""
    before = await facts(world)
    outcome = await world.deploy(wanted, ports)
    assert (outcome.state, outcome.code) == (State.REFUSED, code), outcome.release.reason
    assert await facts(world) == before
    await nothing_is_held(world)
    return outcome


async def refused_at_preflight(world: RealWorld, code: str) -> Outcome:
    """Deploy a good commit, which must be refused before it is built."""
    commit = world.commit()
    outcome = await refused(world, commit, code)
    assert outcome.release.phase is Phase.RESOLVED
    assert commit.sha not in await world.tags()
    return outcome


async def is_live(world: RealWorld, outcome: Outcome, name: str = ADAPTER) -> None:
    """ESC, Pulumi, pod template and running pods all have the release's image."""
    release = outcome.release
    assert release.state is State.LIVE, release.reason
    ports = await world.eyes(name)
    seen = await world.observe(name)
    assert await world.value(name) == release.image
    assert recorded_image(await world.state(), seen, ports) == seen.image == release.image
    assert await world.running(name) == {release.digest}
    await nothing_is_held(world)


async def has_a_proven_end(world: RealWorld, release: str, before: Facts) -> None:
    """Live, or as it was before; nothing is held, and the journals are as they were written."""
    found = await (await world.eyes()).ledger.find(release)
    assert found is not None
    assert not found.is_open, found.reason
    if found.state is State.LIVE:
        await is_live(world, Outcome(found))
    else:
        assert found.state in {State.RESTORED, State.REFUSED}, found.reason
        now = await facts(world)
        assert now == replace(before, revision=now.revision, updates=now.updates)
        await nothing_is_held(world)
    code, printed, errors = await world.type("ledger", "verify")
    assert code == 0, printed + errors


def recorded_image(state: StackState, seen: Workloads, ports: Ports) -> str | None:
    """The image in Pulumi's state, for the Deployment that is seen."""
    recorded = state.deployment(seen.namespace, seen.name)
    return recorded.images.get(ports.target.workload.container) if recorded else None


async def is_restored(world: RealWorld, outcome: Outcome, before: Facts) -> None:
    """The old digest runs, the old text stands in ESC, and Pulumi believes what is so."""
    assert outcome.state is State.RESTORED, outcome.release.reason
    now = await facts(world)
    assert now == replace(before, revision=now.revision, updates=now.updates)
    ports = await world.eyes()
    state = await world.state()
    assert recorded_image(state, await world.observe(), ports) == before.image
    assert state.last_update is not None
    assert state.last_update.result == "succeeded"
    await nothing_is_held(world)


async def nothing_is_held(world: RealWorld) -> None:
    """No lock is left: no lease, no update under way, no half-done operation, no open release."""
    ports = await world.eyes()
    stack = str(ports.target.stack)
    state = await ports.stack.state()
    assert await ports.ledger.holder(stack) is None
    assert await ports.ledger.unfinished(stack) == []
    assert (state.busy, state.pending_operations) == (False, 0)


class Told:
    """What a release has told people: its log, on standard error with `--local`."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def has(self, text: str) -> bool:
        """Whether a line has this text."""
        return any(text in line for line in self.lines())

    def lines(self) -> list[str]:
        """Every line so far."""
        return [each.getMessage() for each in self._caplog.records]

    def evidence(self, kind: str) -> str:
        """The lines of a failure's evidence: `pod`, `event` or `log`."""
        mark = f": {kind}: "
        warned = [each for each in self._caplog.records if each.levelno == logging.WARNING]
        lines = [each.getMessage().partition(mark) for each in warned]
        return "\n".join(line for _, found, line in lines if found)
