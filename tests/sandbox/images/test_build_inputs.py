"""The build-inputs id and the engine agree on what a build can see."""

import hashlib
from pathlib import Path

import pytest

from slipway.clients.docker import DockerBuilder
from slipway.domain.build_inputs import TreeEntry, build_inputs_id
from tests.sandbox.images.conftest import ImageSide
from tests.sandbox.images.test_publishing import make_tree

pytestmark = pytest.mark.sandbox

IGNORE = "*.md\nsrc/*.log\n"
FILES = {
    "notes.txt": "notes",
    "README.md": "read me",
    "src/main.c": "int main;",
    "src/x.log": "log",
    "src/deep/z.c": "int z;",
}


async def identity_and_image(
    images: ImageSide, builder: DockerBuilder, folder: Path, files: dict[str, str]
) -> tuple[str, str]:
    """The id that Slipway computes for these files, and the image that the engine makes of them."""
    tree = make_tree(folder, **{name.replace("/", "__"): text for name, text in files.items()})
    blobs = {
        f"adapter/{name}": TreeEntry("100644", hashlib.sha256(text.encode()).hexdigest())
        for name, text in files.items()
    }
    service = images.service()
    identity = build_inputs_id(blobs, service, files["Dockerfile"], files[".dockerignore"])
    return identity, await builder.build(tree, service, {})


@pytest.mark.parametrize(
    ("copied", "changed", "seen"),
    [
        ("COPY src/ /srv/", "notes.txt", False),
        ("COPY src/ /srv/", "README.md", False),
        ("COPY src/ /srv/", "src/x.log", False),
        ("COPY src/ /srv/", "src/main.c", True),
        ("COPY src/ /srv/", "src/deep/z.c", True),
        ("COPY src/*.c /srv/", "src/deep/z.c", False),
        ("COPY src/*.c /srv/", "src/main.c", True),
        ("COPY s?c /srv/", "src/deep/z.c", True),
        ("COPY . /srv/", "README.md", False),
        ("COPY . /srv/", "notes.txt", True),
        ('ADD ["./src/../notes.txt", "/srv/"]', "notes.txt", True),
        ("ADD /notes.txt /srv/", "src/main.c", False),
    ],
)
async def test_both_change_with_what_is_seen_and_with_nothing_else(
    images: ImageSide,
    builder: DockerBuilder,
    tmp_path: Path,
    copied: str,
    changed: str,
    seen: bool,  # noqa: FBT001 - a table's column
) -> None:
    files = {**FILES, ".dockerignore": IGNORE, "Dockerfile": f"FROM scratch\n{copied}\n"}
    before = await identity_and_image(images, builder, tmp_path / "before", files)
    after = await identity_and_image(
        images, builder, tmp_path / "after", {**files, changed: f"changed for {copied}"}
    )

    assert [one != other for one, other in zip(before, after, strict=True)] == [seen, seen]
