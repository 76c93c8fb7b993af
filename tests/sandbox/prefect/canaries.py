"""Looks for secrets, in every form they may take, wherever text of releases stays."""

import base64
import json
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import image_registry, kubernetes, prefect_server
from sandbox.box import Box
from sandbox.pulumi_cloud.accounts import SECTION
from tests.sqlite_file import opened

SQLITE = b"SQLite format 3\0"
NOT_SEARCHED = {
    "credentials.json": "the sandbox's own list of the credentials that it made",
    "registry/accounts.json": "the registry's accounts, as its token issuer knows them",
    "registry/config.yml": "the registry's own configuration: the key of its upload states",
    "pulumi-cloud/credentials.json": "the accounts of the stand-in for Pulumi Cloud",
    "kubernetes/tokens.csv": "the API server's accounts",
    "kubernetes/admin.kubeconfig": "the kubeconfig that users are given",
    "kubernetes/node.kubeconfig": "the kubelet's kubeconfig",
    "kubernetes/etcd": "the cluster's store: the pull secret is an object of the cluster",
    "pulumi/bin": "programs, as they were built",
    "pulumi/home/credentials.json": "the operator's own login, made by hand before Slipway came",
}
"""Path in the state folder → why a secret may stand there in clear, or why none can."""


@dataclass(frozen=True, order=True)
class Found:
    """A secret, by its name and form, where it must not be."""

    place: str
    secret: str


def secrets_of(box: Box) -> dict[str, str]:
    """Every credential that a run uses, or that somebody in the sandbox could leak."""
    cloud = json.loads((box.root / "pulumi-cloud" / "credentials.json").read_text())[SECTION]
    cluster = json.loads(kubernetes.kubeconfig(box).read_text())
    accounts = image_registry.accounts(box)
    return {
        **{f"box: {key}": value for key, value in _box_credentials(box).items()},
        **{f"registry: {name}": each.password for name, each in accounts.items()},
        **{f"pulumi: {name}": each["token"] for name, each in cloud["accounts"].items()},
        "pulumi: admin": cloud["admin_token"],
        "prefect: blocks": prefect_server.encryption_key(box),
        "kubeconfig": cluster["users"][0]["user"]["token"],
    }


def forms_of(secret: str) -> dict[str, bytes]:
    """A secret as programs write it: plain, and in every encoding that hides it from a plain look.

    Base64 looks different at each of the three places in a group of three bytes at which a secret
    can begin behind something else, such as the user's name and a colon.
    """
    raw = secret.encode()
    forms = {
        "plain": raw,
        "url": urllib.parse.quote(secret, safe="").encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "hex": raw.hex().encode(),
    }
    for start in range(3):
        # The first and the last group also hold what stands around the secret.
        inner = raw[-start % 3 :]
        whole = inner[: len(inner) // 3 * 3]
        forms[f"base64+{start}"] = base64.b64encode(whole)
        forms[f"base64url+{start}"] = base64.urlsafe_b64encode(whole)
    return forms


def search(
    secrets: Mapping[str, str], places: Iterable[tuple[str, bytes]]
) -> tuple[list[Found], set[str]]:
    """What was found where, and every place that was looked at."""
    needles = {form: name for name, secret in secrets.items() for form in forms_of(secret).values()}
    looked: set[str] = set()
    found: set[Found] = set()
    for place, content in places:
        looked.add(place)
        found.update(Found(place, name) for form, name in needles.items() if form in content)
    return sorted(found), looked


def places_of(box: Box, command_lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Every place and its text: files and databases of the sandbox, what processes tell."""
    for path in _files(box.root):
        content = path.read_bytes()
        yield str(path.relative_to(box.root)), content
        if content.startswith(SQLITE):
            yield from _tables(path, str(path.relative_to(box.root)))
    for folder in Path(tempfile.gettempdir()).glob("slipway-pulumi-*"):
        for path in folder.rglob("*"):
            if path.is_file():
                yield "what a pulumi call has left", path.read_bytes()
    yield "command lines", b"\n".join(command_lines)


def _box_credentials(box: Box) -> dict[str, str]:
    made: dict[str, str] = json.loads((box.root / "credentials.json").read_text())
    return made


def _files(root: Path) -> Iterator[Path]:
    """Regular files, without what is not searched and what is mounted (the node's pods)."""
    apart = {root / each for each in NOT_SEARCHED}
    waiting = [root]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path in apart or path.is_symlink() or path.is_mount():
                continue
            if path.is_dir():
                waiting.append(path)
            elif path.is_file():
                yield path


def _tables(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """A value in a file may be cut in two by a page's end, and a column's is whole."""
    with opened(path) as database:
        database.text_factory = bytes
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (raw,) in tables:
            table = raw.decode()
            rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the database's own name
            names = [each[0] for each in rows.description or ()]
            for column, values in zip(names, zip(*rows, strict=True), strict=False):
                texts = (each for each in values if isinstance(each, bytes))
                yield f"{name}: {table}.{column}", b"\n".join(texts)
