"""Looking as the audit does, from a system in which nothing is wrong."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

import pytest

from flows.auditing import Report, audit
from slipway.domain.finding import Finding
from slipway.domain.release import Release, State
from slipway.ports import Ports
from tests.sandbox.releases.ends import sound
from tests.sandbox.releases.real_world import ADAPTER, SINK, RealWorld

BY_HAND = ("IMG009", SINK)
"""The sink has no release: it runs what was pushed by hand, without a label."""
NEWS = {"IMG011"}
"""A newer commit than what runs is there whenever a test has committed one for later."""


async def look(world: RealWorld, at: datetime | None = None, ports: Ports | None = None) -> Report:
    """Audit the adapter."""
    return await audit([ports or await world.eyes()], at=at)


async def found(
    world: RealWorld, at: datetime | None = None, ports: Ports | None = None
) -> dict[str, Finding]:
    """What an audit finds, by the rule, but for news; a second one of a rule fails the test."""
    return by_rule(but_for_news(await look(world, at, ports)))


def by_rule(findings: Sequence[Finding]) -> dict[str, Finding]:
    """Findings by their rules, of which each has one."""
    ordered = {each.rule: each for each in findings}
    assert len(ordered) == len(findings), shown(findings)
    return ordered


async def found_of_everything(world: RealWorld) -> dict[str, Finding]:
    """What an audit of all targets and every tag finds, by the rule, but for news."""
    every = [await world.eyes(name) for name in (ADAPTER, SINK)]
    report = await audit(every, every_tag=True, complete=True)
    return by_rule([each for each in but_for_news(report) if (each.rule, each.target) != BY_HAND])


async def released(world: RealWorld, count: int = 2) -> list[Release]:
    """Fresh commits, live one after the other, in a world where nothing else is wrong.

    The pods of the test before may still be on their way out.
    """
    await sound(world)
    done = []
    for _ in range(count):
        outcome = await world.deploy(world.commit())
        assert outcome.state is State.LIVE, outcome.release.reason
        done.append(outcome.release)
    await found_at_last(world)
    return done


async def found_at_last(world: RealWorld, *rules: str, perhaps: str = "") -> dict[str, Finding]:
    """What an audit finds once it finds these, and nothing else but perhaps one other."""
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(240):
            while True:
                findings = but_for_news(await look(world))
                if sorted(each.rule for each in findings if each.rule != perhaps) == sorted(rules):
                    return by_rule(findings)
    except TimeoutError:
        pytest.fail(f"found at last: {shown(findings) or 'nothing'}")


def but_for_news(report: Report) -> list[Finding]:
    """What was found and is wrong."""
    return [each for each in report.findings if each.rule not in NEWS]


def shown(findings: Iterable[Finding]) -> str:
    """For whoever reads why a test failed."""
    return "; ".join(f"{each.rule} {each.about}: {each.seen}" for each in findings)


async def repository(world: RealWorld) -> str:
    """Where the adapter's images are."""
    return (await world.eyes()).target.service.repository
