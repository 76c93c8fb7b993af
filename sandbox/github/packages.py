"""GitHub's Packages API for containers: versions of a package, deleted and restored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx

from sandbox import image_registry
from sandbox.box import Box
from sandbox.token_issuer.accounts import PUBLISHER


class Shelf(Protocol):
    """Where the packages' manifests are: a registry below GitHub's API."""

    def manifests(self, repository: str) -> Mapping[str, Sequence[str]]:
        """Digest → tags of everything that a repository holds."""

    def take(self, repository: str, digest: str) -> tuple[str, bytes]:
        """Remove a manifest; its media type and bytes."""

    def put(self, repository: str, name: str, manifest: tuple[str, bytes]) -> None:
        """Put a manifest there, under a digest or a tag."""


@dataclass
class Packages:
    """The container packages of one owner; a version's number comes from its digest."""

    owner: str
    shelf: Shelf
    deleted: dict[tuple[str, int], tuple[str, Sequence[str], tuple[str, bytes]]] = field(
        default_factory=dict
    )
    """Package and number → digest, tags, and what is put back when it is restored."""

    def versions(self, package: str) -> list[dict[str, Any]]:
        """What `GET …/versions` lists."""
        found = self.shelf.manifests(f"{self.owner}/{package}")
        return [_version(digest, tags) for digest, tags in sorted(found.items())]

    def delete(self, package: str, number: int) -> bool:
        """What `DELETE …/versions/{id}` does; whether there was such a version."""
        repository = f"{self.owner}/{package}"
        for digest, tags in self.shelf.manifests(repository).items():
            if _number(digest) == number:
                taken = self.shelf.take(repository, digest)
                self.deleted[package, number] = digest, tags, taken
                return True
        return False

    def restore(self, package: str, number: int) -> bool:
        """What `POST …/versions/{id}/restore` does; whether it was deleted."""
        gone = self.deleted.pop((package, number), None)
        if gone is None:
            return False
        digest, tags, manifest = gone
        for name in (digest, *tags):
            self.shelf.put(f"{self.owner}/{package}", name, manifest)
        return True


@dataclass(frozen=True)
class RegistryShelf:
    """The sandbox's registry; what it holds untagged only its own files tell."""

    box: Box

    def manifests(self, repository: str) -> Mapping[str, Sequence[str]]:
        """See `Shelf`."""
        tags = self._files(repository) / "tags"
        named: dict[str, list[str]] = {}
        for link in sorted(tags.glob("*/current/link")):
            named.setdefault(link.read_text(), []).append(link.parts[-3])
        there = (self._files(repository) / "revisions" / "sha256").glob("*/link")
        return {digest: named.get(digest, []) for digest in (each.read_text() for each in there)}

    def take(self, repository: str, digest: str) -> tuple[str, bytes]:
        """See `Shelf`."""
        with self._client(repository, "pull,delete") as client:
            there = client.get(f"manifests/{digest}").raise_for_status()
            client.delete(f"manifests/{digest}").raise_for_status()
        return there.headers["content-type"], there.content

    def put(self, repository: str, name: str, manifest: tuple[str, bytes]) -> None:
        """See `Shelf`."""
        kind, body = manifest
        with self._client(repository, "pull,push") as client:
            headers = {"Content-Type": kind}
            client.put(f"manifests/{name}", content=body, headers=headers).raise_for_status()

    def _files(self, repository: str) -> Path:
        storage = image_registry.folder(self.box) / "images/docker/registry/v2/repositories"
        return storage / repository / "_manifests"

    def _client(self, repository: str, actions: str) -> httpx.Client:
        host, account = image_registry.host(self.box), image_registry.accounts(self.box)[PUBLISHER]
        answer = httpx.get(
            f"http://127.0.0.1:{self.box.port('token-issuer')}/token",
            params={"service": host, "scope": f"repository:{repository}:{actions}"},
            auth=(account.username, account.password),
        )
        token = json.loads(answer.raise_for_status().text)["token"]
        headers = {"Authorization": f"Bearer {token}", "Accept": ACCEPTED}
        return httpx.Client(base_url=f"http://{host}/v2/{repository}/", headers=headers)


ACCEPTED = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)


def _number(digest: str) -> int:
    return int(digest.removeprefix("sha256:")[:7], 16)


def _version(digest: str, tags: Sequence[str]) -> dict[str, Any]:
    number, now = _number(digest), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": number,
        "name": digest,
        "url": f"https://api.github.com/versions/{number}",
        "package_html_url": "https://github.com/packages",
        "created_at": now,
        "updated_at": now,
        "metadata": {"package_type": "container", "container": {"tags": list(tags)}},
    }
