"""V1: how soon a bad image is noticed, and how soon what ran before is proven again."""

import asyncio
import contextlib
import json
import logging
import signal
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx

from benchmarks import SOAK
from benchmarks.releasing import deployed, released
from benchmarks.rows import AtMost, Row
from benchmarks.samples import Sample, Series, in_turns, run
from benchmarks.world import ROOT, SELECTOR, World
from slipway.domain.release import State
from slipway.ports import Ports

CAP = 25.0
"""Seconds after which a peer that has noticed nothing is stopped; both would go on for minutes."""
PULL = AtMost(5.0)
EXIT = AtMost(20.0)
BACK = AtMost(30.0)
NOTE = f"the peer is stopped {CAP:g} s after the kubelet's report"
PULL_REASONS = {"ErrImagePull", "ImagePullBackOff"}
EXITS = "exit 7"
Report = Callable[[dict[str, Any]], float | None]
"""The moment from which on a container's status shows it, or None."""


async def measure(world: World, rounds: int) -> list[Row]:
    """An image that can't be pulled, and one that exits at once: ours and the peers in turns."""
    await deployed(world)
    pull, exits = Pull(world), Exits(world)
    gone = await in_turns({"ours": pull.ours, "peer": pull.peers}, rounds)
    ended = await in_turns({"ours": exits.ours, "peer": exits.peers}, rounds)
    alone = Series(tuple(pull.alone)), Series(tuple(exits.alone))
    back = Series(tuple(pull.back + exits.back))
    image = "an image that can't be pulled is noticed after the kubelet's report"
    exiting = "an image that exits at once is noticed after its first start"
    status, up = "kubectl rollout status", "pulumi up alone"
    again = "from the decision to the old digest proven on all pods"
    soak = f"no pod had to start; a soak of {SOAK:g} s is part of it, by default it is 10 s"
    return [
        Row(
            "V1-pull", image, "s", gone["ours"], gone["peer"], None, PULL, note=f"{status}; {NOTE}"
        ),
        Row("V1-pull-up", image, "s", gone["ours"], alone[0], None, PULL, note=f"{up}; {NOTE}"),
        Row(
            "V1-exit",
            exiting,
            "s",
            ended["ours"],
            ended["peer"],
            None,
            EXIT,
            note=f"{status}; {NOTE}",
        ),
        Row("V1-exit-up", exiting, "s", ended["ours"], alone[1], None, EXIT, note=f"{up}; {NOTE}"),
        Row("V1-back", again, "s", back, promise=BACK, note=soak),
    ]


@dataclass
class Bad(ABC):
    """One kind of bad image, released by us and by hand."""

    world: World
    back: list[Sample] = field(default_factory=list)
    alone: list[Sample] = field(default_factory=list)

    async def ours(self, _: int) -> Sample:
        """From the kubelet's report to our decision; beside it, from there to the end."""
        commit, ports = await self.released()
        with _decision() as decided:
            async with _reported(self.world, self.shows) as reported:
                release = await released(self.world, commit, ports)
                ended = time.time()
                noticed = decided.result() - (await reported)
        if release.state is not State.RESTORED:
            raise RuntimeError(f"not restored but {release.state}: {release.reason}")
        self.back.append(Sample(ended - decided.result()))
        return Sample(noticed)

    async def peers(self, _: int) -> Sample:
        """From the report to the end of `kubectl rollout status`, beside `pulumi up` alone."""
        image = await self.pinned_by_hand()
        environment = self.world.by_hand()
        before = _pin(self.world, environment, image)
        async with _reported(self.world, self.shows) as reported:
            up = _start(_up_words(self.world, environment), environment)
            began = await reported
            status = _start(_status_words(environment), environment)
            seen = await asyncio.gather(_noticed(status, began), _noticed(up, began))
        for each in (status, up):
            await _stopped(each)
        _pin(self.world, environment, before)
        run(_up_words(self.world, environment), environment)
        self.alone.append(seen[1])
        return seen[0]

    @abstractmethod
    async def released(self) -> tuple[str, Ports]:
        """A commit to release, and the ports to release it by."""

    @abstractmethod
    async def pinned_by_hand(self) -> str:
        """The image that a person pins."""

    @abstractmethod
    def shows(self, container: dict[str, Any]) -> float | None:
        """The moment that a container's status shows, from which on it can be noticed."""


class Pull(Bad):
    """The image is gone from the registry when the kubelet asks for it."""

    async def released(self) -> tuple[str, Ports]:
        """The image disappears just before the update, after everything has been checked."""
        ports = self.world.ports()

        async def disappear() -> None:
            digest = decided.digest
            self.world.delete_image(self.world.repository, digest)

        decided = _Digest(ports.builder)
        return self.world.commit(), replace(
            ports, builder=decided, stack=_Before(ports.stack, "up", disappear)
        )

    async def pinned_by_hand(self) -> str:
        """A tag that nobody has pushed."""
        return f"{self.world.repository}:{self.world.commit()}"

    def shows(self, container: dict[str, Any]) -> float | None:
        """The kubelet says that the pull failed: now."""
        waiting = container["state"].get("waiting", {})
        return time.time() if waiting.get("reason") in PULL_REASONS else None


class Exits(Bad):
    """The image's program ends with an error at once."""

    async def released(self) -> tuple[str, Ports]:
        """A commit whose program exits."""
        return self.world.commit(EXITS), self.world.ports()

    async def pinned_by_hand(self) -> str:
        """The same, pushed by hand."""
        image = f"{self.world.repository}:{self.world.commit(EXITS)}"
        words = 'docker build -q -t "$1" "$2" && docker push -q "$1"'
        tree = self.world.tree / "adapter"
        run(["/bin/sh", "-c", words, "sh", image, tree], self.world.environment)
        return image

    def shows(self, container: dict[str, Any]) -> float | None:
        """When it was first started, in whole seconds, as the kubelet says."""
        if container["restartCount"] > 1:
            return None
        now, before = container["state"], container.get("lastState", {})
        first = before.get("terminated") or now.get("running") or now.get("terminated") or {}
        started = first.get("startedAt")
        return datetime.fromisoformat(started).timestamp() if started else None


class _Before:
    """A port that does something before one of its methods, the first time."""

    def __init__(self, port: Any, method: str, work: Callable[[], Awaitable[None]]) -> None:
        self._port, self._method, self._work, self._done = port, method, work, False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name != self._method or self._done:
            return found

        async def worked(*arguments: Any, **named: Any) -> Any:
            self._done = True
            await self._work()
            return await found(*arguments, **named)

        return worked


class _Digest:
    """A builder that remembers what it has pushed."""

    digest = ""

    def __init__(self, builder: Any) -> None:
        self.check, self.build, self._push = builder.check, builder.build, builder.push

    async def push(self, *arguments: Any) -> Any:
        """Push, and remember the digest."""
        digest = await self._push(*arguments)
        self.digest = str(digest)
        return digest


@contextlib.contextmanager
def _decision() -> Any:
    """When the apply step decides to stop, by the time of its log line."""
    loop = asyncio.get_running_loop()
    decided: asyncio.Future[float] = loop.create_future()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg.startswith("stopping the update") and not decided.done():
                decided.set_result(record.created)

    log, ear = logging.getLogger("slipway.tasks.applying"), Ear()
    log.addHandler(ear)
    try:
        yield decided
    finally:
        log.removeHandler(ear)


@contextlib.asynccontextmanager
async def _reported(world: World, shows: Report) -> AsyncIterator[asyncio.Task[float]]:
    """The moment that a new pod's status in the API server first shows, by a watch of our own."""
    address, headers, authority = world.cluster()
    path = f"{address}/api/v1/namespaces/apps/pods"
    patient = httpx.Timeout(10.0, read=120.0)
    trust = ssl.create_default_context(cafile=authority)
    async with httpx.AsyncClient(headers=headers, verify=trust, timeout=patient) as client:
        there = (await client.get(path, params={"labelSelector": SELECTOR})).json()
        known = {each["metadata"]["uid"] for each in there["items"]}
        version = there["metadata"]["resourceVersion"]
        watched = {"labelSelector": SELECTOR, "watch": "1", "resourceVersion": version}

        async def watch() -> float:
            async with client.stream("GET", path, params=watched) as events:
                async for line in events.aiter_lines():
                    pod = json.loads(line)["object"]
                    statuses = pod["status"].get("containerStatuses") or ()
                    shown = [each for each in map(shows, statuses) if each is not None]
                    if pod["metadata"]["uid"] not in known and shown:
                        return min(shown)
            raise RuntimeError("the watch ended before anything was reported")

        watching = asyncio.create_task(watch())
        try:
            yield watching
        finally:
            watching.cancel()


def _up_words(world: World, environment: dict[str, str]) -> list[str]:
    program = ["--cwd", f"{world.tree}/cluster", "--stack", environment["STACK"]]
    return ["pulumi", "up", *program, "--non-interactive", "--yes", "--skip-preview"]


def _status_words(environment: dict[str, str]) -> list[str]:
    where = ["--namespace", environment["NAMESPACE"]]
    return ["kubectl", *where, "rollout", "status", f"deployment/{environment['DEPLOYMENT']}"]


def _pin(world: World, environment: dict[str, str], image: str) -> str:
    """Set the key as a person does; what stood there before."""
    del world
    key = f'pulumiConfig["{environment["KEY"]}"]'
    place = environment["ENVIRONMENT"]
    before = run(["pulumi", "env", "get", place, key, "--value", "string"], environment).output
    run(["pulumi", "env", "set", place, key, image, "--plaintext"], environment)
    return before.strip()


def _start(words: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        words,
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def _noticed(process: "subprocess.Popen[bytes]", reported: float) -> Sample:
    while process.poll() is None:
        if time.time() - reported >= CAP:
            return Sample(CAP, at_least=True)
        await asyncio.sleep(0.05)
    return Sample(time.time() - reported)


async def _stopped(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    await asyncio.to_thread(process.wait, 60)
