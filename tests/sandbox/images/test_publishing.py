"""An image is built from a commit and stands under its tag whole, or not at all."""

import asyncio
import contextvars
import json
import logging
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from sandbox.image_registry import Registry
from sandbox.token_issuer.accounts import READER
from slipway.clients.build_context import visible_files
from slipway.clients.docker import DockerBuilder
from slipway.clients.git import GitMirror
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_session import RegistrySession
from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL, SOURCE_LABEL
from slipway.domain.target import Service
from slipway.errors import AccessDenied, BuildFailed, PushFailed, Unreachable
from tests.sandbox.images.conftest import ImageSide
from tests.sandbox.registry_side import kill_registry, uploads_under_way

pytestmark = pytest.mark.sandbox


def make_tree(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = folder / "adapter" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


async def publish(
    mirror: GitMirror, builder: DockerBuilder, service: Service, commit: Commit
) -> ImageReference:
    labels = {
        REVISION_LABEL: commit.sha,
        SOURCE_LABEL: "https://example.invalid/oceanid",
        BUILD_INPUTS_LABEL: await mirror.build_inputs(commit, service),
    }
    async with mirror.checkout(commit) as tree:
        image_id = await builder.build(tree, service, labels)
    reference = ImageReference(service.repository, commit.sha)
    return replace(reference, digest=await builder.push(image_id, reference))


async def test_a_commit_becomes_an_image_that_says_what_it_is(
    images: ImageSide,
    history: dict[str, str],
    mirror: GitMirror,
    builder: DockerBuilder,
    registry: OciRegistry,
) -> None:
    commit = Commit(history["first"])
    service = images.service()

    published = await publish(mirror, builder, service, commit)

    witness = json.loads(
        images.skopeo("inspect", f"docker://{published.repository}:{commit}").stdout
    )
    assert witness["Digest"] == str(published.digest)
    assert witness["Labels"][REVISION_LABEL] == commit.sha
    image = await registry.find(published)
    assert image is not None
    assert image.revision == commit.sha
    assert image.build_inputs == await mirror.build_inputs(commit, service)
    assert image.platforms == {"linux/amd64"}


async def test_documentation_changes_neither_the_inputs_nor_the_image(
    images: ImageSide, history: dict[str, str], mirror: GitMirror, builder: DockerBuilder
) -> None:
    """The claim of the build-inputs id, held against the engine itself."""
    service = images.service()
    ids, built = {}, {}
    for name in ("second", "third", "docs_only"):
        commit = Commit(history[name])
        ids[name] = await mirror.build_inputs(commit, service)
        async with mirror.checkout(commit) as tree:
            built[name] = await builder.build(tree, service, {})

    assert ids["third"] == ids["docs_only"]
    assert built["third"] == built["docs_only"]
    assert ids["second"] != ids["third"]
    assert built["second"] != built["third"]


async def test_what_does_not_compile_is_refused_with_the_compilers_words(
    images: ImageSide,
    history: dict[str, str],
    mirror: GitMirror,
    builder: DockerBuilder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "slipway.clients")
    commit = Commit(history["does_not_compile"])

    with pytest.raises(BuildFailed, match=r"/srv/answer.sh: line 13: syntax error") as failed:
        await publish(mirror, builder, images.service(), commit)

    assert "non-zero code: 1" in str(failed.value)
    assert any("Step 3/" in each.message for each in caplog.records)
    assert not images.tagged(ImageReference(images.service().repository, commit.sha))


async def test_a_dockerfile_that_cannot_be_read_is_a_failed_build(
    images: ImageSide, builder: DockerBuilder, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path, Dockerfile="FRM scratch\n")

    with pytest.raises(BuildFailed, match=r"(?i)unknown instruction: FRM"):
        await builder.build(tree, images.service(), {})


async def test_a_base_image_that_is_not_there_is_a_failed_build(
    images: ImageSide, builder: DockerBuilder, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path, Dockerfile=f"FROM {images.host}/none:1\n")

    with pytest.raises(BuildFailed, match=r"none"):
        await builder.build(tree, images.service(), {})


async def test_an_account_that_may_only_pull_pushes_nothing(
    images: ImageSide, registry: OciRegistry, builder: DockerBuilder, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path, Dockerfile="FROM scratch\nCOPY a /\n", a="denied")
    reader = DockerBuilder(registry, images.credentials(READER), images.engine)
    reference = ImageReference(images.service("denied").repository, "1" * 40)
    image_id = await builder.build(tree, images.service(), {})

    with pytest.raises(AccessDenied, match=r"push of .* denied"):
        await reader.push(image_id, reference)

    assert not images.tagged(reference)
    assert await registry.tags(reference.repository) == []


async def test_an_account_that_may_only_pull_is_found_without_a_push(images: ImageSide) -> None:
    repository = images.service("asked").repository
    async with RegistrySession(images.credentials(READER)) as session:
        with pytest.raises(AccessDenied, match=rf"account {READER} pull,push on "):
            await OciRegistry(session).require_push(repository)


async def test_the_engine_is_asked_without_a_build(builder: DockerBuilder, tmp_path: Path) -> None:
    await builder.check()

    with pytest.raises(Unreachable, match=r"Docker engine unix://.* does not answer"):
        await replace(builder, engine=f"unix://{tmp_path}/none.sock").check()


async def test_a_registry_that_dies_during_a_push_leaves_no_tag_and_takes_the_next_push(
    images: ImageSide, registry: OciRegistry, builder: DockerBuilder, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path, Dockerfile="FROM scratch\nCOPY a /\n", a=os.urandom(48 * 2**20))
    reference = ImageReference(images.service("interrupted").repository, "2" * 40)
    image_id = await builder.build(tree, images.service(), {})
    hurried = replace(builder, push_within=8)
    push = asyncio.create_task(hurried.push(image_id, reference))
    async with asyncio.timeout(30):
        while not uploads_under_way(images.box):
            assert not push.done(), "the push was over before it could be interrupted"
            await asyncio.sleep(0.005)

    kill_registry(images.box)
    try:
        with pytest.raises(Unreachable):
            await push
    finally:
        Registry().start(images.box)

    assert not images.tagged(reference)
    assert await registry.tags(reference.repository) == []
    digest = await builder.push(image_id, reference)
    assert images.tagged(replace(reference, tag=None, digest=digest))


async def test_pushing_the_same_image_again_changes_nothing(
    images: ImageSide, registry: OciRegistry, builder: DockerBuilder, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path, Dockerfile="FROM scratch\nCOPY a /\n", a="again")
    reference = ImageReference(images.service("again").repository, "3" * 40)
    image_id = await builder.build(tree, images.service(), {})

    first = await builder.push(image_id, reference)
    second = await builder.push(image_id, reference)

    assert first == second
    assert await registry.digest(reference) == first


async def test_a_push_that_somebody_overtakes_is_noticed(
    images: ImageSide, builder: DockerBuilder, registry: OciRegistry, tmp_path: Path
) -> None:
    """The registry has no compare-and-set for tags: what is read back decides."""
    service = images.service("overtaken")
    ids = []
    for text in ("ours", "theirs"):
        tree = make_tree(tmp_path / text, Dockerfile="FROM scratch\nCOPY a /\n", a=text)
        ids.append(await builder.build(tree, service, {}))
    reference = ImageReference(service.repository, "4" * 40)

    class Overtaken(OciRegistry):
        async def find(self, reference: ImageReference):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as its parent's
            await builder.push(ids[1], reference)
            return await super().find(reference)

    with pytest.raises(PushFailed, match="another publisher of this tag"):
        await replace(builder, registry=Overtaken(registry.session)).push(ids[0], reference)


async def test_a_cancelled_build_ends_in_the_engine_too(
    images: ImageSide, builder: DockerBuilder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "slipway.clients")
    tree = make_tree(tmp_path, Dockerfile="FROM example-base:1\nRUN echo begun && sleep 300\n")
    build = asyncio.create_task(builder.build(tree, images.service(), {}))
    async with asyncio.timeout(30):
        while not any("begun" in each.message for each in caplog.records):  # noqa: ASYNC110 - a log
            await asyncio.sleep(0.02)

    build.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await build

    client = docker.DockerClient(base_url=images.engine, version="auto")
    try:
        async with asyncio.timeout(30):
            while client.containers.list():  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(0.05)
    finally:
        client.close()


async def test_a_build_past_its_deadline_is_a_failed_build(
    images: ImageSide, builder: DockerBuilder, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path, Dockerfile="FROM example-base:1\nRUN sleep 301\n")

    with pytest.raises(BuildFailed, match="not built within 2 s"):
        await replace(builder, build_within=2).build(tree, images.service(), {})


async def test_an_engine_that_is_not_there_is_unreachable(
    images: ImageSide, builder: DockerBuilder, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path, Dockerfile="FROM scratch\n")
    nowhere = replace(builder, engine=f"unix://{tmp_path}/none.sock")

    with pytest.raises(Unreachable, match=r"Docker engine unix://.* does not answer"):
        await nowhere.build(tree, images.service(), {})


async def test_lines_are_logged_in_the_context_of_the_run(
    images: ImageSide, builder: DockerBuilder, tmp_path: Path
) -> None:
    """Prefect finds the run that a log line belongs to in a context variable."""
    run = contextvars.ContextVar("run", default="none")
    seen: set[str] = set()

    class Sees(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.add(f"{record.levelname} {run.get()}")

    logger = logging.getLogger("slipway.clients.docker")
    handler = Sees()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    run.set("ours")
    try:
        tree = make_tree(tmp_path, Dockerfile="FROM example-base:1\nRUN echo hello\n")
        await builder.build(tree, images.service(), {})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    assert seen == {"INFO ours"}


@pytest.mark.parametrize(
    "ignore",
    [
        "",
        "*.md\n!keep.md\n",
        "*\n!src\nsrc/*.log\n",
        "**/*.log\n!src/deep/keep.log\n",
        "src/deep\n!src/deep/keep.log\n",
        "/src/\n# src\n",
        "s?c/[a-m]*\n",
        "**/deep\n",
        "src/**\n",
    ],
)
def test_the_ignore_file_hides_what_dockers_own_client_hides(
    images: ImageSide, tmp_path: Path, ignore: str
) -> None:
    names = [
        "a.md",
        "keep.md",
        "src/main.c",
        "src/x.log",
        "src/deep/keep.log",
        "src/deep/z",
        "z/src",
    ]
    files = {name.replace("/", "__"): name for name in names}
    dockerfile = "FROM scratch\nCOPY . /seen/\n"
    tree = make_tree(tmp_path, **files, **{".dockerignore": ignore, "Dockerfile": dockerfile})

    def client(*words: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "DOCKER_HOST": images.engine,
            "DOCKER_BUILDKIT": "0",
        }
        done = subprocess.run(
            ["docker", *words],  # noqa: S607 - Docker's own client is the witness
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    image = client("build", "--quiet", str(tree / "adapter")).splitlines()[-1]
    container = client("create", image, "none")
    client("export", "--output", str(tmp_path / "seen.tar"), container)
    client("rm", container)
    with tarfile.open(tmp_path / "seen.tar") as tar:
        seen = {
            each.name.removeprefix("seen/")
            for each in tar.getmembers()
            if each.isfile() and each.name.startswith("seen/")
        }

    ours = set(visible_files(tree, images.service()))

    assert ours - {"Dockerfile", ".dockerignore"} == seen - {"Dockerfile", ".dockerignore"}
