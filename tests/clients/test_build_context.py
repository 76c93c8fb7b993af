"""The engine gets what the ignore file leaves of one folder, and nothing from outside it."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.clients.build_context import OUTSIDE_DOCKERFILE, write_context
from slipway.domain.target import Service
from slipway.errors import BuildFailed

SERVICE = Service("adapter", "adapter", "ghcr.io/acme/adapter")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name, text in {
        "adapter/Dockerfile": "FROM scratch\n",
        "adapter/.dockerignore": "*.md\n",
        "adapter/README.md": "hidden",
        "adapter/src/main.c": "int main;",
        "docker/Other": "FROM other\n",
        "sink/secret": "not ours",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


def context(tree: Path, service: Service) -> tuple[str, dict[str, tarfile.TarInfo]]:
    out = io.BytesIO()
    name = write_context(tree, service, out)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        return name, {each.name: each for each in tar.getmembers()}


def test_the_context_is_the_folder_without_what_is_ignored(tree: Path) -> None:
    name, files = context(tree, SERVICE)

    assert name == "Dockerfile"
    assert set(files) == {"Dockerfile", ".dockerignore", "src/main.c"}
    assert {(each.uid, each.gid, each.uname) for each in files.values()} == {(0, 0, "root")}


def test_an_ignored_dockerfile_still_reaches_the_engine(tree: Path) -> None:
    (tree / "adapter/.dockerignore").write_text("*\n!src\n")

    _, files = context(tree, SERVICE)

    assert set(files) == {"Dockerfile", "src/main.c"}


def test_a_dockerfile_from_elsewhere_in_the_repository_is_put_in(tree: Path) -> None:
    name, files = context(tree, replace(SERVICE, dockerfile="docker/Other"))

    assert name == OUTSIDE_DOCKERFILE
    assert name in files


def test_the_whole_repository_can_be_the_context(tree: Path) -> None:
    name, files = context(tree, replace(SERVICE, context="."))

    assert name == "adapter/Dockerfile"
    assert "sink/secret" in files


def test_links_go_in_as_links(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("canary")
    (tree / "adapter/link").symlink_to(tmp_path / "outside/secret")
    (tree / "adapter/folder").symlink_to(tmp_path / "outside")

    _, files = context(tree, SERVICE)

    assert files["link"].issym()
    assert files["folder"].issym()
    assert not any("secret" in name for name in files)


@pytest.mark.parametrize(
    "planted",
    [replace(SERVICE, context="way-out"), replace(SERVICE, dockerfile="way-out/Dockerfile")],
)
def test_no_link_leads_the_build_out_of_the_checkout(
    tree: Path, tmp_path: Path, planted: Service
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/Dockerfile").write_text("FROM canary\n")
    (tree / "way-out").symlink_to(tmp_path / "outside")

    with pytest.raises(BuildFailed, match="leads out of the checkout"):
        context(tree, planted)


def test_what_is_missing_is_named(tree: Path) -> None:
    with pytest.raises(BuildFailed, match="build context nowhere/"):
        context(tree, Service("adapter", "nowhere", "ghcr.io/acme/adapter"))
    (tree / "adapter/Dockerfile").unlink()
    with pytest.raises(BuildFailed, match="adapter/Dockerfile of adapter does not exist"):
        context(tree, SERVICE)
