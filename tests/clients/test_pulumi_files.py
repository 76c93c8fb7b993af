"""A stack file is read for what it overrides, and copied with one value more."""

from pathlib import Path

import pytest
import yaml

from slipway.clients.pulumi_files import StackFile, mentions, read_stack_file
from slipway.domain.target import ConfigKey
from slipway.errors import StackUnusable
from tests.clients.cloud import key

IMAGE = f"ghcr.io/acme/adapter:{'a' * 40}"


def stack_file(folder: Path, text: str) -> StackFile:
    (folder / "Pulumi.yaml").write_text("name: cluster\nruntime: yaml\n")
    (folder / "Pulumi.prod.yaml").write_text(text)
    return read_stack_file(folder, "prod")


@pytest.mark.parametrize(
    ("text", "shadow"),
    [
        ("environment: [default/cluster]\n", None),
        ("config:\n  cluster:sinkImage: x\n", None),
        ("config:\n  other:adapterImage: x\n", None),
        ("config:\n  cluster:adapterImage: x\n", "x"),
        ("config:\n  adapterImage: x\n", "x"),
        ("config:\n  cluster:adapterImage: {secure: canary}\n", "[secret]"),
        ("environment:\n  values: {pulumiConfig: {'cluster:adapterImage': x}}\n", "x"),
    ],
)
def test_what_the_file_overrides_is_told(tmp_path: Path, text: str, shadow: str | None) -> None:
    assert stack_file(tmp_path, text).shadow(key()) == shadow


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("environment: [other, default/cluster]\n", "default/cluster"),
        ("environment: [cluster]\n", "cluster"),
        ("environment:\n  imports: [default/cluster]\n", "default/cluster"),
        ("environment: [{default/cluster: {merge: false}}]\n", "default/cluster"),
    ],
)
def test_the_environment_is_found_as_the_file_names_it(
    tmp_path: Path, text: str, spelling: str
) -> None:
    assert stack_file(tmp_path, text).spelling(key()) == spelling


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("config: {}\n", "does not import ESC environment acme/default/cluster"),
        ("environment: [acme/cluster]\n", "does not import"),
        ("environment: [default/cluster@stable]\n", "without a version"),
    ],
)
def test_a_stack_that_a_pin_would_not_reach_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(StackUnusable, match=why):
        stack_file(tmp_path, text).spelling(key())


@pytest.mark.parametrize(
    "text",
    [
        "environment: [default/cluster]\n",
        "config: {}  # none\nenvironment:\n  - default/cluster\n",
        "config:\nenvironment:\n  - default/cluster\n",
        "config:\n  # kept\n  kubernetes:namespace: on\nenvironment:\n  - default/cluster\n",
        "config:\n  cluster:adapterImage: old\nenvironment:\n  - default/cluster\n",
    ],
)
def test_the_copy_holds_one_value_more_and_all_else(tmp_path: Path, text: str) -> None:
    copy = stack_file(tmp_path, text).with_value(key(), IMAGE)

    expected = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the safest of all loaders
    expected["config"] = {**(expected.get("config") or {}), "cluster:adapterImage": IMAGE}
    assert yaml.load(copy, Loader=yaml.BaseLoader) == expected  # noqa: S506 - likewise


def test_a_program_that_is_not_in_the_commit_is_named(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: cluster\n")

    with pytest.raises(StackUnusable, match=r"Pulumi\.prod\.yaml is not in the commit"):
        read_stack_file(tmp_path, "prod")


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"cluster/index.ts": 'config.require("adapterImage")'}, True),
        ({"lib/keys.ts": 'export const KEY = "adapterImage"'}, True),
        ({"cluster/Pulumi.prod.yaml": "config:\n  shop:adapterImage: x\n"}, False),
        ({"README.md": "adapterImage is set in ESC"}, False),
        ({"cluster/index.ts": 'config.require("sinkImage")'}, False),
        ({"cluster/photo.bin": "adapterImage" + "x" * 1_000_000}, False),
    ],
)
def test_a_key_is_read_where_a_source_file_names_it(
    files: dict[str, str], *, named: bool, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert mentions(tmp_path, ConfigKey("acme", "default", "shop", "shop:adapterImage")) is named
