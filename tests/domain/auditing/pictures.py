"""A quiet system as the audit sees it, to be changed by one thing at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from slipway.domain.auditing.picture import (
    Applied,
    Holdings,
    Lineage,
    Memory,
    Picture,
    Program,
    Pull,
)
from slipway.domain.commit import Commit
from slipway.domain.config import ConfigSnapshot, KeyForm
from slipway.domain.hold import Hold
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.release import Kind, Phase, Release, Request, State
from slipway.domain.scheduling import Node
from slipway.domain.target import CommitInfo
from slipway.domain.workloads import Container, Pod, ReplicaSet, Workloads
from tests.fakes.world import make_target

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TARGET = make_target("adapter")
REPOSITORY = TARGET.service.repository
LIVE, BEFORE, HEAD = Commit("1" * 40), Commit("0" * 40), Commit("2" * 40)
DIGEST = Digest("sha256:" + "a" * 64)
CHILD = Digest("sha256:" + "c" * 64)
OLD = Digest("sha256:" + "b" * 64)
REFERENCE = str(ImageReference(REPOSITORY, LIVE.sha, DIGEST))
NODE = Node("amd-1", "linux/amd64")
WAY_BACK = ImageReference(REPOSITORY, BEFORE.sha, OLD)


def image(
    digest: Digest = DIGEST, revision: Commit | None = LIVE, **more: object
) -> PublishedImage:
    made = PublishedImage(
        REPOSITORY,
        digest,
        frozenset({digest, CHILD} if digest == DIGEST else {digest}),
        frozenset({"linux/amd64"}),
        revision.sha if revision else None,
        TARGET.service.source,
    )
    return replace(made, **more)  # type: ignore[arg-type] # tests name real fields


def release(commit: Commit = LIVE, digest: Digest = DIGEST, **more: object) -> Release:
    made = Release(
        f"{commit.short}",
        TARGET.name,
        str(TARGET.stack),
        Request(Kind.DEPLOY, commit.sha, "ada"),
        NOW - timedelta(hours=2),
        State.LIVE,
        Phase.APPLIED,
        commit=commit,
        digest=digest,
        image=str(ImageReference(REPOSITORY, commit.sha, digest)),
        ended=NOW - timedelta(hours=1),
        live_since=NOW - timedelta(hours=1),
    )
    return replace(made, **more)  # type: ignore[arg-type] # likewise


def info(commit: Commit, days: int = 1) -> CommitInfo:
    return CommitInfo(commit, "Serve", (NOW - timedelta(days=days)).isoformat())


def container(digest: Digest = DIGEST, **more: object) -> Container:
    ready = Container("adapter", ready=True, image_id=f"x@{digest}")
    return replace(ready, **more)  # type: ignore[arg-type] # likewise


def pod(state: Container | None = None, name: str = "adapter-1-a", **more: object) -> Pod:
    state = state or container()
    made = Pod(name, "adapter-1", state.ready, containers=(state,))
    return replace(made, **more)  # type: ignore[arg-type] # likewise


def workloads(image: str = REFERENCE, **more: object) -> Workloads:
    made = Workloads(
        "ls-triton-adapter",
        "apps",
        image,
        3,
        3,
        1,
        1,
        1,
        image_managers=("pulumi-kubernetes",),
        replicas_managers=("pulumi-kubernetes-1a2b",),
        replica_sets=(ReplicaSet("adapter-1", 1, image),),
        pods=(pod(),),
        pull_policy="IfNotPresent",
    )
    return replace(made, **more)  # type: ignore[arg-type] # likewise


def config(value: str | None = REFERENCE, form: KeyForm = KeyForm.PLAIN) -> ConfigSnapshot:
    return ConfigSnapshot(TARGET.config_key, 7, "etag", form, value, "ada")


def holdings(**more: object) -> Holdings:
    made = Holdings(
        images={REFERENCE: image(), str(WAY_BACK): image(OLD, BEFORE)},
        tags={LIVE.sha: DIGEST, BEFORE.sha: OLD, "main": DIGEST},
        main=image(),
    )
    return replace(made, **more)  # type: ignore[arg-type] # likewise


def memory(**more: object) -> Memory:
    made = Memory(
        history=(release(), release(BEFORE, OLD)),
        published={LIVE.sha: DIGEST, BEFORE.sha: OLD},
        ways_back=(WAY_BACK,),
    )
    return replace(made, **more)  # type: ignore[arg-type] # likewise


def hold(days: int, until: datetime | None = None) -> Hold:
    return Hold(1, TARGET.name, "it is slow", "ada", NOW - timedelta(days=days), until)


def restarted(times: int, minutes_ago: float, **more: object) -> Container:
    """It runs again; the run before it began and ended some minutes ago."""
    ended = container(
        restarts=times,
        terminated="Error",
        exit_code=7,
        run_began=NOW - timedelta(minutes=minutes_ago),
    )
    return replace(ended, **more)  # type: ignore[arg-type] # likewise


def lineage(**more: object) -> Lineage:
    made = Lineage(info(LIVE), info(LIVE), (), info(LIVE))
    return replace(made, **more)  # type: ignore[arg-type] # likewise


def picture(**more: object) -> Picture:
    made = Picture(
        TARGET,
        NOW,
        lineage(),
        holdings(),
        config(),
        Program("cluster/Pulumi.prod.yaml"),
        Applied(REFERENCE, 4),
        workloads(),
        (NODE,),
        (Pull("ghcr-creds"),),
        memory(),
    )
    return replace(made, **more)  # type: ignore[arg-type] # likewise
