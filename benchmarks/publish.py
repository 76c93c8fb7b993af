"""P8: publishing beside `docker build && docker push`, and beside a push without any engine."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from benchmarks.deploy import medians
from benchmarks.rows import AtMost, Row
from benchmarks.samples import Sample, Stopwatch, Words, in_turns, run, warm_up
from benchmarks.timed_release import WORK, Interval, covered, own_by_port, timed_ports
from benchmarks.world import World
from slipway.domain.commit import Commit
from slipway.domain.image import PublishedImage
from slipway.domain.release import Kind, Request, State
from slipway.ports import Ports
from slipway.tasks.publishing import MAIN, publish
from slipway.tasks.record import open_record

PROMISE = AtMost(1.10, "peer")
MEGABYTE = 1_000_000
BY_HAND = 'docker build --quiet --tag "$1" "$2" >/dev/null && docker push --quiet "$1" >/dev/null'
OURS = "ours: within a process that runs already and has published before, the commit fetched"
FLOOR = "limit: the application layer and a manifest sent without building anything"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


async def measure(world: World, rounds: int) -> list[Row]:
    """Every case, ours and by hand in turns."""
    cases = (
        Case("P8-again", "publish the same commit again", world, world.commit, again=True),
        Case(
            "P8-unchanged",
            "publish a new commit whose build inputs are unchanged",
            world,
            lambda: world.commit(docs=True),
            layer=0,
        ),
        Case("P8-1mb", "publish a changed application layer of 1 MB", world, lambda: _large(world)),
        Case(
            "P8-fresh",
            "publish into an empty repository, nothing of it built before",
            world,
            lambda: _large(world),
            fresh=True,
        ),
    )
    return [await each.measure(rounds) for each in cases]


def _large(world: World) -> str:
    return world.commit(files={"adapter/src/payload.bin": os.urandom(MEGABYTE)})


@dataclass(frozen=True)
class Case:
    """One state of engine, registry and tree from which an image is published."""

    id: str
    what: str
    world: World
    commit: Callable[[], str]
    again: bool = False
    fresh: bool = False
    layer: int = MEGABYTE

    async def measure(self, rounds: int) -> Row:
        """Publish a commit of its own each time, so that no side profits from another."""
        await self._be_live()
        parts: list[Mapping[str, float]] = []
        sides = {"ours": lambda _: self._ours(parts), "peer": self._by_hand}
        if not self.again:
            sides["limit"] = self._floor
        await warm_up(sides)
        parts.clear()
        taken = await in_turns(sides, rounds)
        return Row(
            self.id,
            self.what,
            "s",
            taken["ours"],
            taken["peer"],
            taken.get("limit"),
            PROMISE,
            parts=medians(parts),
            note=OURS + (f"; {FLOOR}" if "limit" in taken else ""),
        )

    async def _be_live(self) -> None:
        """Leave an image under `:main`, as a release that went live does."""
        commit, ports = Commit(self.world.commit()), self.world.ports()
        await ports.source.fetch()
        _, image = await _timed(ports, commit)
        await ports.registry.tag(image, MAIN)
        await self.world.close()

    async def _ours(self, parts: list[Mapping[str, float]]) -> Sample:
        commit, noted = Commit(self.commit()), list[Interval]()
        ports = self.world.ports(self._repository())
        await ports.source.fetch()
        if self.again:
            await _timed(ports, commit)
            ports = self.world.ports()
        sample, _image = await _timed(timed_ports(ports, noted.append), commit)
        await self.world.close()
        work = {WORK[name]: covered([each]) for each in noted if (name := each[0]) in WORK}
        parts.append({**work, **{f"own: {k}": v for k, v in own_by_port(noted).items()}})
        return sample

    async def _by_hand(self, _: int) -> Sample:
        commit = self.commit()
        image = f"{self._repository() or self.world.repository}:{commit}"
        words: Words = ["/bin/sh", "-c", BY_HAND, "sh", image, self.world.tree / "adapter"]
        if self.again:
            run(words, self.world.environment)
        return run(words, self.world.environment).sample

    async def _floor(self, _: int) -> Sample:
        repository = self._repository() or self.world.repository
        layer = os.urandom(self.layer)
        with self.world.registry_client(repository, "pull,push") as client:
            watch = Stopwatch()
            push_directly(client, f"floor-{os.urandom(6).hex()}", layer)
            return watch.sample()

    def _repository(self) -> str:
        return f"{self.world.repository}-{os.urandom(6).hex()}" if self.fresh else ""


async def _timed(ports: Ports, commit: Commit) -> tuple[Sample, PublishedImage]:
    """Publish as a release does, and end that release: others would wait for it."""
    record = await open_record(ports, Request(Kind.DEPLOY, commit.sha, "bench"))
    watch = Stopwatch()
    image = await publish(ports, record, commit)
    sample = watch.sample()
    await record.to(State.REFUSED, "refused: only its publishing was measured")
    return sample, image


def push_directly(
    client: httpx.Client, tag: str, payload: bytes, labels: Mapping[str, str] | None = None
) -> None:
    """Push an image of one layer with nothing but requests; without a payload, its manifest."""
    tarred, packed = _layer(payload)
    config: dict[str, object] = {"architecture": "amd64", "os": "linux"}
    config["config"] = {"Labels": labels} if labels else {}
    config["rootfs"] = {"type": "layers", "diff_ids": [_digest(tarred)]}
    blobs = {"config": json.dumps(config).encode(), "layer": packed}
    for blob in blobs.values():
        push_blob(client, blob)
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": described("application/vnd.docker.container.image.v1+json", blobs["config"]),
        "layers": [described("application/vnd.docker.image.rootfs.diff.tar.gzip", blobs["layer"])],
    }
    push_manifest(client, tag, manifest)


def push_blob(client: httpx.Client, blob: bytes) -> None:
    """Push a blob, unless it is there."""
    if client.head(f"blobs/{_digest(blob)}").is_success:
        return
    where = client.post("blobs/uploads/").raise_for_status().headers["location"]
    address = httpx.URL(where).copy_merge_params({"digest": _digest(blob)})
    client.put(address, content=blob).raise_for_status()


def push_manifest(
    client: httpx.Client, tag: str, content: Mapping[str, object]
) -> dict[str, object]:
    """Push a manifest or an index, without a tag by its digest; as an index names it."""
    body, kind = json.dumps(content).encode(), str(content["mediaType"])
    name = tag or _digest(body)
    headers = {"Content-Type": kind}
    client.put(f"manifests/{name}", content=body, headers=headers).raise_for_status()
    return described(kind, body)


def _layer(payload: bytes) -> tuple[bytes, bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("payload")
        entry.size = len(payload)
        tar.addfile(entry, io.BytesIO(payload))
    return out.getvalue(), gzip.compress(out.getvalue(), compresslevel=1, mtime=0)


def described(media_type: str, blob: bytes) -> dict[str, object]:
    """As a manifest names it."""
    return {"mediaType": media_type, "size": len(blob), "digest": _digest(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
