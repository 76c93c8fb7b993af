"""The example's commits do what their names say, as containers under the program's limit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import pytest
from docker.models.containers import Container

from sandbox import repository
from sandbox.example_images import REPOSITORIES, publish_by_hand
from sandbox.token_issuer.accounts import PUBLISHER
from slipway.clients.docker import DockerBuilder
from slipway.clients.git import GitMirror
from slipway.clients.registry import OciRegistry
from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference
from slipway.domain.publication import REVISION_LABEL
from tests.sandbox.conftest import until
from tests.sandbox.images.conftest import ImageSide

pytestmark = pytest.mark.sandbox

MEMORY = 64 * 2**20
"""The limit that the example's program gives the container."""


@pytest.fixture
def engine(images: ImageSide) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=images.engine, version="auto")
    yield client
    client.close()


@contextmanager
def running(engine: docker.DockerClient, image: str) -> Iterator[Container]:
    container = engine.containers.run(image, detach=True, network_mode="none", mem_limit=MEMORY)
    try:
        yield container
    finally:
        container.remove(force=True)


def ask(container: Container, path: str) -> str:
    """What the service answers; the engine has no network, so it is asked from inside."""
    wget = ["wget", "-S", "-O", "-", f"http://127.0.0.1:8080{path}"]
    output, _ = container.exec_run(wget, demux=True).output, None
    return str(output)


def has_ended(container: Container) -> bool:
    container.reload()
    return str(container.status) == "exited"


async def build(
    images: ImageSide, mirror: GitMirror, builder: DockerBuilder, commit: str, folder: str
) -> str:
    service = images.service(folder=folder)
    async with mirror.checkout(Commit(commit)) as tree:
        return await builder.build(tree, service, {})


@pytest.mark.parametrize(
    ("name", "folder", "release"),
    [
        ("first", "adapter", "first"),
        ("second", "adapter", "second"),
        ("fourth", "adapter", "fourth"),
        ("fifth", "adapter", "fifth"),
        ("sink_second", "sink", "second"),
    ],
)
async def test_a_good_commit_serves_health_at_once_and_ends_at_once(
    images: ImageSide,
    history: dict[str, str],
    mirror: GitMirror,
    builder: DockerBuilder,
    engine: docker.DockerClient,
    name: str,
    folder: str,
    release: str,
) -> None:
    image = await build(images, mirror, builder, history[name], folder)

    with running(engine, image) as container:
        until(lambda: "200 OK" in ask(container, "/health"), "healthy", within=5)
        assert f'"release": "{release}"' in ask(container, "/health")
        assert "404 Not Found" in ask(container, "/elsewhere")

        begun = time.monotonic()
        container.stop(timeout=10)

        assert time.monotonic() - begun < 5
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0


async def test_the_adapter_tells_the_commit_that_it_was_built_from(
    images: ImageSide,
    history: dict[str, str],
    mirror: GitMirror,
    builder: DockerBuilder,
    engine: docker.DockerClient,
) -> None:
    commit, later = Commit(history["third"]), Commit(history["docs_only"])
    service = images.service(folder="adapter")
    async with mirror.checkout(commit) as tree:
        image = await builder.build(tree, service, {REVISION_LABEL: commit.sha})

    with running(engine, image) as container:
        until(lambda: "200 OK" in ask(container, "/health"), "healthy", within=30)

        assert f'"commit": "{commit}"' in ask(container, "/health")
        assert f"of {commit}" in container.logs().decode()
    assert await mirror.build_inputs(commit, service) == await mirror.build_inputs(later, service)


async def test_one_that_crashes_says_why(
    images: ImageSide,
    history: dict[str, str],
    mirror: GitMirror,
    builder: DockerBuilder,
    engine: docker.DockerClient,
) -> None:
    image = await build(images, mirror, builder, history["crashes"], "adapter")

    with running(engine, image) as container:
        until(lambda: has_ended(container), "ended")

        assert container.attrs["State"]["ExitCode"] == 1
        assert b"models.json: no such file or directory" in container.logs()


async def test_one_that_is_never_ready_says_so_over_http(
    images: ImageSide,
    history: dict[str, str],
    mirror: GitMirror,
    builder: DockerBuilder,
    engine: docker.DockerClient,
) -> None:
    image = await build(images, mirror, builder, history["never_ready"], "adapter")

    with running(engine, image) as container:
        until(lambda: "503 Service Unavailable" in ask(container, "/health"), "answers")

        assert not has_ended(container)


async def test_one_that_needs_more_memory_than_it_may_have_is_killed_for_it(
    images: ImageSide,
    history: dict[str, str],
    mirror: GitMirror,
    builder: DockerBuilder,
    engine: docker.DockerClient,
) -> None:
    image = await build(images, mirror, builder, history["out_of_memory"], "adapter")

    with running(engine, image) as container:
        until(lambda: has_ended(container), "ended")

        assert container.attrs["State"]["OOMKilled"] is True


async def test_one_that_dies_soon_is_healthy_before(
    images: ImageSide,
    history: dict[str, str],
    mirror: GitMirror,
    builder: DockerBuilder,
    engine: docker.DockerClient,
) -> None:
    image = await build(images, mirror, builder, history["dies_soon"], "adapter")

    with running(engine, image) as container:
        until(lambda: "200 OK" in ask(container, "/health"), "healthy", within=3)
        until(lambda: has_ended(container), "ended")

        assert container.attrs["State"]["ExitCode"] == 1


async def test_what_was_published_by_hand_has_both_tags_and_no_labels(
    images: ImageSide, history: dict[str, str], registry: OciRegistry
) -> None:
    named = publish_by_hand(
        images.engine,
        images.host,
        images.account(PUBLISHER),
        repository.path(images.box),
        history["first"],
    )

    assert set(named) == set(REPOSITORIES)
    for name in named.values():
        at_commit = await registry.find(ImageReference.parse(name))
        at_main = await registry.find(ImageReference(ImageReference.parse(name).repository, "main"))
        assert at_commit is not None
        assert at_commit == at_main
        assert at_commit.revision is None
