"""How cost grows: targets in a stack, ESC definition, tags of a repository, rows of the ledger."""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.growing import Growth
from benchmarks.publish import push_directly
from benchmarks.rows import Row
from benchmarks.samples import Sample, Side, Stopwatch, run
from benchmarks.stacks import Stacks, target
from benchmarks.world import World
from sandbox import image_registry, pulumi
from slipway.clients.esc import EscConfigStore
from slipway.domain.image import ImageReference
from slipway.domain.release import Kind, Phase, Request, State
from slipway.domain.target import ConfigKey
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.sql import SqlLedger

TAG = "0" * 40
FILLER = "    other:setting{number}: value {number} of something else that people keep here\n"
LINE = len(FILLER.format(number=100))


async def ledger(_: World | None, rounds: int) -> list[Row]:
    """Rows of the ledger; needs no sandbox."""
    return await Growth(
        "growth-ledger",
        "what a release asks of the ledger",
        "releases",
        (1_000, 10_000, 100_000, 1_000_000),
        LedgerRows().prepare,
        0.2,
        "open, save, history, unfinished, without journals of the others; limit: sqlite3 reading "
        "the newest hundred",
    ).measure(rounds)


async def definitions(world: World, rounds: int) -> list[Row]:
    """The size of an ESC definition."""
    return await Growth(
        "growth-esc",
        "read and write one ESC key",
        "bytes of definition",
        (1_000, 10_000, 100_000, 1_000_000),
        Definitions(world).prepare,
        1.1,
        "ours: within a process that runs already; peer: pulumi env get, set, get",
    ).measure(rounds)


async def tags(world: World, rounds: int) -> list[Row]:
    """The tags of a repository: to find one, and to list them all."""
    made = Tags(world)
    found = Growth(
        "growth-find",
        "find an image by its tag",
        "tags",
        (10, 1_000, 10_000),
        made.prepare_find,
        0.2,
        "ours: within a process that runs already; peer: skopeo inspect --raw",
    )
    listed = Growth(
        "growth-tags",
        "list the tags of a repository",
        "tags",
        (10, 1_000, 10_000),
        Tags(world).prepare_list,
        1.1,
        "ours: within a process that runs already; peer: skopeo list-tags; limit: one request",
    )
    return [*await found.measure(rounds), *await listed.measure(rounds)]


async def targets(world: World, rounds: int) -> list[Row]:
    """The targets of a stack."""
    return await Growth(
        "growth-targets",
        "state, preview and update of one target's stack",
        "targets in the stack",
        (1, 10, 100),
        Stacks(world).prepare,
        1.1,
        "each with a Deployment and an ESC key, one of them changed; no pods; peer: pulumi stack "
        "export, preview, up",
    ).measure(rounds)


async def timed(work: Callable[[], Awaitable[Any]]) -> Sample:
    """Wall and processor time of a coroutine of this process."""
    watch = Stopwatch()
    await work()
    return watch.sample()


class LedgerRows:
    """SQLite ledgers of ever more releases: ten targets of one stack."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="slipway-bench-ledger-")
        self._path = Path(self._folder.name) / "ledger.db"

    async def prepare(self, size: int) -> Mapping[str, Side]:
        """Fill the ledger with copies of one release up to this size."""
        ledger = SqlLedger(LedgerSettings(url=SecretStr(f"sqlite:///{self._path}")))
        some, request = target(), Request(Kind.DEPLOY, TAG, "bench")
        first = await ledger.open(some, request)
        await ledger.save(first.at(Phase.RESOLVED).to(State.LIVE))
        _multiply(self._path, size, some.name)

        async def work() -> None:
            release = await ledger.open(some, request)
            await ledger.save(release.at(Phase.RESOLVED))
            await ledger.history(some.name)
            await ledger.unfinished(str(some.stack))
            await ledger.save(release.at(Phase.RESOLVED).to(State.LIVE))

        async def ours(_: int) -> Sample:
            return await timed(work)

        async def limit(_: int) -> Sample:
            return await timed(lambda: asyncio.to_thread(_read_newest, self._path, some.name))

        return {"ours": ours, "limit": limit}


def _multiply(path: Path, size: int, target: str) -> None:
    """Copy the newest row until there are `size`, over this and nine more targets."""
    with sqlite3.connect(path) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(release)")]
        (there,) = connection.execute("SELECT count(*) FROM release").fetchone()
        others = f"CASE n % 10 WHEN 0 THEN '{target}' ELSE '{target}-' || (n % 10) END"
        copied = {"id": "printf('%012x', n)", "target": others}
        kept = [name for name in names if name != "number"]
        values = ", ".join(copied.get(name, f'"{name}"') for name in kept)
        columns = ", ".join(f'"{name}"' for name in kept)
        connection.execute(
            f"WITH RECURSIVE counted(n) AS (SELECT {there + 1} UNION ALL "  # noqa: S608 - our own names
            f"SELECT n + 1 FROM counted WHERE n < {size}) "
            f"INSERT INTO release ({columns}) SELECT {values} FROM counted, "
            "(SELECT * FROM release ORDER BY number DESC LIMIT 1)"
        )
    connection.close()


def _read_newest(path: Path, target: str) -> None:
    connection = sqlite3.connect(path)
    newest = "SELECT * FROM release WHERE target = ? ORDER BY number DESC LIMIT 100"
    connection.execute(newest, (target,)).fetchall()
    connection.close()


class Definitions:
    """ESC environments whose definitions are ever larger."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def prepare(self, size: int) -> Mapping[str, Side]:
        """An environment of this size, with the one key in its middle."""
        name = f"bench-{size}-{os.urandom(3).hex()}"
        key = ConfigKey(pulumi.ORGANIZATION, "default", name, "shop:image")
        self._make(key, size)
        place, path = f"{key.organization}/default/{name}", f'pulumiConfig["{key.key}"]'
        api = self.world.pulumi_api()
        store = EscConfigStore(api)

        async def work() -> None:
            await store.write(await store.read(key), f"image:{os.urandom(20).hex()}")

        async def ours(_: int) -> Sample:
            return await timed(work)

        async def by_hand(_: int) -> Sample:
            value = f"image:{os.urandom(20).hex()}"
            return _in_sequence(
                self.world,
                ["pulumi", "env", "get", place, path, "--value", "string"],
                ["pulumi", "env", "set", place, path, value, "--plaintext"],
                ["pulumi", "env", "get", place, path, "--value", "string"],
            )

        return {"ours": ours, "peer": by_hand}

    def _make(self, key: ConfigKey, size: int) -> None:
        half = [FILLER.format(number=number) for number in range(size // LINE // 2)]
        rest = [FILLER.format(number=number + len(half)) for number in range(len(half))]
        text = "values:\n  pulumiConfig:\n" + "".join([*half, f"    {key.key}: none\n", *rest])
        self.world.make_environment(key.environment, text)


class Tags:
    """A repository with ever more tags of one image."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.repository = f"{image_registry.host(world.box)}/bench/tags-{os.urandom(3).hex()}"

    async def prepare_find(self, size: int) -> Mapping[str, Side]:
        """Find one of so many."""
        self._fill(size)
        reference = ImageReference(self.repository, TAG)

        async def ours(_: int) -> Sample:
            registry = self.world.ports().registry
            sample = await timed(lambda: registry.find(reference))
            await self.world.close()
            return sample

        async def by_hand(_: int) -> Sample:
            return self._skopeo("inspect", "--raw", f"docker://{reference}")

        return {"ours": ours, "peer": by_hand}

    async def prepare_list(self, size: int) -> Mapping[str, Side]:
        """List them all."""
        self._fill(size)

        async def ours(_: int) -> Sample:
            registry = self.world.ports().registry
            sample = await timed(lambda: registry.tags(self.repository))
            await self.world.close()
            return sample

        async def by_hand(_: int) -> Sample:
            return self._skopeo("list-tags", f"docker://{self.repository}")

        async def limit(_: int) -> Sample:
            with self.world.registry_client(self.repository, "pull") as client:
                watch = Stopwatch()
                client.get("tags/list").raise_for_status().json()
                return watch.sample()

        return {"ours": ours, "peer": by_hand, "limit": limit}

    def _skopeo(self, *words: str) -> Sample:
        environment = self.world.environment
        login = ["--tls-verify=false", "--authfile", f"{environment['DOCKER_CONFIG']}/config.json"]
        return run(["skopeo", words[0], *login, *words[1:]], environment).sample

    def _fill(self, size: int) -> None:
        """Push one image, and link further tags to it where the registry keeps them."""
        path = self.repository.partition("/")[2]
        storage = image_registry.folder(self.world.box) / "images/docker/registry/v2/repositories"
        tags = storage / path / "_manifests" / "tags"
        if not tags.exists():
            with self.world.registry_client(self.repository, "pull,push") as client:
                push_directly(client, TAG, b"x")
        link = (tags / TAG / "current" / "link").read_text()
        for number in range(len(list(tags.iterdir())), size):
            current = tags / f"{number:040x}" / "current"
            current.mkdir(parents=True, exist_ok=True)
            (current / "link").write_text(link)


def _in_sequence(world: World, *commands: list[str]) -> Sample:
    """What several commands took together."""
    environment = world.environment
    samples = [run(each, environment).sample for each in commands]
    return Sample(sum(s.value for s in samples), sum(s.cpu or 0.0 for s in samples))
