"""The webhook's process in a story: its dispatcher and its watch, over Prefect and an inbox."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, cast

from flows import deploy, recover
from flows.parameters import DeployOptions, as_request
from slipway.domain.delivery import Delivery, Push
from slipway.domain.release import Kind
from slipway.ports import FlowRuns, Inbox, Ports, RunState
from slipway.webhook.dispatcher import ATTEMPTS, Dispatcher
from slipway.webhook.facts import is_wanted
from slipway.webhook.last_run import changes
from slipway.webhook.left_open import LeftReleases
from slipway.webhook.watched import SharedSource, WatchedTarget
from tests.fakes.inbox import MemoryInbox
from tests.fakes.processes import Gate, Process, behind
from tests.fakes.world import World
from tests.simulation.story import ADAPTER, Pushed

PICKED_UP_AFTER = 1.0
"""Seconds until a worker takes a run."""
RESTARTED_AFTER = 5.0
LOOKED_AFTER_EVERY = 5.0

Work = Callable[[Ports], Coroutine[Any, Any, object]]
Begin = Callable[[str, str, Work], Process]
"""Starts a process by its name, at a target, that does something with the target's ports."""


class Runs:
    """The `FlowRuns` port: a worker takes each run after a second."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._names: dict[str, str] = {}
        self._begun: dict[str, Process] = {}
        self._given_up: set[str] = set()
        self._withdrawn: set[str] = set()

    async def require(self, deployment: str) -> None:
        """See `slipway.ports.FlowRuns`."""

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """See `slipway.ports.FlowRuns`."""
        if key not in self._names:
            letter = "V" if deployment.startswith("recover/") else "G"
            of_its_kind = [each for each in self._names.values() if each.startswith(letter)]
            name = self._names[key] = f"{letter}{len(of_its_kind) + 1}"
            loop = asyncio.get_running_loop()
            loop.call_later(PICKED_UP_AFTER, self._pick_up, name, dict(parameters))
        return self._names[key]

    def link(self, run: str) -> str:
        """See `slipway.ports.FlowRuns`."""
        return f"https://prefect.example/{run}"

    async def state(self, run: str) -> RunState:
        """See `slipway.ports.FlowRuns`; of a run whose machine has stopped nobody tells Prefect."""
        process = self._begun.get(run)
        if run in self._withdrawn:
            return RunState.ENDED
        if process is None:
            return RunState.WAITS
        if run in self._given_up or (process.dead and not process.unplugged):
            return RunState.CRASHED
        return RunState.ENDED if all(each.done() for each in process.tasks) else RunState.TAKEN

    async def withdraw(self, run: str, why: str) -> bool:
        """See `slipway.ports.FlowRuns`; nobody cancels what a worker has taken."""
        del why
        if run not in self._begun:
            self._withdrawn.add(run)
        return run in self._withdrawn

    async def give_up(self, run: str, why: str) -> None:
        """See `slipway.ports.FlowRuns`."""
        del why
        self._given_up.add(run)

    @property
    def waiting(self) -> bool:
        """Whether a worker has not taken every run yet."""
        return len(self._begun) + len(self._withdrawn) < len(self._names)

    def _pick_up(self, name: str, parameters: dict[str, Any]) -> None:
        if name in self._withdrawn:
            return
        target = parameters.pop("target")
        run = _deploy(name, parameters) if parameters else recover.finish_all
        self._begun[name] = self._begin(name, target, run)


def _deploy(run: str, parameters: Mapping[str, Any]) -> Work:
    options = DeployOptions.model_validate(parameters["options"])
    asked_by, why = parameters["requested_by"], parameters["why"]
    request = as_request(Kind.DEPLOY, parameters["commit"], asked_by, why, options)
    return lambda ports: deploy.release(ports, replace(request, prefect_run=run))


class Webhook:
    """Serves what the inbox holds; started again five seconds after its process has ended."""

    def __init__(self, world: World, ports: Ports, gate: Gate, begin: Begin) -> None:
        self._world = world
        self._ports = ports
        self._inbox = MemoryInbox(clock=world.ledger.now)
        self._runs = Runs(begin)
        self._gated = (
            cast("Inbox", behind(gate, "ledger", self._inbox)),
            cast("FlowRuns", behind(gate, "prefect", self._runs)),
        )
        self._dispatcher: Dispatcher | None = None
        self._process: Process | None = None

    @property
    def at_work(self) -> bool:
        """Whether something waits to be decided, or to be run."""
        return bool(self._inbox.open) or self._runs.waiting

    async def has_lost(self) -> bool:
        """Whether a push was told that a run was started for it, and that run is nowhere."""
        return any([await self._is_lost(each) for each in self._world.targets])

    async def _is_lost(self, target: str) -> bool:
        started = await self._inbox.started(target, limit=1)
        if not started or started[0].attempt == ATTEMPTS:
            return False
        last, releases = started[0], self._world.ledger.releases.values()
        if await self._runs.state(last.run) is RunState.ENDED:
            return False
        if any(
            each.request.prefect_run == last.run or (changes(each) and each.started > last.started)
            for each in releases
            if each.target == target
        ):
            return False
        pushes = await self._inbox.pushes(last.push.repository, "main")
        source = SharedSource(self._world.git)
        return await is_wanted(last, pushes, self._world.targets[target].service, source)

    async def serve(self) -> None:
        """Run until cancelled, process after process."""
        while True:
            self._process = process = self._world.process("W")
            self._start(process)
            while not (process.dead or any(each.done() for each in process.tasks)):  # noqa: ASYNC110 - a fake
                await asyncio.sleep(LOOKED_AFTER_EVERY)
            self._dispatcher = None
            await asyncio.sleep(RESTARTED_AFTER)

    def end(self) -> None:
        """The story needs it no more."""
        if self._process is not None:
            self._process.kill()

    async def receive(self, push: Pushed) -> None:
        """Keep a delivery of GitHub's, and wake who serves it."""
        commit = self._world.commits[push.commit]
        parent = self._world.git.commits[commit.sha].parent
        before = replace(commit, sha=parent) if parent else None
        name = f"delivery {len(self._inbox.kept)}"
        told = Push("main", before, commit)
        targets = tuple(self._world.targets)
        delivery = Delivery(name, name, "push", "acme/shop", "ada", told, targets)
        await self._inbox.receive([delivery])
        if self._dispatcher is not None:
            self._dispatcher.wake(targets)

    def _start(self, process: Process) -> None:
        inbox, runs = self._gated
        source, ledger = SharedSource(self._ports.source), self._ports.ledger
        targets = list(self._world.targets.values())
        watched = [WatchedTarget(each, source) for each in targets]
        self._dispatcher = Dispatcher(watched, inbox, ledger, runs)
        watch = LeftReleases(targets, ledger, runs, self._world.ports(ADAPTER).processes)
        process.start(self._dispatcher.run())
        process.start(watch.run())
