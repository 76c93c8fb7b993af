"""Whatever is lost, late, doubled or struck, what was pushed last is what is live in the end."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, cast

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import Outcome
from slipway.domain.release import State
from slipway.errors import Unreachable
from slipway.ports import FlowRuns
from slipway.webhook.dispatcher import Dispatcher
from slipway.webhook.missed import MissedPushes
from slipway.webhook.watched import SharedSource, WatchedTarget
from tests.fakes.faults import Faults
from tests.fakes.git import FakeGit
from tests.webhook.dispatching.post import ADAPTER, Post, _target

STORIES, AT_ONCE = 60, 10
QUIET = 5 * 3600.0
FOLDER = "adapter"


class LateGit(FakeGit):
    """Shows each move of a branch a while after it, as a copy does that others serve."""

    def __init__(self, lag: float) -> None:
        super().__init__(Faults())
        self.lag = lag
        self.moves: list[tuple[float, dict[str, str]]] = []

    def moved(self) -> None:
        """The branch has moved now."""
        self.moves.append((asyncio.get_running_loop().time(), dict(self.branches)))

    async def fetch(self) -> None:
        shown = asyncio.get_running_loop().time() - self.lag
        self._show(
            next((branches for at, branches in reversed(self.moves) if at <= shown), self.fetched)
        )


class Unheard:
    """Prefect as one webhook hears it: answers are lost, or it dies before it has heard one."""

    def __init__(self, story: "Story", die: Callable[[], None]) -> None:
        self._story = story
        self._die = die

    def __getattr__(self, name: str) -> object:
        return getattr(self._story.post.runs, name)

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """Start the run; whether the webhook hears of it is by chance."""
        run = await self._story.post.runs.start(deployment, parameters, key)
        kind = self._story.chance.random()
        if kind < self._story.deaf:
            raise Unreachable("Prefect's answer was lost")
        if kind < 2 * self._story.deaf:
            self._die()
            await asyncio.Future()
        return run


class Story:
    """Pushes, their deliveries, one or two webhooks, and a worker; all by one seed."""

    def __init__(self, seed: int, *, rewrites: bool) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.git = LateGit(self.chance.choice([0.0, 2.0, 45.0, 400.0]))
        self.post = Post(git=self.git)
        self.rewrites = rewrites
        self.live = self.post.first
        self.lossy = self.chance.choice([0.0, 0.0, 0.1])
        """How many runs are lost with their worker."""
        self.deaf = self.chance.choice([0.0, 0.1, 0.3])
        """How many answers of Prefect's are lost; as many kill who waits for one."""
        self._works: list[asyncio.Task[None]] = []

    async def tell(self) -> None:
        """From the first push to when nothing has happened for hours."""
        self.git.moved()
        self.git.moves[0] = (-QUIET, self.git.moves[0][1])
        await self.post.release(self.post.first, State.LIVE)
        await self.post.receive(self.post.first, name="first")
        for _ in range(self.chance.choice([1, 1, 2])):
            self._start(self._webhooks())
        self._start(self._worker())
        for number in range(self.chance.randint(3, 15)):
            self._push(number)
            if self.chance.random() < 0.5:
                self.post.runs.down = self.chance.random() < 0.2
            await self._pause()
        self.post.runs.down, self.lossy, self.deaf = False, 0.0, 0.0
        await asyncio.sleep(QUIET)
        assert not [each for each in self._works if each.done() and each.exception()]
        for each in self._works:
            each.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)

    def is_right(self) -> bool:
        """Whether the branch's head is what runs, or somebody was asked about a rewrite."""
        git, outcomes = self.post.git, self.post.outcomes()
        head = Commit(git.branches["main"])
        deployed = git.text_of(head, FOLDER) == git.text_of(self.live, FOLDER)
        waits = self.rewrites and Outcome.HELD in outcomes
        return None not in outcomes and (deployed or waits)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._works.append(asyncio.create_task(work))

    async def _webhooks(self) -> None:
        """A webhook, and the next one whenever it has died."""
        while True:
            died = asyncio.Event()
            works = [asyncio.create_task(each) for each in self._webhook(died.set)]
            try:
                dying = asyncio.create_task(died.wait())
                await asyncio.wait([*works, dying], return_when=asyncio.FIRST_COMPLETED)
                for each in works:
                    assert not each.done(), each
            finally:
                for each in works:
                    each.cancel()
                await asyncio.gather(*works, return_exceptions=True)
            await self._pause()

    def _webhook(self, die: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        post = self.post
        watched = [WatchedTarget(_target(ADAPTER), SharedSource(post.git), "acme/shop")]
        runs = cast("FlowRuns", Unheard(self, die))
        dispatcher = Dispatcher(watched, post.inbox, post.ledger, runs)
        post.dispatcher = dispatcher
        return [dispatcher.run(), MissedPushes(watched, post.inbox, dispatcher.wake).run()]

    def _push(self, number: int) -> None:
        """Move the branch; its delivery may be late, come several times, or never."""
        git, before = self.post.git, Commit(self.post.git.branches["main"])
        kind = self.chance.random()
        after = self._rewrite(number) if self.rewrites and kind > 0.85 else None
        if after is None and kind < 0.4:
            after = git.commit(f"revert {number}", {"adapter/main": "first"})
        elif after is None:
            paths = ["adapter/main", "adapter/main", "sink/main", "adapter/README.md"]
            after = self.post.commit(f"commit {number}", self.chance.choice(paths))
        self.git.moved()
        if self.chance.random() < 0.85:
            self._start(self._deliver(after, before, f"delivery-{number}"))

    def _rewrite(self, number: int) -> Commit:
        git = self.post.git
        sha = git.branches["main"]
        for _ in range(self.chance.randint(1, 3)):
            sha = git.commits[sha].parent or sha
        git.branches["main"] = sha
        if self.chance.random() < 0.4:
            return Commit(sha)
        return self.post.commit(f"instead {number}", "adapter/main")

    async def _deliver(self, after: Commit, before: Commit, name: str) -> None:
        await self._pause(200)
        for _ in range(self.chance.choice([1, 1, 1, 3])):
            await self.post.receive(after, before, name=name)
            await asyncio.sleep(self.chance.uniform(0, 3))

    async def _worker(self) -> None:
        """Takes runs in order, as the flow would: nothing goes backwards; or dies with one."""
        taken: set[str] = set()
        while True:
            await asyncio.sleep(self.chance.uniform(1, 20))
            made = [(self.post.runs.run_of(key), each) for key, each in self.post.runs.made.items()]
            waiting = [(run, wanted) for run, (_, wanted) in made if run not in taken]
            if not waiting or waiting[0][0] in {*self.post.runs.crashed, *self.post.runs.ended}:
                taken.update(run for run, _ in waiting[:1])
                continue
            run, wanted = waiting[0]
            taken.add(run)
            self.post.runs.taken.add(run)
            if self.chance.random() >= self.lossy:
                await asyncio.sleep(self.chance.uniform(1, 60))
                await self._release(run, Commit(str(wanted["commit"])))

    async def _release(self, run: str, commit: Commit) -> None:
        git = self.post.git
        line = git._line(git.branches["main"])
        is_older = commit != self.live and commit.sha in git._line(self.live.sha)
        refused = is_older or commit.sha not in line
        await self.post.release(commit, State.REFUSED if refused else State.LIVE, run=run)
        self.live = self.live if refused else commit
        self.post.runs.ended.add(run)

    async def _pause(self, longest: float = 600) -> None:
        pauses = [0, self.chance.uniform(0, 5), self.chance.uniform(0, longest)]
        await asyncio.sleep(self.chance.choice(pauses))


@pytest.mark.parametrize("rewrites", [False, True])
@pytest.mark.parametrize("first", range(0, STORIES, AT_ONCE))
async def test_what_was_pushed_last_is_live_or_waits_for_a_person(
    first: int, *, rewrites: bool
) -> None:
    for seed in range(first, first + AT_ONCE):
        story = Story(seed, rewrites=rewrites)
        with contextlib.suppress(asyncio.CancelledError):
            await story.tell()
        assert story.is_right(), seed
