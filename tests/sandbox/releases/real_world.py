"""The running example, as the tests of whole releases use it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blocks.clients import build_ports
from blocks.file import SlipwayFile
from blocks.settings import TargetSettings
from flows import deploy, rollback
from sandbox import example, repository
from sandbox.box import Box
from slipway.domain.commit import Commit
from slipway.domain.config import ConfigSnapshot
from slipway.domain.fitness import ready_digests
from slipway.domain.image import Digest
from slipway.domain.release import Kind, Options, Outcome, Request, State
from slipway.domain.workloads import Workloads
from slipway.ports import Ports, StackState
from slipway.tasks.commits import resolve_commit
from slipway.tasks.publishing import publish
from slipway.tasks.record import open_record
from tests.sandbox.releases.others import Esc, Kubectl, Operator

ADAPTER, SINK = "ls-triton-adapter-prod", "annotations-sink-prod"
TYPED_WITHIN = 240.0
"""Seconds that a command may take: a whole release, on a machine that has other things to do."""

START = """\
#!/bin/sh
trap 'kill "$server"; exit 0' TERM INT
echo "release $(cat /srv/release) starts"
{before}
nc -ll -p 8080 -e /srv/answer.sh &
server=$!
wait "$server"
"""
BEHAVIOURS = {
    "good": "",
    "crashes": "echo 'models.json: no such file or directory' >&2; exit 7",
    "never-ready": "sleep 3600",
    "out-of-memory": "exec tail /dev/zero",
    "does-not-compile": "if",
}


@dataclass
class RealWorld:
    """Ports on real parts, commits made on demand, and the other people who work here."""

    box: Box
    clone: Path
    built: list[Ports] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    """What stands elsewhere than the sandbox has it: variables of a shell."""
    _eyes: dict[str, Ports] = field(default_factory=dict)
    _started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.esc = Esc(self.box)
        self.kubectl = Kubectl(self.box)
        self.operator = Operator(self.box)

    async def ports(self, name: str = ADAPTER, **target: Any) -> Ports:
        """A target's ports, quick enough for tests: a short soak."""
        file = SlipwayFile(self.box.root / "slipway.toml", self.environment)

        async def find(other: str) -> TargetSettings:
            return file.target(other)

        built = build_ports(file.target(name), find)
        self.built.append(built)
        quick = {"soak": 1.0, "ready_within": 40.0, **target}
        return replace(built, target=replace(built.target, **quick))

    async def eyes(self, name: str = ADAPTER) -> Ports:
        """A target's ports, for looking only."""
        if name not in self._eyes:
            self._eyes[name] = await self.ports(name)
        return self._eyes[name]

    @property
    def environment(self) -> dict[str, str]:
        """What slipway.toml takes from the environment, and the ledger's address."""
        return {**os.environ, **example.variables(self.box), **self.moved}

    async def deploy(
        self, wanted: Commit | str, ports: Ports | None = None, **options: Any
    ) -> Outcome:
        """Deploy at the adapter, or where the ports say, as `--local` does."""
        request = Request(
            Kind.DEPLOY, str(wanted), "ada", why="a test says so", options=Options(**options)
        )
        return await deploy.release(ports or await self.ports(), request)

    async def publish(self, commit: Commit) -> str:
        """Publish the adapter of a commit, and nothing more; the string that a pin would write."""
        ports = await self.ports()
        record = await open_record(ports, Request(Kind.DEPLOY, commit.sha, "ada"))
        image = await publish(ports, record, await resolve_commit(ports.source, commit.sha))
        await record.to(State.REFUSED, "refused: only its image was wanted")
        return str(image.named(commit))

    async def close(self) -> None:
        """Close what the ports have opened, and end what a failed test has left running."""
        for each in self.built:
            await each.close()
        for process in self._started:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()

    async def roll_back(self, to: Commit | str = "previous") -> Outcome:
        """Roll the adapter back."""
        request = Request(Kind.ROLLBACK, str(to), "ada", why="a test says so")
        return await rollback.release(await self.ports(), request)

    def commit(
        self,
        behaviour: str = "good",
        files: Mapping[str, str | bytes | None] | None = None,
        days_old: int = 0,
    ) -> Commit:
        """Push a new commit to main whose adapter behaves so; other files may change with it."""
        made = int(self._git("rev-list", "--count", "HEAD"))
        changed: dict[str, str | bytes | None] = {
            "adapter/src/start.sh": START.format(before=BEHAVIOURS[behaviour]),
            "adapter/src/release": f"{behaviour} {made}\n",
            **(files or {}),
        }
        for path, content in changed.items():
            if content is None:
                (self.clone / path).unlink()
            else:
                text = content if isinstance(content, bytes) else content.encode()
                (self.clone / path).write_bytes(text)
        self._git("add", "--all")
        at = (datetime.now(UTC) - timedelta(days=days_old)).isoformat()
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
        self._git("commit", "--quiet", "--message", f"{behaviour} {made}", **dates)
        self._git("push", "--quiet", "origin", "HEAD:main")
        return Commit(self._git("rev-parse", "HEAD"))

    def pull(self) -> None:
        """Somebody else has pushed to main: the next commit follows theirs."""
        self._git("pull", "--quiet", "--ff-only", "origin", "main")

    def file(self, path: str) -> str:
        """A file of main's newest commit."""
        return (self.clone / path).read_text()

    async def running(self, name: str = ADAPTER) -> set[Digest]:
        """The digests of the pods that are ready."""
        container = (await self.eyes(name)).target.workload.container
        return ready_digests(await self.observe(name), container)

    async def observe(self, name: str = ADAPTER) -> Workloads:
        """The Deployment as it is."""
        ports = await self.eyes(name)
        seen = await ports.cluster.observe(ports.target.workload)
        assert seen is not None
        return seen

    async def config(self, name: str = ADAPTER) -> ConfigSnapshot:
        """The key as it stands in ESC."""
        ports = await self.eyes(name)
        return await ports.config.read(ports.target.config_key)

    async def value(self, name: str = ADAPTER) -> str | None:
        """The key's value in ESC."""
        return (await self.config(name)).value

    async def state(self) -> StackState:
        """What Pulumi believes."""
        return await (await self.eyes()).stack.state()

    async def tags(self) -> set[str]:
        """Every tag of the adapter's repository."""
        ports = await self.eyes()
        return set(await ports.registry.tags(ports.target.service.repository))

    def slipway(self, *words: str) -> subprocess.Popen[str]:
        """Start the command line, as a person would."""
        program = "from slipway.cli.main import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            env=self.environment,
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    async def type(self, *words: str) -> tuple[int, str, str]:
        """Type a command to its end: its exit code, its output, and what it told on the way."""
        process = self.slipway(*words)
        output, errors = await asyncio.to_thread(process.communicate, timeout=TYPED_WITHIN)
        return process.returncode, output, errors

    async def newest(self, name: str = ADAPTER) -> Outcome:
        """The target's newest release, as the ledger has it."""
        [release] = await (await self.eyes(name)).ledger.history(name, 1)
        return Outcome(release)

    async def history(self, name: str = ADAPTER) -> list[dict[str, Any]]:
        """`slipway history --json`."""
        code, output, errors = await self.type("history", name, "--json")
        assert code == 0, errors
        found: list[dict[str, Any]] = json.loads(output)
        return found

    def _git(self, *words: str, **variables: str) -> str:
        done = subprocess.run(
            ["/usr/bin/git", "-C", self.clone, *words],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def make_world(box: Box) -> RealWorld:
    """A world on a running box, with a clone of the example to commit in."""
    clone = box.folder("clone")
    world = RealWorld(box, clone)
    if not (clone / ".git").exists():
        world._git("init", "--quiet", "--initial-branch=main")
        world._git("remote", "add", "origin", str(repository.path(box)))
        for name, value in (("user.name", "Ada"), ("user.email", "ada@example.invalid")):
            world._git("config", name, value)
        world._git("fetch", "--quiet", "origin", "main")
        world._git("reset", "--quiet", "--hard", "origin/main")
    return world
