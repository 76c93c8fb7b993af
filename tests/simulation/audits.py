"""`make audits N=1000`: audits of quiet systems and of systems in the middle of a release, by seed.

Nothing is wrong with these systems: good and bad images come and go by releases alone. What is
there to be found is a commit that waits to be deployed, and that of an image which was pushed by
hand, before the target's first release has adopted it, nothing says what it was built from.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from flows.auditing import Report, audit
from flows.deploy import release as deploy
from flows.rollback import release as roll_back
from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference
from slipway.domain.publication import REVISION_LABEL
from slipway.domain.release import Outcome
from tests.fakes.restrictions import EPOCH
from tests.fakes.virtual_time import run as run_in_virtual_time
from tests.fakes.world import NAMES, World, deploy_request, rollback_request
from tests.simulation.simulator import make_world, quiet

BAD = ("crashes", "never-ready", "out-of-memory", "sick", "does-not-compile")
PHASES = 5
QUIET_FOR = 86_400.0
"""Seconds at most between two audits of a quiet system; a hold is asked about after a week."""


@dataclass
class Looks:
    """What audits came to."""

    quiet: int = 0
    """Audits while nothing was at work."""
    amid: int = 0
    """Audits while a release was."""
    true: Counter[str] = field(default_factory=Counter)
    """Findings of what is really there, by their rule."""
    false: list[str] = field(default_factory=list)
    """Findings of what is not there, and what is there and was not found."""
    ends: Counter[str] = field(default_factory=Counter)
    """How the releases ended."""

    def add(self, other: "Looks") -> None:
        """Count another story's too."""
        self.quiet += other.quiet
        self.amid += other.amid
        self.true += other.true
        self.false += other.false
        self.ends += other.ends


class System:
    """The seed's system with releases that a die chooses, and what is true of it."""

    def __init__(self, seed: int) -> None:
        self.seed, self.dice = seed, random.Random(seed)  # noqa: S311 - a story's dice
        self.world: World = make_world()
        self.head = self.world.commits["fifth"]
        self.looks = Looks()

    async def tell(self) -> Looks:
        """The whole story."""
        await self._amid(self._deploy_good())
        for _ in range(PHASES):
            phases = (self._deploy_good, self._deploy_bad, self._roll_back)
            await self._amid(self.dice.choice(phases)())
            for _ in range(self.dice.randrange(3)):
                await asyncio.sleep(self.dice.uniform(0, QUIET_FOR / PHASES))
                await self._look_at_quiet()
        return self.looks

    async def _look_at_quiet(self) -> None:
        there = await self._there()
        report = await self._audit()
        self.looks.quiet += 1
        self._judge(report, must=there, may=there)

    async def _amid(self, story: Awaitable[Outcome]) -> None:
        """A release, and an audit after the other as long as it is at work."""
        work = asyncio.ensure_future(story)
        while not work.done():
            await asyncio.sleep(self.dice.uniform(0, 6))
            before = await self._there()
            report = await self._audit()
            self.looks.amid += 1
            self._judge(report, must=set(), may=before | await self._there())
        self.looks.ends[str((await work).state)] += 1
        await self._look_at_quiet()

    async def _audit(self) -> Report:
        every = [self.world.ports(name) for name in self.world.targets]
        at = EPOCH + timedelta(seconds=asyncio.get_running_loop().time())
        return await audit(every, every_tag=self.dice.random() < 0.2, complete=True, at=at)

    def _judge(
        self, report: Report, *, must: set[tuple[str, str]], may: set[tuple[str, str]]
    ) -> None:
        found = {(each.rule, each.target): each.seen for each in report.findings}
        for (rule, target), seen in found.items():
            if (rule, target) in may:
                self.looks.true[rule] += 1
            else:
                self._is_false(f"{rule} at {target}, which is not there: {seen}")
        for rule, target in must - found.keys():
            self._is_false(f"{rule} at {target} is there, and was not found")

    def _is_false(self, what: str) -> None:
        now = asyncio.get_running_loop().time()
        self.looks.false.append(f"seed {self.seed}, at {now:.1f} s: {what}")

    async def _there(self) -> set[tuple[str, str]]:
        return self._waiting() | {
            ("IMG009", target.name)
            for target, resource in zip(
                self.world.targets.values(), self.world.resources, strict=True
            )
            if not self._says_its_commit(resource.deployment.image)
            and not await self.world.ledger.history(target.name)
        }

    def _says_its_commit(self, image: str) -> bool:
        held = self.world.registry.held(ImageReference.parse(image))
        return held is not None and REVISION_LABEL in held.labels

    def _waiting(self) -> set[tuple[str, str]]:
        """Where the main line has a newer change than what the pod template names."""
        return {
            ("IMG011", target.name)
            for target, resource in zip(
                self.world.targets.values(), self.world.resources, strict=True
            )
            if self._is_behind(resource.deployment.image, target.service.folder)
        }

    def _is_behind(self, image: str, folder: str) -> bool:
        deployed = ImageReference.parse(image).commit
        commit: str | None = self.head.sha
        while deployed is not None and commit is not None and commit != deployed.sha:
            here = self.world.git.commits[commit]
            above = here.parent
            text = self.world.git.text_of
            if above is not None and text(Commit(commit), folder) != text(Commit(above), folder):
                return True
            commit = above
        return False

    async def _deploy_good(self) -> Outcome:
        return await self._deploy(f"good {self.dice.random()}")

    async def _deploy_bad(self) -> Outcome:
        return await self._deploy(self.dice.choice(BAD))

    async def _deploy(self, text: str) -> Outcome:
        folder = self.dice.choice(tuple(NAMES))
        self.head = self.world.git.commit(text, {f"{folder}/app.py": text})
        ports = self.world.ports(self._target(folder))
        return await deploy(ports, deploy_request(self.head.sha))

    async def _roll_back(self) -> Outcome:
        ports = self.world.ports(self._target(self.dice.choice(tuple(NAMES))))
        return await roll_back(ports, rollback_request())

    def _target(self, folder: str) -> str:
        return f"{NAMES[folder]}-prod"


def tell(seed: int) -> Looks:
    """Tell one story."""

    async def story() -> Looks:
        return await System(seed).tell()

    with quiet():
        return run_in_virtual_time(story())


def tell_until(enough: Callable[[Looks], bool], first: int = 0) -> tuple[Looks, int]:
    """Tell stories until there were enough; and how many it took."""
    looks, seed = Looks(), first
    while not looks.false and not enough(looks):
        looks.add(tell(seed))
        seed += 1
    return looks, seed - first


def main(argv: list[str]) -> int:
    """Audit until there were so many, or one has found what is not there."""
    parser = argparse.ArgumentParser("python -m tests.simulation.audits", description=__doc__)
    parser.add_argument("--audits", type=int, default=1_000, help="how many of either kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked, began = parser.parse_args(argv), time.monotonic()
    looks, stories = tell_until(
        lambda so_far: min(so_far.quiet, so_far.amid) >= asked.audits, asked.first
    )
    ends = ", ".join(f"{count} {state}" for state, count in sorted(looks.ends.items()))
    true = ", ".join(f"{count} of {rule}" for rule, count in sorted(looks.true.items()))
    told = f"{looks.quiet} audits of a quiet system, {looks.amid} in the middle of a release: two "
    lines = [told + f"targets each, {stories} stories, {time.monotonic() - began:.0f} s"]
    lines += [f"releases: {ends}", f"found of what is there: {true}"]
    lines += looks.false or ["found of what is not there: nothing"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if looks.false else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
