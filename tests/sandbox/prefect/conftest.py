"""The whole sandbox, up once, and the runs whose ends several tests look at."""

import subprocess
from collections.abc import Iterator, Sequence

import pytest

from sandbox import prefect_server, repository
from sandbox.box import Box
from sandbox.part import Part
from sandbox.parts import WITHOUT_GITHUB, Example
from sandbox.pulumi import command
from tests.sandbox.conftest import running
from tests.sandbox.git_server import serving
from tests.sandbox.prefect.processes import Watch
from tests.sandbox.prefect.stand import GIT_USER, World, git_token
from tests.sandbox.prefect.ui import Run, Ui
from tests.sandbox.releases.real_world import ADAPTER, make_world

GIT_PORT, GIT_BLOCK = "git-over-http", "sandbox-git-token"


class BehindATokenAndQuick(Example):
    """The example as its users have it: the repository needs a token. Soak and patience are short.

    The token is in a Prefect secret block, and read from there when the targets are registered.
    """

    needs: Sequence[str] = (*Example.needs, "prefect")

    def start(self, box: Box) -> None:
        super().start(box)
        _serve_over_http(box)
        _save_secret(Ui(prefect_server.api(box)), GIT_BLOCK, git_token(box))
        file = box.folder() / "slipway.toml"
        url = f"http://127.0.0.1:{box.port(GIT_PORT)}/{repository.path(box).name}"
        changed = file.read_text().replace(
            f'url = "{repository.path(box)}"',
            f'url = "{url}"\nusername = "{GIT_USER}"\ntoken = {{ block = "{GIT_BLOCK}" }}',
        )
        file.write_text(changed.replace('namespace = "apps"', 'namespace = "apps"\n' + _QUICK))


_QUICK = "soak = 1\nready_within = 40"


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """Every part of the sandbox, the worker too; what is pushed here is deployed by hand only."""
    parts: list[Part] = [
        BehindATokenAndQuick() if each.name == "example" else each for each in WITHOUT_GITHUB
    ]
    yield from running(parts)


@pytest.fixture(scope="session")
def watch(box: Box) -> Iterator[Watch]:
    """What processes tell of themselves, from before the first run to after the last."""
    with Watch(command(box)) as watching:
        yield watching


@pytest.fixture(scope="session")
def world(box: Box) -> Iterator[World]:
    """The example, whose commits are pushed as a developer does and read with a token."""
    made = make_world(box)
    with serving(box.root, GIT_USER, git_token(box), box.port(GIT_PORT)):
        yield World(box, made.clone)


@pytest.fixture(scope="session")
def ui(box: Box, watch: Watch) -> Iterator[Ui]:
    """Prefect's UI; whatever is started in it is watched."""
    assert watch.most_updates == 0
    pages = Ui(prefect_server.api(box))
    yield pages
    pages.close()


@pytest.fixture(scope="session")
def live(ui: Ui, world: World) -> Run:
    """A good commit's run, at its end."""
    return deploy(ui, world, "good")


@pytest.fixture(scope="session")
def restored(ui: Ui, world: World, live: Run) -> Run:
    """The run of a commit that crashes, after a good one, at its end."""
    assert live.state == ("COMPLETED", "Live")
    return deploy(ui, world, "crashes")


@pytest.fixture(scope="session")
def refused(ui: Ui, world: World) -> Run:
    """The run of a commit that does not compile, at its end."""
    return deploy(ui, world, "does-not-compile")


def deploy(ui: Ui, world: World, behaviour: str) -> Run:
    """Push a commit that behaves so, fill only its hash in, press "Run", and wait for the end."""
    return ui.start(f"deploy/{ADAPTER}", commit=world.commit(behaviour).sha, why="a test").ended()


def _serve_over_http(box: Box) -> None:
    """What git's plain file protocol needs is written anew after each push."""
    bare = repository.path(box)
    hook = bare / "hooks" / "post-update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexec git update-server-info\n")
    hook.chmod(0o755)
    subprocess.run(["/usr/bin/git", "-C", bare, "update-server-info"], check=True)


def _save_secret(ui: Ui, name: str, value: str) -> None:
    ui.save_block("secret", name, value=value)
    ui.close()
