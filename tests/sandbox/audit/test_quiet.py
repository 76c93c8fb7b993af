"""Where nothing is wrong nothing is found, news neither, of no target, however often one looks."""

import asyncio
from collections import Counter

import pytest

from flows.auditing import Report, audit
from flows.pruning import apply, plan
from slipway.cli.ends import exit_code
from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import Moving
from slipway.domain.release import State
from slipway.domain.retention import Policy
from tests.sandbox.audit.looking import released
from tests.sandbox.releases.real_world import ADAPTER, SINK, RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(1500)]

AUDITS = 100


async def test_a_quiet_system_is_quiet_a_hundred_times(world: RealWorld) -> None:
    await both_released(world)

    for count in range(AUDITS):
        report = await look_at_all(world, every_tag=count % 2 == 1)
        assert told(report) == []
        assert not report.not_judged


async def test_nothing_is_found_in_the_middle_of_a_release_or_its_restore(
    world: RealWorld,
) -> None:
    """But that it waits to be deployed, as long as it is not what runs."""
    await both_released(world)

    for behaviour, end in (("good", State.LIVE), ("crashes", State.RESTORED)):
        commit = world.commit(behaviour)
        work = asyncio.create_task(world.deploy(commit))
        seen: Counter[bool] = Counter()
        while not work.done():
            report = await look_at_all(world, every_tag=seen.total() % 2 == 1)
            seen[is_moving(report)] += 1
            assert set(told(report)) <= {("IMG011", ADAPTER)}
            assert all(commit.short in each.seen for each in report.findings)
            await asyncio.sleep(0.2)
        assert (await work).state is end
        assert seen[True]

        ended = await look_at_all(world, every_tag=True)
        assert told(ended) == ([("IMG011", ADAPTER)] if end is State.RESTORED else [])
        assert not ended.not_judged


async def both_released(world: RealWorld) -> None:
    """Both targets run what was built from the newest commit."""
    await released(world, 1)
    head = await (await world.eyes(SINK)).source.head("main")
    outcome = await world.deploy(head, await world.ports(SINK))
    assert exit_code(outcome.release) == 0, outcome.release.reason  # or it runs already
    await delete_what_other_tests_left(world)


async def delete_what_other_tests_left(world: RealWorld) -> None:
    """Images that are old and that nobody needs are no quiet."""
    for name in (ADAPTER, SINK):
        ports = [await world.ports(name)]
        made = await plan(ports, Policy())
        if made.deletions:
            assert (await apply(ports, Policy(), made.hash)).stopped is None


async def look_at_all(world: RealWorld, *, every_tag: bool) -> Report:
    """Audit all targets there are."""
    every = [await world.eyes(name) for name in (ADAPTER, SINK)]
    return await audit(every, every_tag=every_tag, complete=True)


def told(report: Report) -> list[tuple[str, str]]:
    """Rule and target of everything that is found."""
    return [(each.rule, each.target) for each in report.findings]


def is_moving(report: Report) -> bool:
    """Whether a release was at work while the audit looked; nothing else may be unknown."""
    parts = [part for each in report.targets for part in each.picture.parts.values()]
    unknown = [each for each in parts if isinstance(each, Unknown)]
    assert all(isinstance(each, Moving) for each in unknown), unknown
    return bool(unknown)
