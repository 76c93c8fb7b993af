"""Prefect's runs in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from slipway.errors import Unreachable
from slipway.ports import RunState


@dataclass
class FakeFlowRuns:
    """The `FlowRuns` port on dictionaries."""

    made: dict[str, tuple[str, Mapping[str, object]]] = field(default_factory=dict)
    """Key → deployment and parameters, in order."""
    ended: set[str] = field(default_factory=set)
    down: bool = False
    taken: set[str] = field(default_factory=set)
    """Those that a worker has taken."""
    stopping: set[str] = field(default_factory=set)
    """Those that a person has cancelled, and no worker has ended."""
    crashed: dict[str, str] = field(default_factory=dict)
    """Run → why."""
    when_given_up: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)
    lost_answers: int = 0
    """How many of the next starts succeed without the caller's hearing of it."""
    attempts: int = 0

    async def require(self, deployment: str) -> None:
        del deployment
        if self.down:
            self.attempts += 1
            raise Unreachable("Prefect did not answer")

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        self.attempts += 1
        if self.down:
            raise Unreachable("Prefect did not answer")
        self.made.setdefault(key, (deployment, parameters))
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unreachable("Prefect's answer was lost")
        return self.run_of(key)

    def link(self, run: str) -> str:
        return f"https://prefect.example/{run}"

    async def state(self, run: str) -> RunState:
        if self.down:
            raise Unreachable("Prefect did not answer")
        if run in self.crashed:
            return RunState.CRASHED
        if run in self.ended:
            return RunState.ENDED
        if run in self.stopping:
            return RunState.STOPPING
        return RunState.TAKEN if run in self.taken else RunState.WAITS

    async def withdraw(self, run: str, why: str) -> bool:
        del why
        state = await self.state(run)
        if state is RunState.WAITS:
            self.ended.add(run)
        elif state is RunState.TAKEN:
            self.stopping.add(run)
        return state is RunState.WAITS

    async def give_up(self, run: str, why: str) -> None:
        if not (await self.state(run)).is_over:
            await self.when_given_up()
            if run in self.stopping:
                self.ended.add(run)
            else:
                self.crashed[run] = why

    def take_all(self) -> None:
        """A worker takes every run that was started."""
        self.taken |= {self.run_of(key) for key in self.made}

    def run_of(self, key: str) -> str:
        """The run's id."""
        return f"run-{list(self.made).index(key) + 1}"

    def end_all(self) -> None:
        """End every run that was started."""
        self.ended |= {self.run_of(key) for key in self.made}

    def commits(self, target: str) -> list[str]:
        """The commits whose deploys were started at the target, in order."""
        return [
            str(parameters["commit"])
            for deployment, parameters in self.made.values()
            if deployment == f"deploy/{target}"
        ]
