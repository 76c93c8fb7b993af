"""A storm of pushes on real parts: git, `slipway webhook` and a Prefect server, and nobody spared.

A thousand pushes, three deliveries of each in any order, the Prefect server killed and away for a
minute, the receiver killed once. Runs are not run: somebody like a worker ends each soon after it
was made, so that the next one's turn comes.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from benchmarks.rows import AtMost, Row
from benchmarks.samples import series, slowest_of_a_hundred
from benchmarks.signed import Delivery, delivery_of
from sandbox import example, prefect_server, repository
from sandbox.box import Box
from sandbox.github import places
from sandbox.github.part import GitHub, Webhook
from sandbox.github.push import FULL_NAME
from sandbox.part import stop_all
from sandbox.prefect_server import Prefect
from sandbox.processes import Processes
from sandbox.repository import Repository
from slipway.domain.delivery import Outcome, ReceivedDelivery
from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import VARIABLE, LedgerSettings

TARGETS = ("annotations-sink-prod", "ls-triton-adapter-prod")
SENDERS = 8
LASTS = 90.0
"""Seconds over which the deliveries are spread: the minute without Prefect lies within."""
LONGEST_PAUSE = 0.5
"""Seconds between deliveries of one sender, where few are left."""
CALM_WITHIN = 900.0
"""Seconds after the last delivery in which everything must have its outcome."""
LOOK_EVERY = 0.5
BUSY_WITHIN = 60.0
PAGE = 200
IDLE, IDLE_PAUSE = 400, 0.02
"""Deliveries before the storm, and the seconds between two."""
WAITING = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED", "PENDING"]}}}}


async def measure(_: None, __: int) -> list[Row]:
    """One storm, however many rounds: what must not be is counted, and the calm after it timed."""
    box = Box(Path(tempfile.mkdtemp(prefix="slipway-storm-")))
    try:
        left = await Storm(box).rage()
    finally:
        stop_all(box, [Repository(), Prefect(), GitHub(), Webhook()])
        shutil.rmtree(box.root, ignore_errors=True)
    return [
        Row(
            "L1",
            f"{len(left.pushed):,} pushes, three deliveries each: lost, doubled, or without an end",
            "",
            series(float(len(left.flaws()))),
            promise=AtMost(0),
            note=f"Prefect was away for a minute, the receiver killed; {len(left.runs)} runs, "
            f"calm {left.calm_after:.0f} s after the last delivery",
        ),
        Row(
            "L2",
            "the slowest acknowledgement of a hundred (p99) in that storm",
            "ms",
            series(1000 * slowest_of_a_hundred(left.took)),
            None,
            series(1000 * slowest_of_a_hundred(left.took_idle)),
            AtMost(2.0, "limit"),
            note=f"limit: of {IDLE} deliveries, one after the other, before the storm; what the "
            "killed receiver did not answer was not acknowledged",
        ),
    ]


@dataclass(frozen=True)
class Run:
    """A run as Prefect has it."""

    id: str
    target: str
    commit: str


@dataclass(frozen=True)
class Aftermath:
    """What a storm has left."""

    pushed: Sequence[str]
    """The commits, oldest first."""
    acknowledged: frozenset[str]
    """The ids of deliveries that were answered with 2xx."""
    kept: Sequence[ReceivedDelivery]
    runs: Sequence[Run]
    calm_after: float
    """Seconds from the last delivery to when nothing waited any more."""
    took: Sequence[float] = ()
    """Seconds of each acknowledgement."""
    took_idle: Sequence[float] = ()
    """Likewise, before the storm."""

    def flaws(self) -> list[str]:
        """Everything that must not be."""
        return [*self._unkept(), *self._without_one_outcome(), *self._runs()]

    def _unkept(self) -> Iterator[str]:
        ids = Counter(each.delivery.id for each in self.kept)
        yield from (f"{each} was acknowledged and is lost" for each in self.acknowledged - set(ids))
        yield from (f"{each} is kept {times} times" for each, times in ids.items() if times > 1)
        commits = {each.delivery.push.after.sha for each in self.kept if each.delivery.push}
        yield from (f"the push of {each} never arrived" for each in set(self.pushed) - commits)

    def _without_one_outcome(self) -> Iterator[str]:
        for each in self.kept:
            at = {one.target for one in each.at if one.ending is not None}
            if at != set(TARGETS):
                yield f"{each.delivery.id} has an outcome only at {sorted(at)}"

    def _runs(self) -> Iterator[str]:
        made = Counter((each.target, each.commit) for each in self.runs)
        yield from (f"{each} was run {times} times" for each, times in made.items() if times > 1)
        told = Counter(
            one.ending.run
            for each in self.kept
            for one in each.at
            if one.ending is not None and one.ending.outcome is Outcome.STARTED
        )
        known = {each.id for each in self.runs}
        yield from (f"run {each} was told of {n} times" for each, n in told.items() if n > 1)
        yield from (f"run {each} is told of and is not there" for each in set(told) - known)
        yield from (f"run {each} is there and not told of" for each in known - set(told))
        for target in TARGETS:
            if (target, self.pushed[-1]) not in made:
                yield f"the newest commit was never run at {target}"


@dataclass
class Storm:
    """The parts that stand in it, and the pushes."""

    box: Box
    ledger: str = ""
    """URL of the ledger; empty for the sandbox's own file."""
    pushes: int = 1000
    copies: int = 3
    lasts: float = LASTS
    prefect_away: float = 60.0
    seed: int = 0
    _acknowledged: set[str] = field(default_factory=set)
    _took: list[float] = field(default_factory=list)

    async def rage(self) -> Aftermath:
        """The whole story."""
        self._start()
        commits = _push_all(self.box, self.pushes)
        sent = shuffled(commits, self.copies, random.Random(self.seed))  # noqa: S311 - repeatable
        idle = await self._send_idly(commits)
        async with self._worker():
            await asyncio.gather(
                self._send_all(sent), self._without_prefect(), self._kill_the_receiver()
            )
            # What GitHub lists as failed is sent again, as somebody or something asks it to.
            again = {each.id: each for each in sent if each.id not in self._acknowledged}
            await self._send_all(list(again.values()))
            ended = time.monotonic()
            await self._calm()
            calm_after = time.monotonic() - ended
        kept = await self._kept()
        runs = await _runs(self.box)
        acknowledged = frozenset(self._acknowledged)
        return Aftermath(commits[1:], acknowledged, kept, runs, calm_after, self._took, idle)

    def _start(self) -> None:
        """Bring up what stands in the storm; of Prefect's deployments, the names are enough."""
        Repository().start(self.box)
        GitHub().start(self.box)
        example.write_configuration(self.box)
        Prefect().start(self.box)
        _make_deployments(self.box)
        Webhook(self.ledger).start(self.box)

    async def _send_all(self, sent: Sequence[Delivery]) -> None:
        waiting, pause = iter(sent), min(LONGEST_PAUSE, self.lasts * SENDERS / max(1, len(sent)))

        async def send() -> None:
            async with httpx.AsyncClient(timeout=10.0) as client:
                for each in waiting:
                    took = await _acknowledged(client, self.box, each)
                    if took is not None:
                        self._acknowledged.add(each.id)
                        self._took.append(took)
                    await asyncio.sleep(pause)

        await asyncio.gather(*(send() for _ in range(SENDERS)))

    async def _send_idly(self, commits: Sequence[str]) -> Sequence[float]:
        """Seconds of acknowledgements while nothing else happens: of a branch nobody deploys."""
        payload = _payload(commits[0], commits[1], "refs/heads/elsewhere")
        async with httpx.AsyncClient(timeout=10.0) as client:
            took = []
            for _ in range(IDLE):
                sent = delivery_of({**payload, "unlike": str(uuid.uuid4())})
                took.append(await _acknowledged(client, self.box, sent))
                await asyncio.sleep(IDLE_PAUSE)
        return [each for each in took if each is not None]

    async def _without_prefect(self) -> None:
        await asyncio.sleep(self.lasts * 0.1)
        _kill(self.box, "prefect-server")
        await asyncio.sleep(self.prefect_away)
        await asyncio.to_thread(Prefect().start, self.box)

    async def _kill_the_receiver(self) -> None:
        await asyncio.sleep(self.lasts * 0.5)
        _kill(self.box, "slipway-webhook")
        await asyncio.to_thread(Webhook(self.ledger).start, self.box)

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[None]:
        """Ends runs, as far as Prefect answers."""
        working = asyncio.create_task(_end_runs(self.box))
        try:
            yield
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working

    async def _calm(self) -> None:
        inbox = self._inbox()
        try:
            async with asyncio.timeout(CALM_WITHIN):
                while await inbox.count_waiting():  # noqa: ASYNC110 - a file tells nobody
                    await asyncio.sleep(LOOK_EVERY)
        finally:
            await inbox.close()

    async def _kept(self) -> Sequence[ReceivedDelivery]:
        inbox = self._inbox()
        try:
            found = await inbox.recent(2 * self.pushes * self.copies + IDLE)
            return [each for each in found if not each.delivery.ignored]
        finally:
            await inbox.close()

    def _inbox(self) -> SqlInbox:
        url = self.ledger or example.places(self.box)[VARIABLE]
        return SqlInbox(LedgerSettings(url=SecretStr(url)))


def _push_all(box: Box, number: int) -> list[str]:
    """Commits on main, each another release of both services; the one before the first leads."""
    bare = repository.path(box)
    before = _git(box, "rev-parse", "main")
    lines = []
    for count in range(1, number + 1):
        name = f"storm {count}\n"
        lines += [
            "commit refs/heads/main",
            f"mark :{count}",
            f"committer Ada <ada@example.invalid> {1_800_000_000 + count} +0000",
            f"data {len(name)}",
            name.rstrip("\n"),
            *([f"from {before}"] if count == 1 else []),
        ]
        for folder in ("adapter", "sink"):
            lines += [f"M 100644 inline {folder}/src/release", f"data {len(name)}", name]
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"],  # noqa: S607 - the git that the user has
        cwd=bare,
        input="\n".join([*lines, "done", ""]),
        text=True,
        check=True,
    )
    listed = _git(box, "rev-list", "--reverse", "--first-parent", f"{before}..main")
    return [before, *listed.splitlines()]


def _git(box: Box, *words: str) -> str:
    done = subprocess.run(
        ["git", *words],  # noqa: S607 - likewise
        cwd=repository.path(box),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def shuffled(commits: Sequence[str], copies: int, chance: random.Random) -> list[Delivery]:
    """Every push's delivery so many times, in any order; near each other as with GitHub."""
    once = [
        delivery_of(_payload(commits[number - 1], commits[number]))
        for number in range(1, len(commits))
    ]
    spread = [
        (place % len(once) + chance.random() * 50, each) for place, each in enumerate(once * copies)
    ]
    return [each for _, each in sorted(spread, key=lambda pair: pair[0])]


def _payload(before: str, after: str, ref: str = "refs/heads/main") -> dict[str, Any]:
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "repository": {"full_name": FULL_NAME, "fork": False},
        "sender": {"login": "ada"},
    }


async def _acknowledged(client: httpx.AsyncClient, box: Box, sent: Delivery) -> float | None:
    """How many seconds it took; None where it was not."""
    began = time.perf_counter()
    try:
        answer = await client.post(
            places.webhook_address(box),
            content=sent.body,
            headers=sent.headers(places.secret(box)),
        )
    except httpx.TransportError:
        return None
    return time.perf_counter() - began if answer.is_success else None


def _kill(box: Box, name: str) -> None:
    process = Processes(box).find(name)
    if process is None or not process.alive:
        raise RuntimeError(f"{name} does not run: see its log")
    os.killpg(process.pid, signal.SIGKILL)
    # What is started while it still ends would be taken for it.
    Processes(box).end(process)


def _make_deployments(box: Box) -> None:
    """What `slipway register` would make, as far as a run's start needs it."""
    with httpx.Client(base_url=f"{prefect_server.api(box)}/", timeout=60) as client:
        flow = _posted(client, "flows/", {"name": "deploy"}).json()
        for target in TARGETS:
            wanted = {"name": target, "flow_id": flow["id"], "enforce_parameter_schema": False}
            _posted(client, "deployments/", wanted)


def _posted(client: httpx.Client, path: str, wanted: Mapping[str, Any]) -> httpx.Response:
    """Ask again while Prefect's SQLite is busy, which it says by 503."""
    deadline = time.monotonic() + BUSY_WITHIN
    while True:
        answer = client.post(path, json=wanted)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            return answer.raise_for_status()
        time.sleep(LOOK_EVERY)


async def _end_runs(box: Box) -> None:
    ended: Mapping[str, Any] = {"state": {"type": "COMPLETED", "name": "Live"}, "force": True}
    async with httpx.AsyncClient(base_url=f"{prefect_server.api(box)}/", timeout=30) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                found = await client.post("flow_runs/filter", json=WAITING)
                for each in found.raise_for_status().json():
                    await client.post(f"flow_runs/{each['id']}/set_state", json=ended)
            await asyncio.sleep(LOOK_EVERY)


async def _runs(box: Box) -> list[Run]:
    async with httpx.AsyncClient(base_url=f"{prefect_server.api(box)}/", timeout=60) as client:
        runs: list[Run] = []
        while True:
            asked = {"limit": PAGE, "offset": len(runs), "sort": "START_TIME_ASC"}
            found = (await client.post("flow_runs/filter", json=asked)).raise_for_status().json()
            runs += [
                Run(each["id"], each["parameters"]["target"], each["parameters"]["commit"])
                for each in found
            ]
            if len(found) < PAGE:
                return runs
